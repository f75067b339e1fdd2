/*
 * What can't be said of one field alone: peers against each other, against the speaker itself and its filters. Each rule
 * reports the field at fault; the speaker refuses the same once more, but knows no lines.
 */
import { type Policy, policyFaults } from '@network/bgp/filter'
import { type Prefix, parsePrefix, prefixesOverlap } from '@network/net'
import type { PeerConfiguration, ReflectorConfiguration } from './configuration.ts'

type Segments = readonly (string | number)[]
/** Notes a fault: where, the value there, what is expected, and why this is not it. */
export type Report = (segments: Segments, value: unknown, expected: string, reason?: string) => void

/** RFC 7607, RFC 4893: 0 is no AS, 23456 is AS_TRANS; the last one is reserved. */
const reservedAsNumbers: readonly unknown[] = [23456, 4294967295]

export function checkConfiguration(configuration: ReflectorConfiguration, report: Report): void {
  const { asNumber, clusterID, peers, filters } = configuration
  checkAsNumber(asNumber, ['asNumber'], report)
  if (configuration.routerID === '0.0.0.0') report(['routerID'], '0.0.0.0', 'an identifier that is not all 0')
  if (clusterID === '0.0.0.0') report(['clusterID'], clusterID, 'an identifier that is not all 0')
  const isInternal = (peer: PeerConfiguration): boolean =>
    peer.asNumber === 'internal' || peer.asNumber === (peer.localASNumber ?? asNumber)
  if (clusterID !== undefined && !peers.some(isInternal)) {
    report(['clusterID'], clusterID, 'no clusterID', 'there is no internal peer, so nothing is reflected')
  }
  for (const [name, filter] of Object.entries(filters)) checkPolicy(filter, ['filters', name], report)
  peers.forEach((peer, index) => {
    const at = (field: string): Segments => ['peers', index, field]
    checkRemote(peer, configuration, at, report)
    checkAsNumber(peer.asNumber, at('asNumber'), report)
    checkKind(peer, isInternal(peer), at, report)
    checkSession(peer, at, report)
    for (const direction of ['import', 'export'] as const) {
      const given = peer[direction]
      if (typeof given === 'object') checkPolicy(given, at(direction), report)
      else if (given !== undefined && !Object.hasOwn(filters, given)) {
        const names = Object.keys(filters).join(', ')
        report(
          at(direction),
          given,
          `the name of a filter${names === '' ? '' : `: ${names}`}`,
          'there is none of that name',
        )
      }
    }
  })
  checkDistinct(peers, report)
  checkRoutes(configuration, report)
}

function checkAsNumber(value: unknown, at: Segments, report: Report): void {
  if (reservedAsNumbers.includes(value)) report(at, value, 'an AS number that is not reserved')
}

/** Who the peer is. */
function checkRemote(
  peer: PeerConfiguration,
  { listen }: ReflectorConfiguration,
  at: (field: string) => Segments,
  report: Report,
): void {
  const { address, range } = peer
  if (address !== undefined && range !== undefined) {
    report(at('range'), range, 'either address or range, not both')
  }
  if (address === undefined && range === undefined && peer.interface === undefined) {
    report(at('address'), undefined, 'an address or a range, or interface for whoever is on that link')
  }
  const remote = address === undefined ? undefined : joined(address, peer.port ?? 179)
  const own = listen.find((each) => each === remote)
  if (own !== undefined)
    report(at('address'), address, 'the address of another', `we listen on ${own} ourselves`)
  if (address !== undefined && /^fe[89ab]/.test(address)) {
    const [, zone] = address.split('%')
    if (zone === undefined && peer.interface === undefined) {
      report(
        at('address'),
        address,
        `its interface as well: ${address}%eth0`,
        'a link-local address is on every link',
      )
    }
    if (zone !== undefined && peer.interface !== undefined && zone !== peer.interface) {
      report(at('interface'), peer.interface, `${zone}, as in the address`)
    }
  }
  if (range !== undefined && listen.length === 0) {
    report(at('range'), range, 'an address', 'nobody can connect, for listen is empty')
  }
  if (range !== undefined && peer.port !== undefined) {
    report(at('port'), peer.port, 'no port', 'a range is never dialled')
  }
  if (range !== undefined && peer.passive === false) {
    report(at('passive'), false, 'no passive', 'a range is never dialled')
  }
  if (peer.passive === true && listen.length === 0) {
    report(at('passive'), true, 'a peer that is dialled', 'nobody can connect, for listen is empty')
  }
}

