import fc from 'fast-check'
import t from 'tap'
import { ChangeLog } from '../../src/rib/change-log.ts'

t.test('the log and a list of last changes agree, compacted or not', (t) => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.nat(30) },
    { weight: 1, arbitrary: fc.constant('compact' as const) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.nat(30), (steps, dropped) => {
      const log = new ChangeLog()
      let expected: number[] = []
      // A reader in the middle: what it has before it must stay the same.
      let reader = 0
      let ahead: number[] = []
      for (const one of steps) {
        if (one === 'compact') {
          const moved = log.compact([reader, reader, 0], (element) => element === dropped)
          reader = moved.get(reader) ?? -1
          expected = expected.filter((element) => element !== dropped)
          ahead = ahead.filter((element) => element !== dropped)
        } else {
          log.append(one)
          expected = [...expected.filter((element) => element !== one), one]
          ahead = [...ahead.filter((element) => element !== one), one]
          if (one % 7 === 0) {
            reader = log.end
            ahead = []
          }
        }
        const read = (from: number): number[] => {
          const found: number[] = []
          for (let place = from; place < log.end; place++) if (log.at(place) >= 0) found.push(log.at(place))
          return found
        }
        if (read(0).join() !== expected.join() || read(reader).join() !== ahead.join()) return false
        if (log.size !== expected.length || log.countLive(reader, log.end) !== ahead.length) return false
        if (expected.some((element) => log.at(log.placeOf(element)) !== element)) return false
      }
      return true
    }),
    { numRuns: 300 },
  )
  t.end()
})
