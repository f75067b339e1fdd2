import t from 'tap'
import { parseAddress, prefix as parse } from '@network/net'
import { Community, Role } from '../../src/codec/iana.ts'
import { type PathAttributes } from '../../src/codec/path-attributes.ts'
import { accept } from '../../src/filter/combinators.ts'
import { createRib } from '../../src/rib/create-rib.ts'
import { type RibPeer } from '../../src/rib/peer.ts'
import { FarEnd, type HeardRoute, type SessionShape, octets, ownAsn, routerId, settle } from './far-end.ts'

interface End {
  readonly shape?: Partial<SessionShape>
  readonly peer?: Partial<RibPeer>
}

interface Case {
  readonly name: string
  /** Where the route comes from; 'local': our own. */
  readonly from: End | 'local'
  readonly to: End
  readonly prefix?: string
  readonly nextHop?: string
  readonly attributes?: PathAttributes
  /** What the far end must hear; undefined: nothing. */
  readonly heard:
    { nextHop?: string; attributes?: PathAttributes; lacks?: (keyof PathAttributes)[] } | undefined
  /** What explainExports says of what is not heard. */
  readonly why?: RegExp
}

const path = (...asns: number[]): PathAttributes => ({ asPath: [{ type: 'sequence', asns }] })
const external: End = { shape: { asn: 65001 } }
const internal: End = {}
const client: End = { peer: { routeReflectorClient: true } }
const v6 = '2001:db8:1::/48'

