import { type AfiSafi } from '../codec/iana.ts'
import { hexadecimal } from '../codec/hexadecimal.ts'
import { type AnyPolicy } from '../filter/policy.ts'
import { type RibPeer, type RibSession } from './peer.ts'

const functionIds = new WeakMap<object, number>()
let nextFunctionId = 1

/** Policies that are data are the same if they say the same; functions if they are the very same. */
function policyKey(policy: AnyPolicy | undefined): string {
  if (policy === undefined) return ''
  if (typeof policy !== 'function') return JSON.stringify(policy)
  let id = functionIds.get(policy)
  if (id === undefined) functionIds.set(policy, (id = nextFunctionId++))
  return `function ${id}`
}

const hex = (bytes: Uint8Array | undefined): string => (bytes === undefined ? '' : hexadecimal(bytes))

/** Peers with the same key can share an Adj-RIB-Out: everything that egress.ts or the encoding look at is in it. */
export function groupKey(
  afiSafi: AfiSafi,
  family: 'ipv4' | 'ipv6',
  peer: RibPeer,
  session: RibSession,
): string {
  const { send, local, sharedSubnet, peerType } = session
  const external = peerType === 'external'
  return JSON.stringify([
    afiSafi,
    peerType,
    peer.routeReflectorClient === true,
    peer.routeServerClient === true,
    peer.nextHop ?? 'auto',
    peer.localAsn,
    peer.localAsnKeepsOwn === true,
    peer.asOverride === true ? session.peerAsn : 0,
    peer.removePrivateAs,
    peer.role,
    peer.requirePolicy === true,
    peer.gracefulShutdown === true,
    addPathLimit(afiSafi, peer, session),
    send.extendedMessage,
    send.as4,
    send.extendedNextHop.has(afiSafi),
    hex(local.ipv4),
    hex(local.ipv6),
    hex(local.linkLocal),
    external && sharedSubnet
      ? `${hex(sharedSubnet.address)}/${sharedSubnet.length}`
      : sharedSubnet !== undefined,
    external ? session.interface : '',
    peer.maximumOut?.[family],
    policyKey(peer.export),
  ])
}

/** Most paths per prefix to send to the peer; 0 if it takes no path identifiers. */
export function addPathLimit(afiSafi: AfiSafi, peer: RibPeer, session: RibSession): number {
  if (!session.send.addPath.has(afiSafi)) return 0
  return Math.max(1, Math.min(peer.addPathSend ?? 0xffff, 0xffff))
}
