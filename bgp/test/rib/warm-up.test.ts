import t from 'tap'
import { warmUp } from '../../src/rib/warm-up.ts'

t.test('routes go in and come out', (t) => {
  // Each of four peers is told 300 prefixes of the others twice and their end once: four octets each time at least.
  t.ok(warmUp() > 4 * 300 * 3 * 4)
  t.end()
})
