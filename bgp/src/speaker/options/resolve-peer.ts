/*
 * From what people write of a peer to what runs: every default filled in, every text read, and everything that makes
 * no sense refused with the place, the value and the remedy.
 */
import { formatAddress } from '@network/net'
import { Role as RoleCode, ipv4Unicast, ipv6Unicast } from '../../codec/iana.ts'
import { policyFaults } from '../../filter/check.ts'
import { type AnyPolicy } from '../../filter/policy.ts'
import { SpeakerError } from '../error.ts'
import { asNumber, number, readPrefix, refuse, zonedAddress } from './option-values.ts'
import { type PeerOptions, type Role } from './options.ts'
import { type LocalSettings, type PeerSettings } from './settings.ts'
import { isLinkLocal, zoneOf } from '../network/zoned-address.ts'

/** Reads one peer's options. Throws a SpeakerError that names the peer, the option and the remedy. */
export function resolvePeer(options: PeerOptions, local: LocalSettings): PeerSettings {
  const { address, range } = options
  const unnumbered = address === undefined && range === undefined
  if (unnumbered && options.interface === undefined) {
    refuse(
      `Peer ${options.name ?? '(unnamed)'} has neither address nor range.`,
      'Give one of them, or interface alone for whoever is on that link.',
    )
  }
  if (address !== undefined && range !== undefined) {
    refuse(
      `Peer ${options.name ?? '(unnamed)'} has both address and range.`,
      'Give exactly one of address and range.',
    )
  }
  const name = options.name ?? address ?? range ?? options.interface ?? ''
  if (name === '') refuse('A peer has an empty name.', 'Leave the name out, or give it a text.')
  const at = (option: string): string => `${option} of peer ${name}`

  const own = local.listen.find((listen) => listen.address === address)
  if (own !== undefined && (options.port ?? 179) === own.port) {
    throw new SpeakerError('own-address', `Peer ${name} is this speaker itself: it listens on ${own.text}.`, {
      remedy: 'Leave the own address out of the peers.',
    })
  }
  const peerAddress = address === undefined ? undefined : zonedAddress(at('address'), address)
  const peerRange = range === undefined ? undefined : readPrefix(at('range'), range)
  if (typeof options.asn === 'number') asNumber(at('asn'), options.asn)
  else if (!['external', 'internal'].includes(options.asn)) {
    refuse(`The asn of peer ${name} is '${options.asn}'.`, "Give a number, 'external' or 'internal'.")
  }
  if (options.localAsn !== undefined) asNumber(at('localAsn'), options.localAsn)
  const localAsn = options.localAsn ?? local.asn
  const internal = options.asn === 'internal' || options.asn === localAsn
  if (options.routeReflectorClient === true && !internal) {
    refuse(
      `Peer ${name} is to be a route reflector client, but its AS is not ours (${localAsn}).`,
      'Only internal peers are clients: correct asn, or leave routeReflectorClient out.',
    )
  }
  if (options.routeServerClient === true && internal) {
    refuse(
      `Peer ${name} is to be a route server client, but is of our own AS.`,
      'Only external peers are: correct asn, or leave routeServerClient out.',
    )
  }
  if (options.passive === false && range !== undefined) {
    refuse(`Peer range ${name} cannot be dialled.`, 'Leave passive out.')
  }
  if (options.multihop !== undefined && options.ttlSecurityHops !== undefined) {
    refuse(`Peer ${name} has both multihop and ttlSecurityHops.`, 'Give ttlSecurityHops the number of hops.')
  }
  const families = [...new Set(options.families ?? (['ipv4', 'ipv6'] as const))]
  if (families.length === 0) refuse(`Peer ${name} has no families.`, "Name 'ipv4', 'ipv6' or both.")
  for (const family of families) {
    if ((family as string) !== 'ipv4' && (family as string) !== 'ipv6') {
      refuse(`Peer ${name} names family '${family}'.`, "There are 'ipv4' and 'ipv6'.")
    }
  }
  if (options.password !== undefined) {
    const length = new TextEncoder().encode(options.password).length
    if (length < 1 || length > 80) {
      refuse(`The password of peer ${name} is ${length} bytes long.`, 'A TCP MD5 key has 1 to 80 bytes.')
    }
  }
  const { sourceAddress } = options
  if (sourceAddress !== undefined) {
    const source = zonedAddress(at('sourceAddress'), sourceAddress)
    const wanted = peerAddress?.family ?? peerRange?.address.family
    if (wanted !== undefined && source.family !== wanted) {
      refuse(
        `Peer ${name} is ${wanted}, its sourceAddress ${sourceAddress} is not.`,
        `Give an ${wanted} address.`,
      )
    }
    if (sourceAddress === address) refuse(`Peer ${name} has itself as sourceAddress.`, 'Give an own address.')
  }
  const device = options.interface ?? zoneOf(address)
  if (device !== undefined && !/^[^\s/%]{1,15}$/.test(device)) {
    refuse(`The interface of peer ${name}, '${device}', is not a device name.`, 'Give 1 to 15 characters.')
  }
  if (peerAddress !== undefined && isLinkLocal(peerAddress) && device === undefined) {
    refuse(
      `Peer ${name} has a link-local address without an interface.`,
      `Write ${address ?? ''}%DEVICE, or give interface.`,
    )
  }
  checkPolicy(at('import'), options.import)
  checkPolicy(at('export'), options.export)
  const timers = options.timers ?? {}
  const holdTimeSeconds = number(at('holdTimeSeconds'), timers.holdTimeSeconds ?? 90, 0, 65535)
  if (holdTimeSeconds === 1 || holdTimeSeconds === 2 || !Number.isInteger(holdTimeSeconds)) {
    refuse(
      `The holdTimeSeconds of peer ${name} is ${holdTimeSeconds}.`,
      'Give 0 or a whole number from 3 on.',
    )
  }
  const idleHoldSeconds = number(at('idleHoldSeconds'), timers.idleHoldSeconds ?? 1, 0.01, 3600)
  const restart = options.gracefulRestart ?? {}
  const ipv6Session = unnumbered || (peerAddress ?? peerRange?.address)?.family === 'ipv6'
  return {
    name,
    address:
      peerAddress === undefined
        ? undefined
        : formatAddress(peerAddress) + (isLinkLocal(peerAddress) && device !== undefined ? `%${device}` : ''),
    range: peerRange,
    device: options.interface,
    unnumbered,
    port: number(at('port'), options.port ?? 179, 1, 65535),
    peerAsn: options.asn === localAsn ? 'internal' : options.asn,
    localAsn,
    passive: options.passive ?? range !== undefined,
    families: families.map((family) => (family === 'ipv4' ? ipv4Unicast : ipv6Unicast)),
    routeReflectorClient: options.routeReflectorClient ?? false,
    routeServerClient: options.routeServerClient ?? false,
    password: options.password,
    sourceAddress,
    ...ttlSettings(options, internal, at),
    holdTimeSeconds,
    keepaliveSeconds:
      timers.keepaliveSeconds === undefined
        ? undefined
        : number(at('keepaliveSeconds'), timers.keepaliveSeconds, 1, 21845),
    connectRetrySeconds: number(at('connectRetrySeconds'), timers.connectRetrySeconds ?? 5, 0.05, 3600),
    delayOpenSeconds: number(at('delayOpenSeconds'), timers.delayOpenSeconds ?? 0, 0, 3600),
    idleHoldSeconds,
    idleHoldMaximumSeconds: Math.max(
      idleHoldSeconds,
      number(at('idleHoldMaximumSeconds'), timers.idleHoldMaximumSeconds ?? 60, 0.01, 86400),
    ),
    sendHoldSeconds:
      timers.sendHoldSeconds === undefined
        ? undefined
        : number(at('sendHoldSeconds'), timers.sendHoldSeconds, 0, 86400),
    gracefulRestart:
      restart === false
        ? undefined
        : {
            restartTimeSeconds: number(at('restartTimeSeconds'), restart.restartTimeSeconds ?? 120, 0, 4095),
            helper: restart.helper ?? true,
            notification: restart.notification ?? true,
          },
    addPathReceive: options.addPath?.receive ?? false,
    addPathSend: number(at('addPath.send'), options.addPath?.send ?? 1, 1, 255),
    extendedMessage: options.extendedMessage ?? true,
    extendedNextHop: options.extendedNextHop ?? ipv6Session,
    role: options.role === undefined ? undefined : roleCodes[options.role],
    roleStrict: options.roleStrict ?? false,
    shutdown:
      options.shutdown === undefined || options.shutdown === false
        ? undefined
        : options.shutdown === true
          ? ''
          : options.shutdown,
    options,
  }
}

