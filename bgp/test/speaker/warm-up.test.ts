import t from 'tap'
import { warmUp } from '../../src/index.ts'

t.test('sessions come up, and nothing of them is left', async (t) => {
  const before = process.getActiveResourcesInfo()
  t.equal(await warmUp(), 48)
  t.same(process.getActiveResourcesInfo(), before)
})
