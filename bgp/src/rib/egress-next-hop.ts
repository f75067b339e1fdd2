/**
 * NEXT_HOP of what we send. RFC 4271 section 5.1.3: to an internal peer the next hop of a learned route stays; to an
 * external one it is our own address, except on a subnet that we share with both (a third-party next hop). RFC 2545
 * adds the link-local address on the same link, RFC 8950 IPv6 next hops of IPv4 prefixes. A next hop that the peer
 * can't use, because it is link-local to another link or of a family it doesn't understand, becomes our own.
 */
import { type LocalAddresses, type RibPeer, type RibSession } from './peer.ts'
import { ipv4Unicast, type AfiSafi } from '../codec/iana.ts'

export interface NextHopQuestion {
  readonly afiSafi: AfiSafi
  /** Of the route: 0 (our own), 4, 16 or 32 octets. */
  readonly nextHop: Uint8Array
  /** Of the export policy. */
  readonly wanted: Uint8Array | 'self' | undefined
  readonly source: 'local' | 'internal' | 'external'
  /** The route's peer is on the link of sharedSubnet. */
  readonly sourceShared: boolean
  readonly peer: RibPeer
  readonly session: RibSession
}

/** The next hop to send, or undefined if there is none that the peer can use. */
export function egressNextHop(question: NextHopQuestion): Uint8Array | undefined {
  const { wanted, nextHop, afiSafi, session } = question
  if (wanted instanceof Uint8Array) return usable(wanted, afiSafi, session) ? wanted : undefined
  if (wanted !== 'self' && nextHop.length > 0 && keeps(question)) {
    const kept = forPeer(nextHop, question)
    if (kept !== undefined && usable(kept, afiSafi, session)) return kept
  }
  return ownNextHop(session.local, afiSafi, session)
}

/** Whether the route's next hop stays by the rules. */
function keeps({ peer, session, source, nextHop, sourceShared }: NextHopQuestion): boolean {
  const mode = peer.nextHop ?? 'auto'
  if (mode === 'unchanged' || peer.routeServerClient === true) return true
  if (session.peerType === 'internal') return mode === 'auto' || source === 'internal'
  if (mode === 'self' || session.sharedSubnet === undefined) return false
  return (sourceShared || source === 'local') && inSubnet(nextHop, session.sharedSubnet)
}

/** A link-local address goes no further than its link. */
function forPeer(nextHop: Uint8Array, { session, sourceShared }: NextHopQuestion): Uint8Array | undefined {
  if (nextHop.length === 4) return nextHop
  const onLink = session.peerType === 'external' && sourceShared
  if (onLink) return nextHop
  const global = nextHop.subarray(0, 16)
  return isLinkLocal(global) ? undefined : global
}

function usable(nextHop: Uint8Array, afiSafi: AfiSafi, { send }: RibSession): boolean {
  if (afiSafi !== ipv4Unicast) return nextHop.length !== 4
  return nextHop.length === 4 || send.extendedNextHop.has(ipv4Unicast)
}

function ownNextHop(local: LocalAddresses, afiSafi: AfiSafi, session: RibSession): Uint8Array | undefined {
  if (afiSafi === ipv4Unicast) {
    if (local.ipv4 !== undefined) return local.ipv4
    if (!session.send.extendedNextHop.has(ipv4Unicast)) return undefined
  }
  const { ipv6, linkLocal } = local
  if (ipv6 === undefined) return linkLocal
  const onLink = session.peerType === 'external' || session.sharedSubnet !== undefined
  if (linkLocal === undefined || !onLink) return ipv6
  const both = new Uint8Array(32)
  both.set(ipv6)
  both.set(linkLocal, 16)
  return both
}

export function isLinkLocal(address: Uint8Array): boolean {
  return address.length === 16 && address[0] === 0xfe && ((address[1] as number) & 0xc0) === 0x80
}

export function inSubnet(address: Uint8Array, subnet: { address: Uint8Array; length: number }): boolean {
  const octets = subnet.address.length
  if ((octets === 4) !== (address.length === 4)) return false
  for (let bit = 0; bit < subnet.length; bit += 8) {
    const mask = subnet.length - bit >= 8 ? 0xff : (0xff << (8 - (subnet.length - bit))) & 0xff
    const at = bit >>> 3
    if (((address[at] as number) & mask) !== ((subnet.address[at] as number) & mask)) return false
  }
  return true
}
