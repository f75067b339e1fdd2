import { test } from 'tap'
import { formatDuration } from '../../src/output/duration.ts'

const cases: [number, string][] = [
  [-5, '0s'],
  [0, '0s'],
  [999, '0s'],
  [1000, '1s'],
  [61_000, '1m 1s'],
  [3_600_000, '1h'],
  [3_661_000, '1h 1m'],
  [90_061_000, '1d 1h'],
  [86_400_000 * 400, '400d'],
]

test('the two largest units that say something', (t) => {
  for (const [ms, text] of cases) t.equal(formatDuration(ms), text, String(ms))
  t.end()
})
