/** What peers are told of what others say: groups, changes, limits, policies, ADD-PATH. */
import t from 'tap'
import { prefix as parse } from '@network/net'
import { ipv4Unicast } from '../../src/codec/iana.ts'
import { accept, reject } from '../../src/filter/combinators.ts'
import { clients, names, newRib, pullAll, reflector, say } from './clients.ts'
import { FarEnd, settle } from './far-end.ts'

t.test('a reflector tells each client what the others say, from shared bytes', (t) => {
  const rib = newRib()
  const ends = clients(rib, 5)
  ends.forEach((end, i) => {
    say(end, [`10.${i}.0.0/16`, `10.${i}.1.0/24`])
  })
  settle(rib)
  const [a, b] = [rib.pull(ends[3]?.index ?? 0, 200), rib.pull(ends[4]?.index ?? 0, 200)]
  t.equal(a?.buffer, b?.buffer, 'the same buffer')
  t.same(a, b)
  for (const end of ends) {
    rib.refreshOut(end.index, ipv4Unicast, false)
    end.pull()
    t.equal(names(end).length, 8)
    t.notOk(names(end).some((name) => name.startsWith(`10.${ends.indexOf(end)}.`)))
  }
  t.equal(rib.memory().updateGroups, 2, 'one group per family')
  t.end()
})

t.test('a change that is undone before it is pulled is not sent', (t) => {
  const rib = newRib()
  const [one, two] = clients(rib, 2)
  say(one, ['10.1.0.0/16'])
  pullAll(rib, [two!])
  const { announcements, withdrawals } = two!
  one?.withdraw(['10.1.0.0/16'])
  settle(rib)
  say(one, ['10.1.0.0/16'])
  say(one, ['10.2.0.0/16'])
  settle(rib)
  one?.withdraw(['10.2.0.0/16'])
  settle(rib)
  t.equal(rib.pull(two!.index, 4096), undefined)
  t.same([two!.announcements, two!.withdrawals], [announcements, withdrawals])
  t.end()
})

t.test('a route that changes hands: its new source is told to forget the old one', (t) => {
  const { rib, ends, one, two, three } = reflector(['10.1.0.0/16'])
  t.same(names(two), ['10.1.0.0/16'])
  say(two, ['10.1.0.0/16'], { localPref: 200 })
  pullAll(rib, ends)
  t.same(names(one), ['10.1.0.0/16'])
  t.same(names(two), [])
  t.same(names(three), ['10.1.0.0/16'])
  two.withdraw(['10.1.0.0/16'])
  pullAll(rib, ends)
  t.same(names(one), [])
  t.same(names(two), ['10.1.0.0/16'])
  t.end()
})

t.test('a peer that joins late hears nothing of what is gone, whatever was packed before', (t) => {
  const rib = newRib()
  const ends = clients(rib, 3)
  const [one, two, three] = ends
  say(one, ['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16', '10.4.0.0/16'])
  pullAll(rib, [two!])
  one?.withdraw(['10.1.0.0/16', '10.2.0.0/16'])
  pullAll(rib, [two!])
  t.same(names(two), ['10.3.0.0/16', '10.4.0.0/16'])
  const late = new FarEnd(
    rib,
    { address: '10.0.0.9', routerId: '10.255.0.9' },
    { routeReflectorClient: true },
  )
  late.up().pull()
  t.same(names(late), ['10.3.0.0/16', '10.4.0.0/16'])
  t.same([late.announcements, late.withdrawals], [2, 0])
  three?.pull()
  t.same(names(three), ['10.3.0.0/16', '10.4.0.0/16'])
  t.end()
})

