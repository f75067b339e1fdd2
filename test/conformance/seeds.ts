/** Messages to start mutating from: every kind that the encoders make, and the vectors where they are at hand. */
import {
  type Capability,
  administrativeCease,
  capabilityCode,
  encodeAttributes,
  encodeKeepalive,
  encodeNotification,
  encodeOpen,
  encodeRouteRefresh,
  encodeUpdate,
  hardReset,
  ipv4Unicast,
  ipv6Unicast,
  makeOpen,
  nlriRun,
  plainContext,
} from '@network/bgp/codec'
import { readMrt } from '@network/bgp/mrt'
import { address, prefix } from '@network/net'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { fromHex } from './octets.ts'
import { rfc7606Updates } from './rfc7606.ts'

const capabilities: readonly Capability[] = [
  { kind: 'multiprotocol', afiSafi: ipv4Unicast },
  { kind: 'multiprotocol', afiSafi: ipv6Unicast },
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
  { kind: 'as4', asn: 4200000000 },
  { kind: 'add-path', families: [{ afiSafi: ipv6Unicast, mode: 'both' }] },
  { kind: 'enhanced-route-refresh' },
  {
    kind: 'long-lived-graceful-restart',
    families: [{ afiSafi: ipv4Unicast, forwarding: true, staleTimeSeconds: 86400 }],
  },
  { kind: 'fqdn', host: 'node-1', domain: 'example.net' },
  { kind: 'unknown', code: 200, value: Uint8Array.of(1, 2, 3) },
]

/** Messages of the encoders' own making, with every capability and every attribute in one of them. */
export function encoderSeeds(): Uint8Array[] {
  const nextHop = Uint8Array.of(10, 0, 0, 1)
  const ipv6NextHop = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
  const open = { asn: 65001, holdTimeSeconds: 90, routerId: 0x0a000001 }
  const rich = {
    origin: 'igp',
    asPath: [
      { type: 'sequence', asns: [65001, 4200000000] },
      { type: 'set', asns: [1, 2] },
    ],
    nextHop: address('10.0.0.1'),
    multiExitDisc: 10,
    localPref: 100,
    atomicAggregate: true,
    aggregator: { asn: 4200000000, routerId: 1 },
    communities: [0xffff0000, 0xfde80001],
    originatorId: 0x0a000002,
    clusterList: [1, 2],
    extendedCommunities: [{ high: 0x0002fde8, low: 1 }],
    ipv6ExtendedCommunities: [new Uint8Array(20)],
    largeCommunities: [{ global: 1, local1: 2, local2: 3 }],
    onlyToCustomer: 65001,
    opaque: [
      { flags: 0xe0, code: 22, value: Uint8Array.of(0, 6, 0, 0, 0, 10, 0, 0, 1) },
      { flags: 0xe0, code: 23, value: Uint8Array.of(0, 7, 0, 1, 0) },
      { flags: 0xe0, code: 40, value: Uint8Array.of(1, 0, 7, 0, 0, 0, 0, 0, 0, 1) },
      { flags: 0xe0, code: 250, value: new Uint8Array(300) },
    ],
  } as const
  const { nextHop: _, ...withoutNextHop } = rich
  const ipv4Run = nlriRun(
    ipv4Unicast,
    Array.from({ length: 60 }, (_, i) => ({
      prefix: prefix(`10.${String(i)}.0.0/${String(16 + (i % 17))}`),
    })),
    nextHop,
  )
  const ipv6Run = nlriRun(
    ipv6Unicast,
    Array.from({ length: 30 }, (_, i) => ({ prefix: prefix(`2001:db8:${String(i)}::/${String(48 + i)}`) })),
    ipv6NextHop,
  )
  const withPathIds = nlriRun(ipv4Unicast, [{ prefix: prefix('10.0.0.0/8'), pathId: 7 }], nextHop)
  const attributes = encodeAttributes(rich, plainContext)
  const oldAttributes = encodeAttributes(rich, { ...plainContext, as4: false })
  const multiprotocol = encodeAttributes(withoutNextHop, plainContext)
  return [
    encodeOpen(makeOpen({ ...open, capabilities })),
    encodeOpen({
      ...makeOpen({ ...open, capabilities }),
      capabilitiesPerParameter: capabilities.map(() => 1),
      extendedLength: true,
    }),
    ...capabilities.map((capability) =>
      encodeOpen(makeOpen({ ...open, capabilities: [capability], routerId: capabilityCode(capability) })),
    ),
    encodeKeepalive(),
    encodeNotification(administrativeCease(2, 'maintenance at 14:00')),
    encodeNotification(hardReset(administrativeCease(4, 'maintenance at 14:00'))),
    encodeNotification({ code: 3, subcode: 5, data: Uint8Array.of(0xc0, 8, 3, 1, 2, 3) }),
    ...[0, 1, 2].map((subtype) => encodeRouteRefresh({ afiSafi: ipv6Unicast, subtype })),
    encodeUpdate({ endOfRib: ipv4Unicast }, plainContext),
    encodeUpdate({ endOfRib: ipv6Unicast }, plainContext),
    encodeUpdate({ announced: [ipv4Run], attributes }, plainContext),
    encodeUpdate({ announced: [ipv4Run], attributes: oldAttributes }, plainContext),
    encodeUpdate({ announced: [withPathIds], attributes }, plainContext),
    encodeUpdate({ announced: [ipv6Run], attributes: multiprotocol }, plainContext),
    encodeUpdate(
      { announced: [{ ...ipv4Run, nextHop: ipv6NextHop }], attributes: multiprotocol },
      plainContext,
    ),
    encodeUpdate({ withdrawn: [ipv4Run, ipv6Run] }, plainContext),
  ]
}

/** Messages of the vectors in a folder; of a dump, the first two thousand. */
export async function vectorSeeds(folder: string): Promise<Uint8Array[]> {
  const seeds = rfc7606Updates(await readFile(join(folder, 'rfc7606.json'), 'utf8'))
  for (const line of (await readFile(join(folder, 'exabgp.jsonl'), 'utf8')).split('\n'))
    if (line !== '') seeds.push(fromHex((JSON.parse(line) as { raw: string }).raw))
  for (const name of await readdir(join(folder, 'mrt'))) {
    if (name.endsWith('.expect.gz')) continue
    let count = 0
    for (const record of readMrt(gunzipSync(await readFile(join(folder, 'mrt', name))))) {
      if (record.kind !== 'message') continue
      seeds.push(new Uint8Array(record.message))
      if (++count === 2000) break
    }
  }
  return seeds
}
