import t from 'tap'
import { warmUp } from '../../src/index.ts'

t.test('sessions come up, and nothing of them is left', async (t) => {
  const before = process.getActiveResourcesInfo()
  t.equal(await warmUp({ boundMs: 60_000 }), 288)
  // A handle that has been closed goes at the end of the event loop's turn.
  await new Promise((resolve) => setTimeout(resolve, 5))
  t.same(process.getActiveResourcesInfo(), before)
})
