import { address, prefix } from '@network/net'
import { type CodecContext, plainContext } from '../../src/codec/context.ts'
import { ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { type Message } from '../../src/codec/messages.ts'
import { nlriRun } from '../../src/codec/nlri.ts'
import { type PathAttributes } from '../../src/codec/path-attributes.ts'
import { hex, message, update } from './hex.ts'

/** A message as octets and as a value: encoders and decoders are held against the same list. */
export interface MessageCase {
  readonly name: string
  readonly octets: Uint8Array
  readonly value: Message
  readonly context?: CodecContext
}

const open = {
  type: 'open',
  version: 4,
  myAs: 64512,
  asn: 64512,
  holdTimeSeconds: 90,
  routerId: 0x0a000001,
  capabilities: [],
  capabilitiesPerParameter: [],
  extendedLength: false,
} as const

const openHead = '04 fc00 005a 0a000001'

const internal: CodecContext = { ...plainContext, peerType: 'internal' }
const withAddPath: CodecContext = { ...plainContext, addPath: new Set([ipv4Unicast, ipv6Unicast]) }
const withExtendedNextHop: CodecContext = { ...plainContext, extendedNextHop: new Set([ipv4Unicast]) }

const plainAttributes = '40010100 40020602010000fde8'
const nextHop = '400304 0a000001'

export const messageCases: readonly MessageCase[] = [
  { name: 'KEEPALIVE', octets: message(4, ''), value: { type: 'keepalive' } },
  { name: 'OPEN without parameters', octets: message(1, `${openHead} 00`), value: open },
  {
    name: 'OPEN with every capability in one parameter',
    octets: message(
      1,
      `04 5ba0 005a 0a000001 4d 02 4b
       01 04 0001 00 01  02 00  05 06 0001 0001 0002  06 00  09 01 03
       40 06 c078 0001 01 80  41 04 0001 0000
       45 08 0001 01 03 0002 01 01  46 00  47 07 0001 01 80 000e10
       49 0b 05 6e6f646531 04 6c616273  83 04 01020304`,
    ),
    value: {
      ...open,
      myAs: 23456,
      asn: 65536,
      capabilities: [
        { kind: 'multiprotocol', afiSafi: ipv4Unicast },
        { kind: 'route-refresh' },
        { kind: 'extended-next-hop', entries: [{ afiSafi: ipv4Unicast, nextHopAfi: 2 }] },
        { kind: 'extended-message' },
        { kind: 'role', role: 3 },
        {
          kind: 'graceful-restart',
          restarting: true,
          notification: true,
          restartTimeSeconds: 120,
          families: [{ afiSafi: ipv4Unicast, forwarding: true }],
        },
        { kind: 'as4', asn: 65536 },
        {
          kind: 'add-path',
          families: [
            { afiSafi: ipv4Unicast, mode: 'both' },
            { afiSafi: ipv6Unicast, mode: 'receive' },
          ],
        },
        { kind: 'enhanced-route-refresh' },
        {
          kind: 'long-lived-graceful-restart',
          families: [{ afiSafi: ipv4Unicast, forwarding: true, staleTimeSeconds: 3600 }],
        },
        { kind: 'fqdn', host: 'node1', domain: 'labs' },
        { kind: 'unknown', code: 131, value: hex('01020304') },
      ],
      capabilitiesPerParameter: [12],
    },
  },
  {
    name: 'OPEN with one parameter per capability',
    octets: message(1, `${openHead} 0c 02 06 01 04 0002 00 01  02 02 02 00`),
    value: {
      ...open,
      capabilities: [{ kind: 'multiprotocol', afiSafi: ipv6Unicast }, { kind: 'route-refresh' }],
      capabilitiesPerParameter: [1, 1],
    },
  },
  {
    name: 'OPEN with extended optional parameters length (RFC 9072)',
    octets: message(1, `${openHead} ff ff 0005 02 0002 02 00`),
    value: {
      ...open,
      capabilities: [{ kind: 'route-refresh' }],
      capabilitiesPerParameter: [1],
      extendedLength: true,
    },
  },
  {
    name: 'OPEN with malformed capabilities, which are kept as they came',
    octets: message(1, `${openHead} 0b 02 09 01 03 000100  02 02 ffff`),
    value: {
      ...open,
      capabilities: [
        { kind: 'unknown', code: 1, value: hex('000100') },
        { kind: 'unknown', code: 2, value: hex('ffff') },
      ],
      capabilitiesPerParameter: [2],
    },
  },
  {
    name: 'NOTIFICATION with a shutdown communication',
    octets: message(3, '06 02 02 6869'),
    value: { type: 'notification', code: 6, subcode: 2, data: hex('026869') },
  },
  {
    name: 'NOTIFICATION without data',
    octets: message(3, '04 00'),
    value: { type: 'notification', code: 4, subcode: 0, data: hex('') },
  },
  {
    name: 'ROUTE-REFRESH',
    octets: message(5, '0002 00 01'),
    value: { type: 'route-refresh', afiSafi: ipv6Unicast, subtype: 0 },
  },
  {
    name: 'ROUTE-REFRESH that begins a refresh (RFC 7313)',
    octets: message(5, '0001 01 01'),
    value: { type: 'route-refresh', afiSafi: ipv4Unicast, subtype: 1 },
  },
  {
    name: 'End-of-RIB of IPv4 unicast',
    octets: update('', '', ''),
    value: {
      type: 'update',
      withdrawn: [],
      announced: [],
      attributes: undefined,
      endOfRib: ipv4Unicast,
      faults: [],
    },
  },
  {
    name: 'End-of-RIB of IPv6 unicast',
    octets: update('', '900f0003 0002 01', ''),
    value: {
      type: 'update',
      withdrawn: [],
      announced: [],
      attributes: undefined,
      endOfRib: ipv6Unicast,
      faults: [],
    },
  },
  {
    name: 'UPDATE that withdraws and announces in the classic fields',
    octets: update('18 0a0100 00', `${plainAttributes} ${nextHop}`, '1a 0a020040 20 0a030001'),
    value: {
      type: 'update',
      withdrawn: [nlriRun(ipv4Unicast, [{ prefix: prefix('10.1.0.0/24') }, { prefix: prefix('0.0.0.0/0') }])],
      announced: [
        nlriRun(
          ipv4Unicast,
          [{ prefix: prefix('10.2.0.64/26') }, { prefix: prefix('10.3.0.1/32') }],
          hex('0a000001'),
        ),
      ],
      attributes: hex(`${plainAttributes} ${nextHop}`),
      endOfRib: undefined,
      faults: [],
    },
  },
  {
    name: 'UPDATE that announces IPv6 with a link-local next hop beside the global one',
    octets: update(
      '',
      `800e2e 0002 01 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00
       40 20010db800010002 ${plainAttributes}`,
      '',
    ),
    value: {
      type: 'update',
      withdrawn: [],
      announced: [
        nlriRun(
          ipv6Unicast,
          [{ prefix: prefix('2001:db8:1:2::/64') }],
          hex('20010db8000000000000000000000001 fe800000000000000000000000000001'),
        ),
      ],
      attributes: hex(plainAttributes),
      endOfRib: undefined,
      faults: [],
    },
  },
  {
    name: 'UPDATE that withdraws IPv6',
    octets: update('', '800f08 0002 01 20 20010db8', ''),
    value: {
      type: 'update',
      withdrawn: [nlriRun(ipv6Unicast, [{ prefix: prefix('2001:db8::/32') }])],
      announced: [],
      attributes: undefined,
      endOfRib: undefined,
      faults: [],
    },
  },
  {
    name: 'UPDATE that announces IPv4 over an IPv6 next hop (RFC 8950)',
    octets: update(
      '',
      `800e19 0001 01 10 fe800000000000000000000000000001 00 18 0a0100 ${plainAttributes}`,
      '',
    ),
    context: withExtendedNextHop,
    value: {
      type: 'update',
      withdrawn: [],
      announced: [
        nlriRun(ipv4Unicast, [{ prefix: prefix('10.1.0.0/24') }], hex('fe800000000000000000000000000001')),
      ],
      attributes: hex(plainAttributes),
      endOfRib: undefined,
      faults: [],
    },
  },
  {
    name: 'UPDATE with path identifiers (RFC 7911)',
    octets: update('00000007 18 0a0100', `${plainAttributes} ${nextHop}`, 'ffffffff 18 0a0200'),
    context: withAddPath,
    value: {
      type: 'update',
      withdrawn: [nlriRun(ipv4Unicast, [{ prefix: prefix('10.1.0.0/24'), pathId: 7 }])],
      announced: [
        nlriRun(ipv4Unicast, [{ prefix: prefix('10.2.0.0/24'), pathId: 0xffffffff }], hex('0a000001')),
      ],
      attributes: hex(`${plainAttributes} ${nextHop}`),
      endOfRib: undefined,
      faults: [],
    },
  },
  {
    name: 'UPDATE of an internal peer',
    octets: update('', `400101 02 400200 ${nextHop} 400504 00000064`, '08 0a'),
    context: internal,
    value: {
      type: 'update',
      withdrawn: [],
      announced: [nlriRun(ipv4Unicast, [{ prefix: prefix('10.0.0.0/8') }], hex('0a000001'))],
      attributes: hex(`400101 02 400200 ${nextHop} 400504 00000064`),
      endOfRib: undefined,
      faults: [],
    },
  },
]

/** A block of path attributes as octets and as plain data. */
export interface AttributeCase {
  readonly name: string
  readonly octets: Uint8Array
  readonly value: PathAttributes
  readonly context?: CodecContext
}

const old: CodecContext = { ...plainContext, as4: false }

export const attributeCases: readonly AttributeCase[] = [
  { name: 'nothing', octets: hex(''), value: {} },
  { name: 'ORIGIN', octets: hex('40010101'), value: { origin: 'egp' } },
  { name: 'an empty AS_PATH', octets: hex('400200'), value: { asPath: [] } },
  {
    name: 'AS_PATH of every segment type',
    octets: hex('400220 0401 0000fc01 0302 0000fc02 0000fc03 0201 00010000 0102 00000001 ffffffff'),
    value: {
      asPath: [
        { type: 'confed-set', asns: [64513] },
        { type: 'confed-sequence', asns: [64514, 64515] },
        { type: 'sequence', asns: [65536] },
        { type: 'set', asns: [1, 4294967295] },
      ],
    },
  },
  {
    name: 'AS_PATH of an old speaker',
    octets: hex('400204 0201 fde8'),
    value: { asPath: [{ type: 'sequence', asns: [65000] }] },
    context: old,
  },
  {
    name: 'AS_PATH and AS4_PATH of an old speaker',
    octets: hex('400208 0203 fde8 5ba0 fde9  c0110e 0203 0000fde8 00010000 0000fde9'),
    value: { asPath: [{ type: 'sequence', asns: [65000, 65536, 65001] }] },
    context: old,
  },
  {
    name: 'AGGREGATOR and AS4_AGGREGATOR of an old speaker',
    octets: hex('c00706 5ba0 0a000001  c01208 00010000 0a000001'),
    value: { aggregator: { asn: 65536, routerId: 0x0a000001 } },
    context: old,
  },
  { name: 'NEXT_HOP', octets: hex('400304 c0000201'), value: { nextHop: address('192.0.2.1') } },
  { name: 'MULTI_EXIT_DISC', octets: hex('800404 ffffffff'), value: { multiExitDisc: 4294967295 } },
  { name: 'LOCAL_PREF', octets: hex('400504 00000064'), value: { localPref: 100 } },
  { name: 'ATOMIC_AGGREGATE', octets: hex('400600'), value: { atomicAggregate: true } },
  {
    name: 'AGGREGATOR',
    octets: hex('c00708 00010000 0a000001'),
    value: { aggregator: { asn: 65536, routerId: 0x0a000001 } },
  },
  {
    name: 'COMMUNITIES',
    octets: hex('c00808 fc000001 ffffff01'),
    value: { communities: [0xfc000001, 0xffffff01] },
  },
  {
    name: 'COMMUNITIES with the Partial bit, which stays',
    octets: hex('e00804 fc000001'),
    value: { communities: [0xfc000001], partial: [8] },
  },
  { name: 'ORIGINATOR_ID', octets: hex('800904 0a000001'), value: { originatorId: 0x0a000001 } },
  {
    name: 'CLUSTER_LIST',
    octets: hex('800a08 0a000001 0a000002'),
    value: { clusterList: [0x0a000001, 0x0a000002] },
  },
  {
    name: 'EXTENDED COMMUNITIES',
    octets: hex('c01008 0002fc0000000001'),
    value: { extendedCommunities: [{ high: 0x0002fc00, low: 1 }] },
  },
  {
    name: 'IPV6 EXTENDED COMMUNITIES',
    octets: hex('c01914 0002 20010db8000000000000000000000001 0007'),
    value: { ipv6ExtendedCommunities: [hex('0002 20010db8000000000000000000000001 0007')] },
  },
  {
    name: 'LARGE_COMMUNITY',
    octets: hex('c0200c 00010000 00000002 ffffffff'),
    value: { largeCommunities: [{ global: 65536, local1: 2, local2: 4294967295 }] },
  },
  { name: 'ONLY_TO_CUSTOMER', octets: hex('c02304 00010000'), value: { onlyToCustomer: 65536 } },
  {
    name: 'unknown attributes between and behind known ones',
    octets: hex('40010100 e02102 0102 c02304 00000001 e0fe00'),
    value: {
      origin: 'igp',
      onlyToCustomer: 1,
      opaque: [
        { flags: 0xe0, code: 33, value: hex('0102') },
        { flags: 0xe0, code: 254, value: hex('') },
      ],
    },
  },
  {
    name: 'a value of more than 255 octets',
    octets: hex(`d0080100 ${'fc000001'.repeat(64)}`),
    value: { communities: new Array<number>(64).fill(0xfc000001) },
  },
]
