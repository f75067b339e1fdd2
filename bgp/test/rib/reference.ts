/**
 * What a RIB is to know, by a map of paths and functions that say anew what every peer must have heard: nothing of columns,
 * logs or groups. With it the peers, prefixes and attributes that it is asked about, made to tie and to differ.
 */
import { prefix as parse } from '@network/net'
import { ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { type PathAttributes } from '../../src/codec/path-attributes.ts'
import { type RibPeer } from '../../src/rib/peer.ts'
import { type HeardRoute, type SessionShape, ownAsn } from './far-end.ts'

export const ownRouterId = 0x0afe0001
const ownNextHop = { ipv4: '192.0.2.254', ipv6: '2001:db8::fe' }

interface Cast {
  readonly shape: SessionShape
  readonly peer: Partial<RibPeer>
}

export const cast: readonly Cast[] = [
  { shape: { address: '10.0.0.1', routerId: '10.255.0.1' }, peer: { routeReflectorClient: true } },
  { shape: { address: '10.0.0.2', routerId: '10.255.0.2' }, peer: { routeReflectorClient: true } },
  { shape: { address: '10.0.0.3', routerId: '10.255.0.3' }, peer: { routeReflectorClient: true } },
  { shape: { address: '10.0.0.4', routerId: '10.255.0.4' }, peer: {} },
  { shape: { address: '10.0.0.5', routerId: '10.255.0.5' }, peer: {} },
  { shape: { address: '10.1.0.1', routerId: '10.255.1.1', asn: 65001 }, peer: {} },
  { shape: { address: '10.1.0.2', routerId: '10.255.1.2', asn: 65002 }, peer: {} },
  { shape: { address: '10.1.0.3', routerId: '10.255.1.3', asn: 65002 }, peer: {} },
  {
    shape: { address: '10.2.0.1', routerId: '10.255.2.1', addPath: [ipv4Unicast, ipv6Unicast] },
    peer: { routeReflectorClient: true },
  },
  {
    shape: { address: '10.2.0.2', routerId: '10.255.2.2', asn: 65003, addPath: [ipv4Unicast, ipv6Unicast] },
    peer: { addPathSend: 2 },
  },
]

export const prefixes = [
  '10.0.0.0/8',
  '10.9.0.0/16',
  '10.9.1.0/24',
  '192.168.0.0/26',
  '192.168.0.64/26',
  '0.0.0.0/0',
  '2001:db8:1::/48',
  '2001:db8:1:2::/64',
  '::/0',
]

/** Attributes to choose from, made to tie and to differ at each step. */
export const variants: readonly PathAttributes[] = [
  {},
  { localPref: 200 },
  { origin: 'incomplete' },
  { multiExitDisc: 10 },
  { multiExitDisc: 20 },
  { communities: [0xfc000001] },
  { communities: [0xffffff01] },
  { communities: [0xffffff02] },
]

interface Path {
  readonly peer: number
  readonly pathId: number
  readonly nextHop: string
  readonly attributes: PathAttributes
  stale: boolean
}

/** The peer that own routes are of. */
export const local = -1

/** What the RIB is to know, in the simplest words. */
export class Reference {
  readonly paths = new Map<string, Path[]>()
  /** Peers that are told nothing of 10.0.0.0/8, and peers that are believed nothing of it. */
  readonly denied = new Set<number>()
  readonly disbelieved = new Set<number>()

  accepted(prefix: string): Path[] {
    const paths = this.paths.get(prefix) ?? []
    return prefix.startsWith('10.') ? paths.filter(({ peer }) => !this.disbelieved.has(peer)) : paths
  }

  announce(prefix: string, path: Path): void {
    this.withdraw(prefix, path.peer, path.pathId)
    this.paths.set(prefix, [...(this.paths.get(prefix) ?? []), path])
  }

  withdraw(prefix: string, peer: number, pathId: number): void {
    const rest = (this.paths.get(prefix) ?? []).filter((path) => path.peer !== peer || path.pathId !== pathId)
    this.paths.set(prefix, rest)
  }

  drop(peer: number, which: (path: Path) => boolean): void {
    for (const [prefix, paths] of this.paths)
      this.paths.set(
        prefix,
        paths.filter((path) => path.peer !== peer || !which(path)),
      )
  }

  markStale(peer: number): void {
    for (const paths of this.paths.values())
      for (const path of paths) if (path.peer === peer) path.stale = true
  }

  /** RFC 4271 section 9.1.2.2, by elimination as the RFC tells it. */
  best(paths: readonly Path[]): Path | undefined {
    let left = [...paths]
    const keepLeast = (value: (path: Path) => number): void => {
      const least = Math.min(...left.map(value))
      left = left.filter((path) => value(path) === least)
    }
    if (left.length === 0) return undefined
    keepLeast(({ peer }) => (peer === local ? 0 : 1))
    keepLeast(({ attributes }) => -(attributes.localPref ?? 100))
    keepLeast(pathLength)
    keepLeast(({ attributes }) => ['igp', 'egp', 'incomplete'].indexOf(attributes.origin ?? 'igp'))
    const neighbour = (path: Path): number => firstOf(path)
    const med = ({ attributes }: Path): number => attributes.multiExitDisc ?? 0
    left = left.filter(
      (path) => !left.some((other) => neighbour(other) === neighbour(path) && med(other) < med(path)),
    )
    keepLeast(({ peer }) => (isExternal(peer) ? 0 : 1))
    keepLeast(({ peer, attributes }) => attributes.originatorId ?? idOf(peer))
    keepLeast(({ attributes }) => attributes.clusterList?.length ?? 0)
    keepLeast(({ peer }) => peer)
    keepLeast(({ pathId }) => pathId)
    return left[0]
  }

  ranked(prefix: string, limit: number): Path[] {
    let left = this.accepted(prefix)
    const ranked: Path[] = []
    while (ranked.length < limit) {
      const best = this.best(left)
      if (best === undefined) break
      ranked.push(best)
      left = left.filter((path) => path !== best)
    }
    return ranked
  }

  /** What a peer must have heard; path identifiers are the RIB's own, so of those only the routes are compared. */
  view(peer: number): string[] {
    const limit = (cast[peer]?.shape.addPath?.length ?? 0) > 0 ? (cast[peer]?.peer.addPathSend ?? 99) : 1
    const heard: string[] = []
    for (const prefix of this.paths.keys())
      for (const path of this.ranked(prefix, limit)) {
        const route = this.exported(prefix, path, peer)
        if (route !== undefined) heard.push(`${prefix} ${JSON.stringify(route)}`)
      }
    return heard.sort()
  }

  exported(prefix: string, path: Path, to: number): HeardRoute | undefined {
    const { attributes } = path
    const communities = attributes.communities ?? []
    if (path.peer === to || communities.includes(0xffffff02)) return undefined
    if (this.denied.has(to) && prefix.startsWith('10.')) return undefined
    const shared = {
      origin: attributes.origin ?? 'igp',
      ...(attributes.communities === undefined ? {} : { communities: attributes.communities }),
    }
    const own = prefix.includes(':') ? ownNextHop.ipv6 : ownNextHop.ipv4
    if (isExternal(to)) {
      if (communities.includes(0xffffff01)) return undefined
      const asns = [ownAsn, ...(attributes.asPath ?? []).flatMap((segment) => segment.asns)]
      const keepsMed = path.peer === local && attributes.multiExitDisc !== undefined
      return ordered(own, {
        ...shared,
        asPath: [{ type: 'sequence', asns }],
        ...(keepsMed ? { multiExitDisc: attributes.multiExitDisc } : {}),
      })
    }
    const learnedInside = path.peer !== local && !isExternal(path.peer)
    if (learnedInside && !isClient(path.peer) && !isClient(to)) return undefined
    return ordered(path.peer === local ? own : path.nextHop, {
      ...shared,
      asPath: attributes.asPath ?? [],
      localPref: attributes.localPref ?? 100,
      ...(attributes.multiExitDisc === undefined ? {} : { multiExitDisc: attributes.multiExitDisc }),
      ...(learnedInside ? { originatorId: idOf(path.peer), clusterList: [ownRouterId] } : {}),
    })
  }
}

/** Attributes in the order of their names, so that texts can be compared. */
export function ordered(nextHop: string, attributes: PathAttributes): HeardRoute {
  return {
    nextHop,
    attributes: Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}

const isExternal = (peer: number): boolean => (cast[peer]?.shape.asn ?? ownAsn) !== ownAsn
const isClient = (peer: number): boolean => cast[peer]?.peer.routeReflectorClient === true
const idOf = (peer: number): number =>
  peer === local ? ownRouterId : parse(`${cast[peer]?.shape.routerId ?? ''}/32`).address.w0
const pathLength = ({ attributes }: Path): number =>
  (attributes.asPath ?? []).reduce((sum, { asns }) => sum + asns.length, 0)
const firstOf = ({ attributes }: Path): number => attributes.asPath?.[0]?.asns[0] ?? 0
