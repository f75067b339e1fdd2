/** Interfaces of the host under policy: their chains at four places of a packet's way, and the dispatch to them. */
import type { Family } from '@network/net'
import type { ActiveHostEndpoint, ActiveTier } from '../calc/active.ts'
import { clearBits, isSet, setBits } from './marks.ts'
import { protocolArgs } from './match.ts'
import { chainName } from './names.ts'
import type { Failsafe } from './options.ts'
import type { RenderedRule, Table } from './rendered.ts'
import { type Direction, type TierContext, profileRules, tierRules } from './tiers.ts'

export const EVERY_INTERFACE = '*'

/** The lists of a host endpoint, with the table and the chains in which each is judged. */
const places = {
  untracked: { table: 'raw', inbound: 'drv-fhu', outbound: 'drv-thu' },
  preDNAT: { table: 'mangle', inbound: 'drv-fhp', outbound: undefined },
  forward: { table: 'filter', inbound: 'drv-fhf', outbound: 'drv-thf' },
  normal: { table: 'filter', inbound: 'drv-fh', outbound: 'drv-th' },
} as const satisfies Record<string, { table: Table; inbound: string; outbound: string | undefined }>

export type Place = keyof typeof places
const allPlaces = Object.keys(places) as readonly Place[]

/** The chain in which dispatch of a place and direction begins. */
export function hostDispatchChain(place: Place, direction: Direction): string | undefined {
  const chain = places[place][direction]
  return chain === undefined ? undefined : `${chain}d`
}

export function tableOf(place: Place): Table {
  return places[place].table
}

export interface HostContext extends TierContext {
  readonly family: Family
  readonly failsafeInbound: readonly Failsafe[]
  readonly failsafeOutbound: readonly Failsafe[]
}

export const ESTABLISHED = ['-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED'] as const
export const INVALID = ['-m', 'conntrack', '--ctstate', 'INVALID'] as const

/** What IPv6 can't do without on a link: listener reports, solicitations and advertisements (RFC 4890, 4.4.1). */
export const NEIGHBOUR_MESSAGES = [130, 131, 132, 133, 134, 135, 136, 143] as const

export function neighbourRules(family: Family, target: readonly string[]): RenderedRule[] {
  if (family === 'ipv4') return []
  return NEIGHBOUR_MESSAGES.map((type) => ({
    args: ['-p', 'ipv6-icmp', '-m', 'icmp6', '--icmpv6-type', String(type), ...target],
  }))
}

/** A packet to one of these ports (`--dport`), or the answer from one (`--sport`). */
export function failsafeRules(
  failsafes: readonly Failsafe[],
  option: '--dport' | '--sport',
  peer: '-s' | '-d',
  family: Family,
  target: readonly string[],
): RenderedRule[] {
  return failsafes.flatMap(({ protocol, port, net }) => {
    if (net !== undefined && net.includes(':') !== (family === 'ipv6')) return []
    const args = protocolArgs(protocol)
    const [, name = ''] = args
    return {
      args: [...args, ...(net === undefined ? [] : [peer, net]), '-m', name, option, String(port), ...target],
    }
  })
}

/** Chains by table and name: of every host endpoint at every place that it has policies for, and the dispatch there. */
export function hostChains(
  endpoints: readonly ActiveHostEndpoint[],
  context: HostContext,
): { table: Table; name: string; rules: RenderedRule[] }[] {
  const chains: { table: Table; name: string; rules: RenderedRule[] }[] = []
  // Names before '*', so that an interface's own wins.
  const sorted = [...endpoints].sort((a, b) => order(a.interfaceName) - order(b.interfaceName))
  for (const place of allPlaces) {
    for (const direction of ['inbound', 'outbound'] as const) {
      const first = places[place][direction]
      if (first === undefined) continue
      const { table } = places[place]
      if (!sorted.some((endpoint) => isJudged(endpoint, place, direction))) continue
      const dispatch: RenderedRule[] = []
      for (const endpoint of sorted) {
        const every = endpoint.interfaceName === EVERY_INTERFACE
        const option = direction === 'inbound' ? '-i' : '-o'
        const at = every ? [] : [option, endpoint.interfaceName]
        if (every) dispatch.push({ args: [option, 'lo', '-j', 'RETURN'] })
        if (!isJudged(endpoint, place, direction)) {
          dispatch.push({ args: [...at, '-j', 'RETURN'] })
          continue
        }
        const name = chainName(`${first}-`, endpoint.interfaceName)
        dispatch.push({ args: [...at, '-g', name] })
        chains.push({ table, name, rules: chainAt(place, direction, endpoint, context) })
      }
      chains.push({ table, name: `${first}d`, rules: dispatch })
    }
  }
  return chains
}

/** Which places have anything to judge. */
export function judgedPlaces(endpoints: readonly ActiveHostEndpoint[]): ReadonlySet<string> {
  const judged = new Set<string>()
  for (const endpoint of endpoints)
    for (const place of allPlaces)
      for (const direction of ['inbound', 'outbound'] as const)
        if (places[place][direction] !== undefined && isJudged(endpoint, place, direction))
          judged.add(`${place} ${direction}`)
  return judged
}

function order(interfaceName: string): number {
  return interfaceName === EVERY_INTERFACE ? 1 : 0
}

function isJudged(endpoint: ActiveHostEndpoint, place: Place, direction: Direction): boolean {
  return place === 'normal' || hasPolicies(endpoint[place], direction)
}

function hasPolicies(tiers: readonly ActiveTier[], direction: Direction): boolean {
  return tiers.some((tier) => tier[direction].length > 0)
}

function chainAt(
  place: Place,
  direction: Direction,
  endpoint: ActiveHostEndpoint,
  context: HostContext,
): RenderedRule[] {
  const { family, marks } = context
  const own = direction === 'inbound' ? context.failsafeInbound : context.failsafeOutbound
  const others = direction === 'inbound' ? context.failsafeOutbound : context.failsafeInbound
  const peer = direction === 'inbound' ? '-s' : '-d'
  const clear = { args: clearBits(marks.accept | marks.pass) }
  const past = ['-j', 'RETURN']
  switch (place) {
    case 'untracked':
      return [
        clear,
        ...neighbourRules(family, past),
        ...failsafeRules(own, '--dport', peer, family, past),
        ...failsafeRules(others, '--sport', peer, family, past),
        ...tierRules(endpoint.untracked, direction, context, { defaultActions: false }),
      ]
    case 'preDNAT':
      return [
        clear,
        ...neighbourRules(family, past),
        ...failsafeRules(own, '--dport', peer, family, past),
        ...tierRules(endpoint.preDNAT, direction, context, { defaultActions: false }),
      ]
    case 'forward':
      return [
        clear,
        { args: [...ESTABLISHED, ...setBits(marks.accept)] },
        { args: [...isSet(marks.accept), ...past] },
        { args: [...INVALID, '-j', 'DROP'] },
        ...tierRules(endpoint.forward, direction, context),
      ]
    case 'normal':
      return [
        { args: [...ESTABLISHED, '-j', 'ACCEPT'] },
        ...neighbourRules(family, ['-j', 'ACCEPT']),
        ...failsafeRules(own, '--dport', peer, family, ['-j', 'ACCEPT']),
        { args: [...INVALID, '-j', 'DROP'] },
        clear,
        ...tierRules(endpoint.normal, direction, context),
        ...profileRules(endpoint.profiles, direction, context),
      ]
  }
}
