import t from 'tap'
import { Feeder } from '../../src/speaker/feeder.ts'

/** Someone with so many portions waiting; a portion takes a unit of time, and the time is up at `until`. */
function eater(name: string, portions: number, eaten: string[]) {
  return {
    portions,
    flush(until: number): boolean {
      while (this.portions > 0) {
        if (eaten.length >= until) return true
        eaten.push(name)
        this.portions--
      }
      return false
    },
  }
}

t.test('all are fed, each once, and nobody who has not been named', (t) => {
  const eaten: string[] = []
  const feeder = new Feeder()
  const [a, b, c] = [eater('a', 1, eaten), eater('b', 1, eaten), eater('c', 1, eaten)]
  feeder.add(a)
  feeder.add(b)
  feeder.add(a)
  t.equal(feeder.feed(Infinity), false)
  t.same(eaten, ['a', 'b'])
  a.portions = 1
  feeder.add(c)
  t.equal(feeder.feed(Infinity), false)
  t.same(eaten, ['a', 'b', 'c'], 'who is done is not asked again')
  feeder.add(a)
  t.equal(feeder.feed(Infinity), false)
  t.same(eaten, ['a', 'b', 'c', 'a'], 'unless named again')
  t.end()
})

t.test('out of time: the next call goes on with those who have not been reached', (t) => {
  const eaten: string[] = []
  const feeder = new Feeder()
  for (const [name, portions] of [
    ['greedy', 5],
    ['b', 1],
    ['c', 1],
  ] as const)
    feeder.add(eater(name, portions, eaten))
  t.equal(feeder.feed(2), true)
  t.same(eaten, ['greedy', 'greedy'])
  t.equal(feeder.feed(5), true)
  t.same(eaten, ['greedy', 'greedy', 'b', 'c', 'greedy'])
  t.equal(feeder.feed(Infinity), false)
  t.equal(eaten.length, 7)
  t.end()
})