/** The RIB compiles policies too, but there a mistake would be found in the middle of a change. */
function checkPolicy(what: string, policy: AnyPolicy | undefined): void {
  if (policy === undefined || typeof policy === 'function') return
  const [fault] = policyFaults(policy)
  if (fault !== undefined) refuse(`${what}, rule ${fault.rule + 1}: ${fault.text}`, 'Correct the policy.')
}

/** RFC 5082 wants 255 sent; without it an external peer gets a TTL of 1 so that nobody beyond the link is reached. */
function ttlSettings(
  options: PeerOptions,
  internal: boolean,
  at: (option: string) => string,
): { ttl: number | undefined; minimumTtl: number | undefined } {
  if (options.ttlSecurityHops !== undefined) {
    const hops = number(at('ttlSecurityHops'), options.ttlSecurityHops, 1, 254)
    return { ttl: 255, minimumTtl: 256 - hops }
  }
  if (options.multihop !== undefined) {
    return { ttl: number(at('multihop'), options.multihop, 1, 255), minimumTtl: undefined }
  }
  return { ttl: internal || options.asn === 'internal' ? undefined : 1, minimumTtl: undefined }
}

const roleCodes: Readonly<Record<Role, RoleCode>> = {
  provider: RoleCode.provider,
  'route-server': RoleCode.routeServer,
  'route-server-client': RoleCode.routeServerClient,
  customer: RoleCode.customer,
  peer: RoleCode.peer,
}
