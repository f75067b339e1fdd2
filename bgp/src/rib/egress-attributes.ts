/**
 * The changes that RFC 4271, 4456 and 9234 and a peer's options ask for in the attributes of a route on its way out.
 * They are written twice: for attributes as an object, which can do everything, and as an edit of the encoded block,
 * for the common case in which nothing else changes. Both say the same, which a property test holds them to.
 */
import { prependAs } from '../codec/as-path.ts'
import { type BlockEdit } from '../codec/block-edit.ts'
import { AttributeCode, Role } from '../codec/iana.ts'
import { type AsPath, type PathAttributes } from '../codec/path-attributes.ts'
import { applyActions } from '../filter/actions.ts'
import { type PolicyActions } from '../filter/policy.ts'
import { defaultLocalPref } from './attribute-keys.ts'
import { type SpeakerIdentity } from './ingress.ts'
import { type RibPeer, type RibSession } from './peer.ts'

/** Where a route comes from and where it goes. */
export interface EgressWay {
  readonly source: 'local' | 'internal' | 'external'
  /** BGP identifier of the peer that it was learned from; 0 for our own. */
  readonly sourceRouterId: number
  readonly peer: RibPeer
  readonly session: RibSession
  readonly identity: SpeakerIdentity
}

/** What is sent of attributes received, NEXT_HOP aside. */
export function egressAttributes(
  received: PathAttributes,
  way: EgressWay,
  actions?: PolicyActions,
): PathAttributes {
  const attributes =
    way.session.peerType === 'internal'
      ? internalAttributes(received, way, actions)
      : externalAttributes(received, way, actions)
  return way.peer.gracefulShutdown === true
    ? applyActions(attributes, { addCommunities: ['graceful-shutdown'] })
    : attributes
}

function internalAttributes(
  received: PathAttributes,
  { source, sourceRouterId, identity }: EgressWay,
  actions: PolicyActions | undefined,
): PathAttributes {
  const chosen = withActions(received, actions)
  const attributes = {
    ...chosen,
    asPath: chosen.asPath ?? [],
    localPref: chosen.localPref ?? defaultLocalPref,
  }
  if (source !== 'internal') return without(attributes, 'originatorId', 'clusterList')
  return {
    ...attributes,
    originatorId: attributes.originatorId ?? sourceRouterId,
    clusterList: [identity.clusterId, ...(attributes.clusterList ?? [])],
  }
}

function externalAttributes(
  received: PathAttributes,
  way: EgressWay,
  actions: PolicyActions | undefined,
): PathAttributes {
  let attributes = withActions(keepsMed(way) ? received : without(received, 'multiExitDisc'), actions)
  attributes = without(attributes, 'localPref', 'originatorId', 'clusterList')
  const communities = attributes.extendedCommunities?.filter(({ high }) => (high & 0x40000000) === 0)
  if (communities !== undefined) attributes = { ...attributes, extendedCommunities: communities }
  attributes = { ...attributes, asPath: externalPath(attributes.asPath ?? [], way) }
  const onlyToCustomer = attributes.onlyToCustomer ?? onlyToCustomerGiven(way)
  return onlyToCustomer === undefined ? attributes : { ...attributes, onlyToCustomer }
}

/** The same as an edit of the block; undefined if it takes more than that. */
export function egressEdit(way: EgressWay): BlockEdit | undefined {
  const { peer, session, identity, source, sourceRouterId } = way
  if (!session.send.as4 || peer.gracefulShutdown === true) return undefined
  if (session.peerType === 'internal') {
    const reflected = source === 'internal'
    return {
      drop: reflected ? 0 : reflectionCodes,
      prepend: undefined,
      localPref: defaultLocalPref,
      originatorId: reflected ? sourceRouterId : undefined,
      clusterId: reflected ? identity.clusterId : undefined,
      onlyToCustomer: undefined,
      leavesAs: false,
    }
  }
  if (peer.asOverride === true || peer.removePrivateAs !== undefined || peer.localAsnKeepsOwn === true)
    return undefined
  return {
    drop: reflectionCodes | localPrefCode | (keepsMed(way) ? 0 : medCode),
    prepend: peer.routeServerClient === true ? undefined : (peer.localAsn ?? identity.asn),
    localPref: undefined,
    originatorId: undefined,
    clusterId: undefined,
    onlyToCustomer: onlyToCustomerGiven(way),
    leavesAs: true,
  }
}

const reflectionCodes = (1 << AttributeCode.originatorId) | (1 << AttributeCode.clusterList)
const localPrefCode = 1 << AttributeCode.localPref
const medCode = 1 << AttributeCode.multiExitDisc

/** RFC 4271 section 5.1.4: another AS's MED goes no further than the AS that was told it. */
function keepsMed({ peer, source }: EgressWay): boolean {
  return peer.routeServerClient === true || source === 'local'
}

/** RFC 9234 section 5, egress rule 1. */
function onlyToCustomerGiven({ peer, identity }: EgressWay): number | undefined {
  const { role } = peer
  const downwards = role === Role.provider || role === Role.peer || role === Role.routeServer
  return downwards ? (peer.localAsn ?? identity.asn) : undefined
}

function externalPath(received: AsPath, { peer, session, identity }: EgressWay): AsPath {
  const { asn } = identity
  const { localAsn, localAsnKeepsOwn, asOverride, removePrivateAs } = peer
  const own = localAsn ?? asn
  // RFC 5065 section 4.1: segments of a confederation don't leave it.
  let path = received.filter(({ type }) => type === 'sequence' || type === 'set')
  if (asOverride === true) path = replaceAs(path, (other) => other === session.peerAsn, own)
  if (removePrivateAs === 'replace') path = replaceAs(path, isPrivateAs, own)
  if (removePrivateAs === 'remove') path = removeAs(path, isPrivateAs)
  if (peer.routeServerClient === true) return path
  if (localAsn !== undefined && localAsnKeepsOwn === true) path = [...prependAs(path, asn)]
  return prependAs(path, own)
}

function withActions(attributes: PathAttributes, actions: PolicyActions | undefined): PathAttributes {
  return actions === undefined ? attributes : applyActions(attributes, actions)
}

function without(attributes: PathAttributes, ...names: readonly (keyof PathAttributes)[]): PathAttributes {
  if (!names.some((name) => attributes[name] !== undefined)) return attributes
  return Object.fromEntries(
    Object.entries(attributes).filter(([name]) => !names.some((other) => other === name)),
  )
}

function replaceAs(path: AsPath, which: (asn: number) => boolean, by: number): AsPath[number][] {
  return path.map(({ type, asns }) => ({ type, asns: asns.map((asn) => (which(asn) ? by : asn)) }))
}

function removeAs(path: AsPath, which: (asn: number) => boolean): AsPath[number][] {
  return path
    .map(({ type, asns }) => ({ type, asns: asns.filter((asn) => !which(asn)) }))
    .filter(({ asns }) => asns.length > 0)
}

/** RFC 6996: 64512 to 65534 and 4200000000 to 4294967294. */
function isPrivateAs(asn: number): boolean {
  return (asn >= 64512 && asn <= 65534) || (asn >= 4200000000 && asn <= 4294967294)
}
