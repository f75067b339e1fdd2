import t from 'tap'
import { warmUp } from '../../src/index.ts'

t.test('sessions come up, and nothing of them is left', async (t) => {
  const before = process.getActiveResourcesInfo()
  t.equal(await warmUp(), 288)
  // A handle that has been closed goes in the next turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve))
  t.same(process.getActiveResourcesInfo(), before)
})