t.test('a peer that reads nothing while routes flap holds nothing up and costs nothing', (t) => {
  const rib = newRib()
  const ends = clients(rib, 3)
  const [one, two, three] = ends
  const prefixes = Array.from({ length: 500 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`)
  const flap = (round: number): void => {
    say(one, prefixes.slice(0, 250), { multiExitDisc: round })
    say(one, prefixes.slice(250), { multiExitDisc: round + 1 })
    pullAll(rib, [two!])
    if (round % 3 === 2) one?.withdraw(prefixes.slice(0, 100))
    pullAll(rib, [two!])
  }
  for (let round = 0; round < 20; round++) flap(round)
  const { bytes } = rib.memory()
  for (let round = 20; round < 200; round++) flap(round)
  t.ok(rib.memory().bytes < bytes * 2 + 0x200000, `${rib.memory().bytes} after ${bytes}`)
  three?.pull()
  t.same(three?.table(), two?.table())
  t.ok((three?.announcements ?? 0) <= 500, 'it is told each prefix once')
  t.end()
})

t.test('a limit on what a peer may send leaves the rest out, and lets it in when there is room', (t) => {
  const rib = newRib()
  const [listener] = clients(rib, 1)
  const one = new FarEnd(rib, { address: '10.0.0.8' }, { maximumIn: { ipv4: 2 } }).up()
  one.announce({ prefixes: ['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16'], nextHop: '192.0.2.1' })
  pullAll(rib, [listener!])
  t.same(names(listener), ['10.1.0.0/16', '10.2.0.0/16'])
  t.match(rib.explain(parse('10.3.0.0/16'))[0]?.why, /more prefixes than its limit/)
  t.match(rib.counters(one.index, ipv4Unicast), { received: 3, accepted: 2 })
  one.withdraw(['10.1.0.0/16'])
  pullAll(rib, [listener!])
  t.same(names(listener), ['10.2.0.0/16', '10.3.0.0/16'])
  t.end()
})

t.test('a limit on what a peer is sent, and a policy with a maximum', (t) => {
  for (const config of [{ maximumOut: { ipv4: 2 } }, { export: accept.max(2) }]) {
    const rib = newRib()
    const listener = new FarEnd(rib, { address: '10.0.0.8' }, config).up()
    for (const text of ['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16'])
      rib.originate(parse(text), { attributes: {} })
    pullAll(rib, [listener])
    t.equal(listener.routes.size, 2)
    t.equal(rib.counters(listener.index, ipv4Unicast).advertised, 2)
    t.ok(rib.withdraw(parse('10.1.0.0/16')))
    pullAll(rib, [listener])
    t.same(names(listener), ['10.2.0.0/16', '10.3.0.0/16'])
  }
  t.end()
})

t.test('policies that change while the session is up', (t) => {
  const { rib, ends, one, two } = reflector(['10.1.0.0/16', '172.16.0.0/12'])
  const config = { name: '10.0.0.2', routeReflectorClient: true }
  rib.updatePeer(two.index, { ...config, export: reject.within('10.0.0.0/8') })
  pullAll(rib, ends)
  t.same(names(two), ['172.16.0.0/12'])
  rib.updatePeer(two.index, config)
  pullAll(rib, ends)
  t.same(names(two), ['10.1.0.0/16', '172.16.0.0/12'])
  rib.updatePeer(one.index, {
    name: '10.0.0.1',
    routeReflectorClient: true,
    import: accept.within('10.0.0.0/8').set({ localPreference: 7 }),
  })
  pullAll(rib, ends)
  t.same(names(two), ['10.1.0.0/16'])
  t.equal(two.routes.get('10.1.0.0/16')?.attributes.localPref, 7)
  t.equal(rib.routes({ afiSafi: ipv4Unicast, view: 'received', peer: one.index }).length, 2)
  t.equal(rib.routes({ afiSafi: ipv4Unicast, view: 'accepted', peer: one.index }).length, 1)
  t.equal(rib.routes({ afiSafi: ipv4Unicast, view: 'advertised', peer: two.index }).length, 1)
  t.equal(rib.routes({ afiSafi: ipv4Unicast, view: 'advertised', peer: one.index }).length, 0)
  t.end()
})

t.test('ADD-PATH: identifiers are kept apart on the way in and out', (t) => {
  const rib = newRib()
  const addPath = [ipv4Unicast]
  const teller = new FarEnd(rib, { address: '10.0.0.1', addPath }, { routeReflectorClient: true }).up()
  const all = new FarEnd(rib, { address: '10.0.0.2', addPath }, { routeReflectorClient: true }).up()
  const two = new FarEnd(
    rib,
    { address: '10.0.0.3', addPath },
    { routeReflectorClient: true, addPathSend: 2 },
  ).up()
  const plain = new FarEnd(rib, { address: '10.0.0.4' }, { routeReflectorClient: true }).up()
  for (const pathId of [1, 2, 3])
    teller.announce({
      prefixes: ['10.1.0.0/16'],
      nextHop: `192.0.2.${pathId}`,
      pathId,
      attributes: { localPref: 100 + pathId },
    })
  const hops = (end: FarEnd): string[] => [...end.routes.values()].map(({ nextHop }) => nextHop).sort()
  pullAll(rib, [all, two, plain])
  t.same(hops(all), ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
  t.same(hops(two), ['192.0.2.2', '192.0.2.3'])
  t.same(hops(plain), ['192.0.2.3'])
  teller.withdraw(['10.1.0.0/16'], 3)
  pullAll(rib, [all, two, plain])
  t.same(hops(all), ['192.0.2.1', '192.0.2.2'])
  t.same(hops(two), ['192.0.2.1', '192.0.2.2'])
  t.same(hops(plain), ['192.0.2.2'])
  t.equal(new Set([...all.routes.keys()]).size, 2)
  t.end()
})

t.test('queries', (t) => {
  const rib = newRib()
  const [one] = clients(rib, 1)
  say(one, ['10.1.0.0/16', '10.1.2.0/24', '10.2.0.0/16'])
  settle(rib)
  const found = (prefix: string, match: 'exact' | 'longer'): number =>
    rib.routes({ afiSafi: ipv4Unicast, view: 'best', prefix: parse(prefix), match }).length
  t.equal(found('10.1.0.0/16', 'exact'), 1)
  t.equal(found('10.1.0.0/16', 'longer'), 2)
  t.equal(found('0.0.0.0/0', 'longer'), 3)
  t.equal(found('10.3.0.0/16', 'exact'), 0)
  t.equal(rib.routes({ afiSafi: ipv4Unicast, view: 'best', limit: 2 }).length, 2)
  t.same(rib.explain(parse('10.77.0.0/16')), [])
  t.end()
})
