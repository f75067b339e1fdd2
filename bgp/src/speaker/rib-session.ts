import { type Address, addressToBytes, maskAddress, prefixContains } from '@network/net'
import { type Negotiated } from '../fsm/negotiate.ts'
import { type LocalAddresses, type RibPeer, type RibSession } from '../rib/peer.ts'
import { type OwnAddresses } from './network/host-addresses.ts'
import { type PeerSettings } from './options/settings.ts'
import { type Connection } from './network/sockets.ts'
import { isLinkLocal, plainAddress, zoneOf } from './network/zoned-address.ts'

/** What the RIB is told of a peer by its options. */
export function ribPeer({ name, options, localAsn, role, addPathSend }: PeerSettings): RibPeer {
  const limits = options.prefixLimit
  return {
    name,
    localAsn,
    addPathSend,
    ...(role === undefined ? {} : { role }),
    ...given('import', options.import),
    ...given('export', options.export),
    ...given('routeReflectorClient', options.routeReflectorClient),
    ...given('routeServerClient', options.routeServerClient),
    ...given('nextHop', options.nextHop),
    ...given('allowOwnAsn', options.allowOwnAsn),
    ...given('asOverride', options.asOverride),
    ...given('removePrivateAs', options.removePrivateAs),
    ...given('enforceFirstAs', options.enforceFirstAs),
    ...given('requirePolicy', options.requirePolicy),
    ...given('gracefulShutdown', options.gracefulShutdown),
    ...(limits?.in === undefined ? {} : { maximumIn: families(limits.in) }),
    ...(limits?.out === undefined ? {} : { maximumOut: families(limits.out) }),
  }
}

function given<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V }
}

function families(limit: {
  readonly ipv4?: number
  readonly ipv6?: number
}): Partial<Record<'ipv4' | 'ipv6', number>> {
  return { ...given('ipv4', limit.ipv4), ...given('ipv6', limit.ipv6) }
}

/** What the RIB is told when a session is up: the OPENs' facts and our own addresses on its device. */
export function ribSession(
  negotiated: Negotiated,
  socket: Connection,
  settings: PeerSettings,
  own: OwnAddresses,
): RibSession {
  const peer = plainAddress(socket.remoteAddress)
  const local = plainAddress(socket.localAddress)
  own.refresh(local)
  const device =
    zoneOf(socket.localAddress) ?? settings.device ?? (local === undefined ? undefined : own.deviceOf(local))
  const onDevice = device === undefined ? [] : own.on(device)
  const shared =
    peer === undefined || settings.options.multihop !== undefined
      ? undefined
      : onDevice.find(
          ({ address, length }) =>
            !isLinkLocal(address) && prefixContains({ address: maskAddress(address, length), length }, peer),
        )
  return {
    peerType: negotiated.peerType,
    peerAsn: negotiated.peerAsn,
    peerRouterId: negotiated.peerRouterId,
    families: negotiated.families,
    receive: negotiated.receive,
    send: negotiated.send,
    peerAddress: peer === undefined ? new Uint8Array(4) : addressToBytes(peer),
    local: localAddresses(
      local,
      onDevice.map(({ address }) => address),
      settings,
    ),
    ...(device === undefined ? {} : { interface: device }),
    ...(shared === undefined
      ? {}
      : {
          sharedSubnet: {
            address: addressToBytes(maskAddress(shared.address, shared.length)),
            length: shared.length,
          },
        }),
  }
}

function localAddresses(
  local: Address | undefined,
  onDevice: readonly Address[],
  settings: PeerSettings,
): LocalAddresses {
  const configured = settings.options.localAddresses
  const pick = (fits: (address: Address) => boolean, text?: string): Uint8Array | undefined => {
    const wanted = text === undefined ? undefined : plainAddress(text)
    const found = wanted ?? (local !== undefined && fits(local) ? local : onDevice.find(fits))
    return found === undefined ? undefined : addressToBytes(found)
  }
  const ipv4 = pick((address) => address.family === 'ipv4', configured?.ipv4)
  const ipv6 = pick((address) => address.family === 'ipv6' && !isLinkLocal(address), configured?.ipv6)
  const linkLocal = pick(isLinkLocal)
  return {
    ...given('ipv4', ipv4),
    ...given('ipv6', ipv6),
    // RFC 2545 section 3: only towards a peer on the same link.
    ...(settings.options.multihop === undefined ? given('linkLocal', linkLocal) : {}),
  }
}
