/** The numbers that IANA assigns to BGP-4, under the names of their registries. */

/** Address family and subsequent address family as one integer: `afi << 8 | safi`. */
export type AfiSafi = number

/** Address family numbers. */
export const Afi = { ipv4: 1, ipv6: 2, l2vpn: 25, linkState: 16388 } as const

/** Subsequent address family identifiers (RFC 4760 section 6). */
export const Safi = { unicast: 1, multicast: 2, labelled: 4, evpn: 70, vpn: 128, flowSpec: 133 } as const

export const ipv4Unicast: AfiSafi = (Afi.ipv4 << 8) | Safi.unicast
export const ipv6Unicast: AfiSafi = (Afi.ipv6 << 8) | Safi.unicast

export function afiSafi(afi: number, safi: number): AfiSafi {
  return (afi << 8) | safi
}

export function afiOf(family: AfiSafi): number {
  return family >>> 8
}

export function safiOf(family: AfiSafi): number {
  return family & 0xff
}

/** `ipv4/unicast`; numbers where there is no name. */
export function formatAfiSafi(family: AfiSafi): string {
  const name = (table: Readonly<Record<string, number>>, value: number): string =>
    Object.entries(table).find(([, code]) => code === value)?.[0] ?? String(value)
  return `${name(Afi, afiOf(family))}/${name(Safi, safiOf(family))}`
}

/** BGP message types. */
export const MessageType = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 } as const

/** BGP path attribute type codes. */
export const AttributeCode = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  multiExitDisc: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReachNlri: 14,
  mpUnreachNlri: 15,
  extendedCommunities: 16,
  as4Path: 17,
  as4Aggregator: 18,
  pmsiTunnel: 22,
  tunnelEncapsulation: 23,
  ipv6ExtendedCommunities: 25,
  aigp: 26,
  linkState: 29,
  largeCommunities: 32,
  onlyToCustomer: 35,
  prefixSid: 40,
  attrSet: 128,
} as const

/** Path attribute flags (RFC 4271 section 4.3). */
export const AttributeFlag = {
  optional: 0x80,
  transitive: 0x40,
  partial: 0x20,
  extendedLength: 0x10,
} as const

/** OPEN optional parameter types: RFC 5492, RFC 9072. */
export const OptionalParameterType = { capabilities: 2, extendedLength: 255 } as const

/** Capability codes. */
export const CapabilityCode = {
  multiprotocol: 1,
  routeRefresh: 2,
  extendedNextHop: 5,
  extendedMessage: 6,
  role: 9,
  gracefulRestart: 64,
  as4: 65,
  addPath: 69,
  enhancedRouteRefresh: 70,
  longLivedGracefulRestart: 71,
  fqdn: 73,
} as const

/** NOTIFICATION error codes. */
export const ErrorCode = {
  messageHeader: 1,
  open: 2,
  update: 3,
  holdTimerExpired: 4,
  finiteStateMachine: 5,
  cease: 6,
  routeRefresh: 7,
  sendHoldTimerExpired: 8,
} as const

/** Subcodes of message header errors (RFC 4271 section 6.1). */
export const HeaderSubcode = { notSynchronized: 1, badLength: 2, badType: 3 } as const

/** Subcodes of OPEN errors (RFC 4271 section 6.2, RFC 5492, RFC 9234). */
export const OpenSubcode = {
  unspecific: 0,
  unsupportedVersion: 1,
  badPeerAs: 2,
  badBgpIdentifier: 3,
  unsupportedOptionalParameter: 4,
  unacceptableHoldTime: 6,
  unsupportedCapability: 7,
  roleMismatch: 11,
} as const

/** Subcodes of UPDATE errors (RFC 4271 section 6.3). */
export const UpdateSubcode = {
  malformedAttributeList: 1,
  unrecognizedWellKnown: 2,
  missingWellKnown: 3,
  attributeFlags: 4,
  attributeLength: 5,
  invalidOrigin: 6,
  invalidNextHop: 8,
  optionalAttribute: 9,
  invalidNetworkField: 10,
  malformedAsPath: 11,
} as const

/** Subcodes of finite state machine errors (RFC 6608). */
export const FsmSubcode = { unspecific: 0, inOpenSent: 1, inOpenConfirm: 2, inEstablished: 3 } as const

/** Subcodes of Cease (RFC 4486, RFC 8538, RFC 9384). */
export const CeaseSubcode = {
  maximumPrefixes: 1,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  administrativeReset: 4,
  connectionRejected: 5,
  otherConfigurationChange: 6,
  connectionCollision: 7,
  outOfResources: 8,
  hardReset: 9,
  bfdDown: 10,
} as const

/** Subcodes of ROUTE-REFRESH errors (RFC 7313 section 5). */
export const RouteRefreshSubcode = { invalidMessageLength: 1 } as const

/** Message subtypes of ROUTE-REFRESH (RFC 7313 section 3.2). */
export const RefreshSubtype = { request: 0, begin: 1, end: 2 } as const

/** AS_TRANS, which stands in two octets for a number that needs four (RFC 6793). */
export const asTrans = 23456

/** Well-known communities (RFC 1997, 7611, 8326, 7999, 9494). */
export const Community = {
  gracefulShutdown: 0xffff0000,
  acceptOwn: 0xffff0001,
  llgrStale: 0xffff0006,
  noLlgr: 0xffff0007,
  blackhole: 0xffff029a,
  noExport: 0xffffff01,
  noAdvertise: 0xffffff02,
  noExportSubconfed: 0xffffff03,
  noPeer: 0xffffff04,
} as const

/** Values of the role capability (RFC 9234 section 4.1). */
export const Role = { provider: 0, routeServer: 1, routeServerClient: 2, customer: 3, peer: 4 } as const
export type Role = (typeof Role)[keyof typeof Role]
