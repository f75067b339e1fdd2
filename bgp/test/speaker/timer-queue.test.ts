import fc from 'fast-check'
import t from 'tap'
import { TimerQueue } from '../../src/speaker/timer-queue.ts'
import { FakeClock } from './fake-network.ts'

t.test('timers ring in the order in which they are due, over one timer of the clock', (t) => {
  const clock = new FakeClock()
  const queue = new TimerQueue(clock)
  const rung: string[] = []
  for (const [name, ms] of [
    ['c', 30],
    ['a', 10],
    ['b', 20],
    ['b too', 20],
    ['at once', -5],
  ] as const)
    queue.setTimeout(() => rung.push(`${name} ${clock.monotonic()}`), ms)
  t.ok(clock.pending <= 1)
  t.same(rung, [], 'never before setTimeout has returned')
  clock.advance(100)
  t.same(rung, ['at once 0', 'a 10', 'b 20', 'b too 20', 'c 30'])
  t.equal(clock.pending, 0)
  t.equal(queue.now(), clock.now())
  t.end()
})

t.test('what a timer starts rings the next time, however soon', (t) => {
  const clock = new FakeClock()
  const queue = new TimerQueue(clock)
  let rung = 0
  const again = (): void => {
    if (++rung < 3) queue.setTimeout(again, 0)
  }
  queue.setTimeout(again, 0)
  clock.advance(0)
  t.equal(rung, 3)
  t.end()
})

t.test('a timer that throws takes none of the others with it', (t) => {
  const clock = new FakeClock()
  const queue = new TimerQueue(clock)
  let rung = 0
  queue.setTimeout(() => {
    throw new Error('thrown')
  }, 1)
  queue.setTimeout(() => rung++, 1)
  t.throws(() => clock.advance(1), /thrown/)
  clock.advance(1)
  t.equal(rung, 1)
  t.end()
})

t.test('whatever is started and cancelled: each rings once, at its moment, or never', (t) => {
  const step = fc.oneof(
    fc.record({ start: fc.nat(50) }),
    fc.record({ cancel: fc.nat(1000) }),
    fc.record({ pass: fc.nat(20) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const clock = new FakeClock()
      const queue = new TimerQueue(clock)
      const timers: { due: number; rung: number[]; cancelled: boolean; cancel: () => void }[] = []
      for (const one of steps) {
        if ('start' in one) {
          const rung: number[] = []
          const timer = queue.setTimeout(() => rung.push(clock.monotonic()), one.start)
          const cancel = (): void => timer.cancel()
          timers.push({ due: clock.monotonic() + one.start, rung, cancelled: false, cancel })
        } else if ('cancel' in one) {
          const timer = timers[one.cancel % Math.max(1, timers.length)]
          if (timer === undefined) continue
          timer.cancel()
          timer.cancelled ||= timer.rung.length === 0
        } else {
          clock.advance(one.pass)
        }
        if (clock.pending > 1) return false
      }
      clock.advance(1000)
      return (
        clock.pending === 0 &&
        timers.every(({ due, rung, cancelled }) =>
          cancelled ? rung.length === 0 : rung.length === 1 && rung[0] === due,
        )
      )
    }),
    { numRuns: 300 },
  )
  t.end()
})
