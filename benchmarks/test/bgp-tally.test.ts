import t from 'tap'
import type { Population } from '../bgp/plan.ts'
import { Routes } from '../bgp/routes.ts'
import { Tally, wantedTokens } from '../bgp/tally.ts'

const apart: Population = {
  sources: 3,
  listeners: 1,
  peerType: 'external',
  prefixes: 2500,
  shared: false,
  prefixesPerSet: 5,
  prefixLength: 24,
}
const reflected: Population = {
  ...apart,
  peerType: 'internal',
  prefixes: 10,
  prefixesPerSet: 10,
  prefixLength: 26,
}
const shared: Population = { ...apart, shared: true }

/** Gives a tally every UPDATE in `bytes`; true if the last one made it complete. */
function feed(tally: Tally, bytes: Uint8Array): boolean {
  let complete = false
  for (let at = 0; at < bytes.length;) {
    const end = at + (((bytes[at + 16] ?? 0) << 8) | (bytes[at + 17] ?? 0))
    complete = tally.update(bytes, at, end)
    at = end
  }
  return complete
}

for (const [name, population] of Object.entries({ apart, reflected })) {
  t.test(`${name}: a listener is complete with the last prefix of the last source, phase by phase`, (t) => {
    const routes = new Routes(population)
    const tally = new Tally(routes, 3)
    for (const phase of [1, 2]) {
      tally.expect(wantedTokens(routes, phase))
      t.equal(tally.differing, population.prefixes * 3)
      t.notOk(feed(tally, routes.announce(0, phase)))
      t.notOk(feed(tally, routes.announce(1, phase)))
      t.equal(tally.differing, population.prefixes)
      t.equal(tally.completeAt, undefined)
      t.ok(feed(tally, routes.announce(2, phase)))
      t.type(tally.completeAt, 'number')
    }
    tally.expect(new Uint16Array(routes.count))
    for (const source of [0, 1]) t.notOk(feed(tally, routes.withdraw(source)))
    t.ok(feed(tally, routes.withdraw(2)))
    t.end()
  })
}

t.test('the attributes of an earlier phase do not count', (t) => {
  const routes = new Routes(apart)
  const tally = new Tally(routes, 3)
  tally.expect(wantedTokens(routes, 2))
  for (const source of [0, 1, 2]) t.notOk(feed(tally, routes.announce(source, 1)))
  t.equal(tally.differing, 7500)
  t.end()
})

t.test('own routes may come back or stay away', (t) => {
  const routes = new Routes(apart)
  const tally = new Tally(routes, 0)
  tally.expect(wantedTokens(routes, 1))
  t.equal(tally.differing, 5000)
  feed(tally, routes.announce(0, 1))
  t.equal(tally.differing, 5000)
  feed(tally, routes.announce(1, 1))
  t.ok(feed(tally, routes.announce(2, 1)))
  t.end()
})

t.test('of shared prefixes only the best source counts, and completeness can be lost again', (t) => {
  const routes = new Routes(shared)
  const tally = new Tally(routes, 3)
  tally.expect(wantedTokens(routes, 1))
  for (const source of [0, 1, 2]) feed(tally, routes.announce(source, 1))
  t.ok(tally.differing > 0, 'the last source is not everywhere the best')
  const best = [0, 1, 2].map((source) => {
    const numbers = Array.from({ length: routes.count }, (_, prefix) => prefix)
    return numbers.filter((prefix) => routes.bestSource(prefix, 1) === source)
  })
  t.same(
    best.map((numbers) => numbers.length),
    [830, 835, 835],
  )
  for (const [source, numbers] of best.entries())
    for (const prefix of numbers) feed(tally, routes.announce(source, 1, prefix, 1))
  t.equal(tally.differing, 0)
  feed(tally, routes.withdraw(0, 7, 1))
  t.equal(tally.differing, 1)
  t.equal(tally.completeAt, undefined)
  t.end()
})

t.test('every UPDATE fits into 4,096 octets', (t) => {
  const routes = new Routes({ ...apart, prefixesPerSet: 2500 })
  for (const bytes of [routes.announce(0, 1), routes.withdraw(0)]) {
    let longest = 0
    for (let at = 0; at < bytes.length;) {
      const length = ((bytes[at + 16] ?? 0) << 8) | (bytes[at + 17] ?? 0)
      longest = Math.max(longest, length)
      at += length
    }
    t.ok(longest > 4000 && longest <= 4096)
  }
  t.end()
})