function joined(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${String(port)}` : `${address}:${String(port)}`
}

/** What only internal or only external peers have. */
function checkKind(
  peer: PeerConfiguration,
  isInternal: boolean,
  at: (field: string) => Segments,
  report: Report,
): void {
  const externalOnly = [
    'routeServerClient',
    'requirePolicy',
    'asOverride',
    'removePrivateAS',
    'enforceFirstAS',
    'role',
  ] as const
  if (isInternal) {
    for (const field of externalOnly) {
      if (peer[field] === undefined || peer[field] === false) continue
      report(at(field), peer[field], `no ${field}`, 'the peer is of our own AS')
    }
  } else if (peer.routeReflectorClient === true) {
    report(at('routeReflectorClient'), true, 'no routeReflectorClient', 'the peer is not of our own AS')
  }
  if (peer.localASNumber !== undefined && peer.asNumber === 'internal') {
    report(at('localASNumber'), peer.localASNumber, 'no localASNumber', 'the peer is of our own AS')
  }
  checkAsNumber(peer.localASNumber, at('localASNumber'), report)
}

/** What the session would be made of. */
function checkSession(peer: PeerConfiguration, at: (field: string) => Segments, report: Report): void {
  if (peer.password !== undefined && peer.passwordFile !== undefined) {
    report(at('passwordFile'), peer.passwordFile, 'either password or passwordFile, not both')
  }
  if (new TextEncoder().encode(peer.password ?? '').length > 80) {
    report(at('password'), undefined, 'at most 80 bytes in UTF-8')
  }
  if (peer.multihop !== undefined && peer.ttlSecurityHops !== undefined) {
    report(at('multihop'), peer.multihop, 'ttlSecurityHops alone: it holds the number of hops')
  }
  if (peer.roleStrict === true && peer.role === undefined) {
    report(at('roleStrict'), true, 'a role beside it', 'a role is only asked for where ours is said')
  }
  const text = typeof peer.shutdown === 'string' ? peer.shutdown : ''
  if (new TextEncoder().encode(text).length > 255) {
    report(at('shutdown'), peer.shutdown, 'at most 255 octets in UTF-8 (RFC 9003)')
  }
  const remote = peer.address ?? peer.range
  if (peer.sourceAddress !== undefined && remote !== undefined) {
    if (peer.sourceAddress.includes(':') !== remote.includes(':')) {
      report(at('sourceAddress'), peer.sourceAddress, `an address of the family of ${remote}`)
    } else if (peer.sourceAddress === peer.address) {
      report(at('sourceAddress'), peer.sourceAddress, 'an own address', "it is the peer's")
    }
  }
  const { holdTimeSeconds: hold, keepaliveSeconds: keepalive } = peer.timers ?? {}
  const timer = (name: string): Segments => [...at('timers'), name]
  if (hold !== undefined && (!Number.isInteger(hold) || (hold > 0 && hold < 3))) {
    report(timer('holdTimeSeconds'), hold, '0, or a whole number from 3 on', 'RFC 4271 section 4.2 has it so')
  }
  if (keepalive !== undefined && hold !== 0 && keepalive >= (hold ?? 90)) {
    report(timer('keepaliveSeconds'), keepalive, `less than the hold time of ${String(hold ?? 90)} s`)
  }
}

function checkPolicy(policy: Policy, at: Segments, report: Report): void {
  policy.rules.forEach((rule, index) => {
    if (rule.then === 'reject' && rule.set !== undefined) {
      report([...at, 'rules', index, 'set'], undefined, 'no set', 'a route that is rejected is not changed')
    }
    rule.match?.prefixes?.forEach(({ minimumLength = 0, maximumLength = 128 }, condition) => {
      if (minimumLength <= maximumLength) return
      const place = [...at, 'rules', index, 'match', 'prefixes', condition, 'minimumLength']
      report(place, minimumLength, `at most maximumLength, which is ${String(maximumLength)}`)
    })
  })
  for (const { rule, text } of policyFaults(policy)) {
    report(
      [...at, 'rules', rule],
      undefined,
      'a rule that the speaker can carry out',
      text.replace(/\.$/, ''),
    )
  }
}

/** No peer may be mistaken for another. */
function checkDistinct(peers: readonly PeerConfiguration[], report: Report): void {
  const names = new Map<string, number>()
  const remotes = new Map<string, number>()
  const links = new Map<string, number>()
  const ranges: { index: number; range: Prefix }[] = []
  peers.forEach((peer, index) => {
    const name = peer.name ?? peer.address ?? peer.range ?? peer.interface ?? ''
    const other = names.get(name)
    if (other !== undefined && (peer.name ?? peers[other]?.name) !== undefined) {
      report(
        ['peers', index, 'name'],
        peer.name,
        'a name used once',
        `peers[${String(other)}] is called ${name}`,
      )
    }
    names.set(name, index)
    if (peer.address !== undefined) {
      const remote = `${peer.address} ${String(peer.port ?? 179)}`
      const twin = remotes.get(remote)
      if (twin !== undefined) {
        report(
          ['peers', index, 'address'],
          peer.address,
          'each peer once',
          `peers[${String(twin)}] has it too`,
        )
      }
      remotes.set(remote, index)
    }
    if (peer.interface !== undefined && (peer.address ?? peer.range) === undefined) {
      const twin = links.get(peer.interface)
      if (twin !== undefined) {
        const reason = `peers[${String(twin)}] is whoever is on that link too`
        report(['peers', index, 'interface'], peer.interface, 'one such peer for each link', reason)
      }
      links.set(peer.interface, index)
    }
    const range = peer.range === undefined ? undefined : parsePrefix(peer.range)
    if (range?.ok !== true) return
    const overlapping = ranges.find((each) => prefixesOverlap(each.range, range.value))
    if (overlapping !== undefined) {
      const where = `peers[${String(overlapping.index)}]`
      report(
        ['peers', index, 'range'],
        peer.range,
        'ranges that are disjoint',
        `it overlaps with that of ${where}, ${peers[overlapping.index]?.range ?? ''}`,
      )
    }
    ranges.push({ index, range: range.value })
  })
}

function checkRoutes({ routes }: ReflectorConfiguration, report: Report): void {
  const seen = new Map<string, number>()
  routes.forEach(({ prefix, communities, largeCommunities }, index) => {
    const twin = seen.get(prefix)
    if (twin !== undefined) {
      report(['routes', index, 'prefix'], prefix, 'each prefix once', `routes[${String(twin)}] has it too`)
    }
    seen.set(prefix, index)
    const set = {
      ...(communities === undefined ? {} : { addCommunities: communities }),
      ...(largeCommunities === undefined ? {} : { addLargeCommunities: largeCommunities }),
    }
    for (const { text } of policyFaults({ rules: [{ then: 'accept', set }] })) {
      report(
        ['routes', index],
        communities ?? largeCommunities,
        'communities as people write them',
        text.replace(/\.$/, ''),
      )
    }
  })
}
