/** What becomes of routes when sessions come, go, restart and are refreshed. */
import t from 'tap'
import { prefix as parse } from '@network/net'
import { Community, ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { bothFamilies, clients, names, newRib, pullAll, reflector, say } from './clients.ts'
import { FarEnd, settle, tickingClock } from './far-end.ts'

t.test('graceful restart: stale routes stay until End-of-RIB', (t) => {
  const { rib, ends, one, two } = reflector(['10.1.0.0/16', '10.2.0.0/16'])
  rib.peerDown(one.index, { stale: bothFamilies })
  pullAll(rib, [two])
  t.same(names(two), ['10.1.0.0/16', '10.2.0.0/16'])
  t.equal(rib.counters(one.index, ipv4Unicast).stale, 2)
  one.up()
  say(one, ['10.1.0.0/16'])
  pullAll(rib, ends)
  t.equal(rib.counters(one.index, ipv4Unicast).stale, 1)
  t.equal(rib.routes({ afiSafi: ipv4Unicast, view: 'received' }).filter(({ stale }) => stale).length, 1)
  const before = two.announcements
  rib.endOfRib(one.index, ipv4Unicast)
  pullAll(rib, ends)
  t.same(names(two), ['10.1.0.0/16'])
  t.equal(two.announcements, before, 'the route that came back the same was not sent again')
  t.end()
})

t.test('graceful restart: a second restart drops what was stale, the timer drops the rest', (t) => {
  const { rib, one, two } = reflector(['10.1.0.0/16', '10.2.0.0/16'])
  rib.peerDown(one.index, { stale: bothFamilies })
  one.up()
  say(one, ['10.1.0.0/16'])
  rib.peerDown(one.index, { stale: bothFamilies })
  pullAll(rib, [two])
  t.same(names(two), ['10.1.0.0/16'])
  rib.dropStale(one.index, ipv4Unicast)
  pullAll(rib, [two])
  t.same(names(two), [])
  t.end()
})

t.test('a family that the new session lacks is not kept', (t) => {
  const rib = newRib()
  const [two] = clients(rib, 1)
  const one = new FarEnd(
    rib,
    { address: '10.0.0.8', families: [ipv4Unicast] },
    { routeReflectorClient: true },
  )
  rib.peerUp(one.index, { ...one.session, families: [ipv4Unicast, ipv6Unicast] })
  say(one, ['10.1.0.0/16'])
  one.announce({ prefixes: ['2001:db8:1::/48'], nextHop: '2001:db8::1' })
  pullAll(rib, [two!])
  t.equal(names(two).length, 2)
  rib.peerDown(one.index, { stale: bothFamilies })
  one.up()
  pullAll(rib, [two!])
  t.same(names(two), ['10.1.0.0/16'])
  t.end()
})

t.test('long-lived graceful restart: LLGR_STALE is attached, NO_LLGR goes', (t) => {
  const rib = newRib()
  const ends = clients(rib, 2)
  const [one, two] = ends
  say(one, ['10.1.0.0/16'])
  say(one, ['10.2.0.0/16'], { communities: [Community.noLlgr] })
  pullAll(rib, ends)
  rib.peerDown(one!.index, { stale: bothFamilies })
  rib.keepLongLived(one!.index, ipv4Unicast)
  pullAll(rib, [two!])
  t.same(names(two), ['10.1.0.0/16'])
  t.same(two?.routes.get('10.1.0.0/16')?.attributes.communities, [Community.llgrStale])
  t.end()
})

t.test('End-of-RIB comes once per family, behind the routes, and not while selection is deferred', (t) => {
  const rib = newRib()
  rib.deferSelection(true)
  const [one, two] = clients(rib, 2)
  say(one, ['10.1.0.0/16'])
  rib.originate(parse('10.9.0.0/16'), { attributes: {} })
  pullAll(rib, [two!])
  t.same(names(two), ['10.9.0.0/16'], 'own routes go at once')
  t.same(two?.marks, [])
  rib.deferSelection(false)
  t.ok(rib.hasPending(two!.index) || rib.work(0, tickingClock))
  settle(rib)
  two?.pull(1, 1)
  t.same(names(two), ['10.1.0.0/16', '10.9.0.0/16'])
  t.same(two?.marks, [])
  two?.pull()
  t.same(two?.marks, ['end-of-rib ipv4', 'end-of-rib ipv6'])
  t.notOk(rib.hasPending(two!.index))
  t.end()
})

t.test('End-of-RIB waits for what was received before the session came up', (t) => {
  const rib = newRib()
  const [one] = clients(rib, 1)
  say(one, ['10.1.0.0/16'])
  const [two] = [new FarEnd(rib, { address: '10.0.0.7' }).up()]
  two.pull()
  t.same(two.marks, ['end-of-rib ipv6'])
  settle(rib)
  two.pull()
  t.same(two.marks, ['end-of-rib ipv6', 'end-of-rib ipv4'])
  t.equal(two.routes.size, 1)
  t.end()
})

t.test('refresh: everything again, between BoRR and EoRR if the peer can', (t) => {
  const { rib, ends, one, two } = reflector(['10.1.0.0/16', '10.2.0.0/16'])
  one.withdraw(['10.2.0.0/16'])
  pullAll(rib, ends)
  two.marks.length = 0
  const before = two.announcements
  rib.refreshOut(two.index, ipv4Unicast, true)
  two.pull()
  t.same(two.marks, ['begin', 'end'])
  t.equal(two.announcements, before + 1)
  rib.refreshOut(two.index, ipv4Unicast, false)
  two.pull()
  t.same(two.marks, ['begin', 'end'])
  t.equal(two.announcements, before + 2)
  t.end()
})

t.test('enhanced refresh of a peer: what is not said again goes', (t) => {
  const { rib, ends, one, two } = reflector(['10.1.0.0/16', '10.2.0.0/16'])
  rib.refreshInBegin(one.index, ipv4Unicast)
  say(one, ['10.1.0.0/16'])
  pullAll(rib, ends)
  t.same(names(two), ['10.1.0.0/16', '10.2.0.0/16'])
  rib.refreshInEnd(one.index, ipv4Unicast)
  pullAll(rib, ends)
  t.same(names(two), ['10.1.0.0/16'])
  t.end()
})

t.test('a session that goes takes its routes along', (t) => {
  const rib = newRib()
  const ends = clients(rib, 3)
  const [one, two, three] = ends
  say(one, ['10.1.0.0/16', '10.2.0.0/16'])
  say(two, ['10.1.0.0/16'], { localPref: 50 })
  pullAll(rib, ends)
  rib.peerDown(one!.index)
  one?.up()
  say(one, ['10.3.0.0/16'])
  pullAll(rib, ends)
  t.same(names(three), ['10.1.0.0/16', '10.3.0.0/16'])
  t.same(names(two), ['10.3.0.0/16'])
  t.same(names(one), ['10.1.0.0/16'])
  rib.removePeer(one!.index)
  pullAll(rib, [two!, three!])
  t.same(names(three), ['10.1.0.0/16'])
  t.throws(() => rib.counters(one!.index, ipv4Unicast), { name: 'RangeError' })
  t.end()
})

t.test('a peer that comes back before its routes are swept is not told them', (t) => {
  const rib = newRib()
  const ends = clients(rib, 3)
  const [one, two] = ends
  say(one, ['10.1.0.0/16'])
  settle(rib)
  rib.peerDown(one!.index)
  two?.pull()
  t.same(names(two), ['10.1.0.0/16'])
  one?.up().pull()
  t.same(names(one), [])
  pullAll(rib, ends)
  t.same(names(two), [])
  t.end()
})