const cases: readonly Case[] = [
  {
    name: 'own route to an external peer: our AS, our address, no LOCAL_PREF',
    from: 'local',
    to: external,
    attributes: { localPref: 200, multiExitDisc: 5 },
    heard: {
      nextHop: '192.0.2.254',
      attributes: { ...path(ownAsn), multiExitDisc: 5, origin: 'igp' },
      lacks: ['localPref'],
    },
  },
  {
    name: 'own route to an internal peer: empty path, LOCAL_PREF',
    from: 'local',
    to: internal,
    heard: { nextHop: '192.0.2.254', attributes: { asPath: [], localPref: 100 }, lacks: ['originatorId'] },
  },
  {
    name: 'own route with a next hop of its own to an internal peer',
    from: 'local',
    to: internal,
    nextHop: '192.0.2.77',
    heard: { nextHop: '192.0.2.77' },
  },
  {
    name: 'external to internal: the next hop stays',
    from: external,
    to: internal,
    attributes: { multiExitDisc: 9 },
    heard: { nextHop: '198.51.100.1', attributes: { ...path(65001), localPref: 100, multiExitDisc: 9 } },
  },
  {
    name: 'external to internal with next-hop self',
    from: external,
    to: { peer: { nextHop: 'self' } },
    heard: { nextHop: '192.0.2.254' },
  },
  {
    name: 'internal to internal: not without a client',
    from: internal,
    to: internal,
    heard: undefined,
    why: /neither peer is a client \(RFC 4456/,
  },
  {
    name: 'client to non-client is reflected',
    from: client,
    to: internal,
    heard: {
      nextHop: '198.51.100.1',
      attributes: { originatorId: routerId('10.255.0.1'), clusterList: [routerId('10.254.0.1')] },
    },
  },
  {
    name: 'non-client to client is reflected, next-hop self leaves it alone',
    from: internal,
    to: { peer: { routeReflectorClient: true, nextHop: 'self' } },
    attributes: { originatorId: 77, clusterList: [5] },
    heard: {
      nextHop: '198.51.100.1',
      attributes: { originatorId: 77, clusterList: [routerId('10.254.0.1'), 5] },
    },
  },
  {
    name: 'internal to external: reflection attributes and MED go, our AS comes',
    from: internal,
    to: external,
    attributes: { ...path(65009), multiExitDisc: 5, originatorId: 7, clusterList: [7], localPref: 300 },
    heard: {
      nextHop: '192.0.2.254',
      attributes: path(ownAsn, 65009),
      lacks: ['multiExitDisc', 'originatorId', 'clusterList', 'localPref'],
    },
  },
  {
    name: 'NO_EXPORT stops at an external peer',
    from: internal,
    to: external,
    attributes: { communities: [Community.noExport] },
    heard: undefined,
    why: /NO_EXPORT \(RFC 1997/,
  },
  {
    name: 'NO_EXPORT_SUBCONFED stops at an external peer',
    from: 'local',
    to: external,
    attributes: { communities: [Community.noExportSubconfed] },
    heard: undefined,
  },
  {
    name: 'NO_EXPORT goes to internal peers',
    from: external,
    to: internal,
    attributes: { communities: [Community.noExport] },
    heard: { attributes: { communities: [Community.noExport] } },
  },
  {
    name: 'NO_ADVERTISE goes to nobody',
    from: external,
    to: internal,
    attributes: { communities: [Community.noAdvertise] },
    heard: undefined,
  },
  {
    name: 'third-party next hop on a shared subnet',
    from: { shape: { asn: 65002, address: '192.0.2.2', sharedSubnet: '192.0.2.0/24' } },
    to: { shape: { asn: 65001, sharedSubnet: '192.0.2.0/24' } },
    nextHop: '192.0.2.9',
    heard: { nextHop: '192.0.2.9', attributes: path(ownAsn, 65002) },
  },
  {
    name: 'a next hop outside of the shared subnet becomes ours',
    from: { shape: { asn: 65002, address: '192.0.2.2', sharedSubnet: '192.0.2.0/24' } },
    to: { shape: { asn: 65001, sharedSubnet: '192.0.2.0/24' } },
    nextHop: '198.51.100.9',
    heard: { nextHop: '192.0.2.254' },
  },
  {
    name: 'next-hop unchanged to an external peer',
    from: external,
    to: { shape: { asn: 65002 }, peer: { nextHop: 'unchanged' } },
    heard: { nextHop: '198.51.100.1' },
  },
  {
    name: 'RFC 7947: a route server leaves path, next hop and MED alone',
    from: external,
    to: { shape: { asn: 65002 }, peer: { routeServerClient: true } },
    attributes: { multiExitDisc: 4 },
    heard: { nextHop: '198.51.100.1', attributes: { ...path(65001), multiExitDisc: 4 } },
  },
  {
    name: 'local-as stands for ours',
    from: external,
    to: { shape: { asn: 65002 }, peer: { localAsn: 65099 } },
    heard: { attributes: path(65099, 65001) },
  },
  {
    name: 'local-as before ours',
    from: external,
    to: { shape: { asn: 65002 }, peer: { localAsn: 65099, localAsnKeepsOwn: true } },
    heard: { attributes: path(65099, ownAsn, 65001) },
  },
  {
    name: 'as-override',
    from: external,
    to: { shape: { asn: 65002 }, peer: { asOverride: true } },
    attributes: path(65001, 65002, 7),
    heard: { attributes: path(ownAsn, 65001, ownAsn, 7) },
  },
  {
    name: 'remove-private-as',
    from: external,
    to: { shape: { asn: 65002 }, peer: { removePrivateAs: 'remove' } },
    attributes: path(65001, 7, 4200000001),
    heard: { attributes: path(ownAsn, 7) },
  },
  {
    name: 'private AS numbers replaced by ours',
    from: external,
    to: { shape: { asn: 65002 }, peer: { removePrivateAs: 'replace' } },
    attributes: path(65001, 7),
    heard: { attributes: path(ownAsn, ownAsn, 7) },
  },
  {
    name: 'RFC 9234: OTC is added towards a customer',
    from: external,
    to: { shape: { asn: 65002 }, peer: { role: Role.provider } },
    heard: { attributes: { onlyToCustomer: ownAsn } },
  },
  {
    name: 'RFC 9234: an OTC that is there stays towards a customer',
    from: external,
    to: { shape: { asn: 65002 }, peer: { role: Role.provider } },
    attributes: { onlyToCustomer: 9 },
    heard: { attributes: { onlyToCustomer: 9 } },
  },
  {
    name: 'RFC 9234: OTC stops at a provider',
    from: external,
    to: { shape: { asn: 65002 }, peer: { role: Role.customer } },
    attributes: { onlyToCustomer: 9 },
    heard: undefined,
  },
  {
    name: 'RFC 8212: no export policy, nothing sent',
    from: 'local',
    to: { shape: { asn: 65002 }, peer: { requirePolicy: true } },
    heard: undefined,
  },
  {
    name: 'RFC 8326: GRACEFUL_SHUTDOWN is added',
    from: 'local',
    to: { shape: { asn: 65002 }, peer: { gracefulShutdown: true } },
    heard: { attributes: { communities: [Community.gracefulShutdown] } },
  },
  {
    name: 'an export policy changes the route before our AS is put before it',
    from: external,
    to: { shape: { asn: 65002 }, peer: { export: accept.set({ med: 3, prependAsPath: [7, 8] }) } },
    heard: { attributes: { ...path(ownAsn, 7, 8, 65001), multiExitDisc: 3 } },
  },
  {
    name: 'an export policy sets the next hop',
    from: external,
    to: { peer: { export: accept.set({ nextHop: '203.0.113.5' }) } },
    heard: { nextHop: '203.0.113.5' },
  },
  {
    name: 'an export policy that says local routes only',
    from: external,
    to: { peer: { export: (route) => route.local } },
    heard: undefined,
  },
  {
    name: 'non-transitive extended communities stay inside',
    from: internal,
    to: external,
    attributes: {
      extendedCommunities: [
        { high: 0x40040001, low: 1 },
        { high: 0x00020001, low: 2 },
      ],
    },
    heard: { attributes: { extendedCommunities: [{ high: 0x00020001, low: 2 }] } },
  },
  {
    name: 'IPv6 to an external peer on the link: global and link-local address',
    from: 'local',
    to: { shape: { asn: 65002, local: { ipv6: octets('2001:db8::fe'), linkLocal: octets('fe80::fe') } } },
    prefix: v6,
    heard: { nextHop: '2001:db8::fe fe80::fe' },
  },
  {
    name: 'IPv6 over an unnumbered session: link-local address alone',
    from: 'local',
    to: { shape: { asn: 65002, local: { linkLocal: octets('fe80::fe') } } },
    prefix: v6,
    heard: { nextHop: 'fe80::fe' },
  },
  {
    name: 'RFC 8950: IPv4 with an IPv6 next hop',
    from: 'local',
    to: { shape: { asn: 65002, local: { linkLocal: octets('fe80::fe') }, extendedNextHop: true } },
    heard: { nextHop: 'fe80::fe', attributes: path(ownAsn) },
  },
  {
    name: 'IPv4 without an IPv4 address and without RFC 8950: nothing',
    from: 'local',
    to: { shape: { asn: 65002, local: { linkLocal: octets('fe80::fe') } } },
    heard: undefined,
    why: /no next hop/,
  },
  {
    name: 'a link-local next hop from outside becomes ours inside',
    from: { shape: { asn: 65001, interface: 'eth0' } },
    to: internal,
    prefix: v6,
    nextHop: 'fe80::1',
    heard: { nextHop: '2001:db8::fe' },
  },
  {
    name: 'four-octet AS numbers to an old speaker',
    from: { shape: { asn: 4200000001 } },
    to: { shape: { asn: 65002, as4: false } },
    attributes: path(4200000001),
    heard: { attributes: path(ownAsn, 4200000001) },
  },
]

for (const { name, from, to, prefix = '10.1.0.0/16', nextHop, attributes, heard, why } of cases) {
  t.test(name, (t) => {
    const rib = createRib({ asn: ownAsn, routerId: routerId('10.254.0.1') })
    const listener = new FarEnd(
      rib,
      { address: '192.0.2.1', routerId: '10.255.0.9', ...to.shape },
      to.peer,
    ).up()
    if (from === 'local') {
      const parsed = nextHop === undefined ? undefined : parseAddress(nextHop)
      rib.originate(parse(prefix), {
        attributes: attributes ?? {},
        ...(parsed?.ok === true ? { nextHop: parsed.value } : {}),
      })
    } else {
      const teller = new FarEnd(
        rib,
        { address: '198.51.100.1', routerId: '10.255.0.1', ...from.shape },
        from.peer,
      )
      const own = prefix.includes(':') ? '2001:db8:ff::1' : '198.51.100.1'
      teller.up().announce({ prefixes: [prefix], nextHop: nextHop ?? own, attributes: attributes ?? {} })
    }
    settle(rib)
    listener.pull()
    const route: HeardRoute | undefined = listener.routes.get(prefix)
    if (heard === undefined) t.equal(route, undefined)
    else {
      t.ok(route, 'the route is heard')
      if (heard.nextHop !== undefined) t.equal(route?.nextHop, heard.nextHop)
      t.match(route?.attributes, heard.attributes ?? {})
      for (const absent of heard.lacks ?? []) t.equal(route?.attributes[absent], undefined, `no ${absent}`)
    }
    t.same(listener.marks, ['end-of-rib ipv4', 'end-of-rib ipv6'])
    const explained = rib.explainExports(parse(prefix)).find(({ peer }) => peer === listener.index)
    t.equal(explained?.sent, heard !== undefined, explained?.why ?? '')
    t.match(explained?.why, heard === undefined ? (why ?? /./) : /export filter|accepts it/)
    t.end()
  })
}
