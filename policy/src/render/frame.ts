/**
 * The chains that the kernel's own jump into, one for each hook and table: what every packet meets before and after it is
 * told to a workload's or an interface's chain. An allowed packet is accepted here, so that no later rule or policy of
 * the kernel's chain sees it; what doesn't concern us returns.
 */
import type { Family } from '@network/net'
import { ESTABLISHED, INVALID, hostDispatchChain, neighbourRules } from './host-endpoint.ts'
import { type Marks, clearBits, isClear, isSet, setBits } from './marks.ts'
import { singleSetName } from './names.ts'
import type { RenderOptions } from './options.ts'
import type { RenderedRule, Table } from './rendered.ts'

export interface FrameContext {
  readonly family: Family
  readonly marks: Marks
  readonly options: RenderOptions
  /** `judgedPlaces` of the host endpoints. */
  readonly judged: ReadonlySet<string>
  /** Sources besides its own that an interface may send from. */
  readonly allowedSources: readonly { readonly interfaceName: string; readonly net: string }[]
  /** Whether ports of the host lead to workloads. */
  readonly hasPortMappings: boolean
  /** Whether a pool asks for outgoing translation. */
  readonly hasNatOutgoing: boolean
}

export const FROM_WORKLOAD = 'drv-fwd'
export const TO_WORKLOAD = 'drv-twd'
const WORKLOAD_TO_HOST = 'drv-wh'
const SOURCE_CHECK = 'drv-src'
export const PORT_MAPPINGS = 'drv-hp'
export const PORT_MAPPING_SOURCES = 'drv-hpm'
const NAT_OUTGOING = 'drv-natout'
/** The source of whoever has none yet. */
const NO_ADDRESS = '0.0.0.0/32'

type FrameChain = { table: Table; name: string; rules: RenderedRule[] }

const rule = (...args: (string | readonly string[])[]): RenderedRule => ({ args: args.flat() })
const jump = (chain: string | undefined): string[] => ['-j', chain ?? 'RETURN']

/** The chains, and by table and kernel's chain the jumps that lead into them. */
export function frameChains(context: FrameContext): {
  chains: FrameChain[]
  jumps: Record<Table, Map<string, RenderedRule[]>>
} {
  const chains = [
    ...filterChains(context),
    ...rawChains(context),
    ...mangleChains(context),
    ...natChains(context),
  ]
  const jumps: Record<Table, Map<string, RenderedRule[]>> = {
    raw: new Map(),
    mangle: new Map(),
    nat: new Map(),
    filter: new Map(),
  }
  const hooks: readonly [Table, string][] = [
    ...['INPUT', 'FORWARD', 'OUTPUT'].map((hook): [Table, string] => ['filter', hook]),
    ...['PREROUTING', 'OUTPUT'].map((hook): [Table, string] => ['raw', hook]),
    ['mangle', 'PREROUTING'],
    ...['PREROUTING', 'OUTPUT', 'POSTROUTING'].map((hook): [Table, string] => ['nat', hook]),
  ]
  for (const [table, hook] of hooks) {
    const chain = `drv-${hook}`
    const wanted = chains.some(({ table: where, name }) => where === table && name === chain)
    jumps[table].set(hook, wanted ? [rule(jump(chain))] : [])
  }
  return { chains, jumps }
}

/** Whether a verdict before policy proper can exist: only then is its mark cleared and looked at. */
function clears(judged: ReadonlySet<string>): boolean {
  return [...judged].some((place) => place.startsWith('untracked') || place.startsWith('preDNAT'))
}

/**
 * A workload that may send without an address asks for one by DHCP (RFC 2131, section 4.1): how it comes by an address
 * is not policy's to judge, as it is not for the messages by which neighbours find each other.
 */
function leaseRules({ family, allowedSources }: FrameContext): RenderedRule[] {
  if (family !== 'ipv4') return []
  return allowedSources
    .filter(({ net }) => net === NO_ADDRESS)
    .map(({ interfaceName }) =>
      rule(
        ...['-i', interfaceName, '-s', NO_ADDRESS, '-d', '255.255.255.255/32'],
        ...['-p', 'udp', '-m', 'udp', '--sport', '68', '--dport', '67', '-j', 'ACCEPT'],
      ),
    )
}

function filterChains(context: FrameContext): FrameChain[] {
  const { family, marks, options, judged } = context
  const ours = `${options.interfacePrefix}+`
  const mayBeCleared = clears(judged)
  const unlessCleared = mayBeCleared ? isClear(marks.cleared) : []
  const acceptCleared = mayBeCleared ? [rule(isSet(marks.cleared), '-j', 'ACCEPT')] : []
  const has = (place: string): boolean => judged.has(place)
  const accepted = rule(isSet(marks.accept), '-j', 'ACCEPT')
  // Workloads' interfaces are no interfaces of the host, not even of the one that means every interface.
  const forwardIn = has('forward inbound')
    ? [rule('!', '-i', ours, unlessCleared, jump(hostDispatchChain('forward', 'inbound')))]
    : []
  const forwardOut = has('forward outbound')
    ? [rule('!', '-o', ours, jump(hostDispatchChain('forward', 'outbound')))]
    : []
  const judgesForward = forwardIn.length + forwardOut.length > 0
  // A name of ours that dispatch doesn't know comes back without the mark.
  const decidedBy = (of: readonly string[], chain: string): RenderedRule[] => [
    rule(of, clearBits(marks.accept)),
    rule(of, jump(chain)),
    rule(of, isClear(marks.accept), '-j', 'DROP'),
  ]
  const action = { Drop: ['-j', 'DROP'], Accept: ['-j', 'ACCEPT'], Return: ['-j', 'RETURN'] } as const
  const forward: RenderedRule[] = [
    rule('-i', ours, ESTABLISHED, '-j', 'ACCEPT'),
    rule('-o', ours, ESTABLISHED, '-j', 'ACCEPT'),
    rule('-i', ours, INVALID, '-j', 'DROP'),
    rule('-o', ours, INVALID, '-j', 'DROP'),
    ...(judgesForward ? [rule(clearBits(marks.accept))] : []),
    ...forwardIn,
    ...decidedBy(['-i', ours], FROM_WORKLOAD),
    ...decidedBy(['-o', ours], TO_WORKLOAD),
    ...forwardOut,
    rule('-i', ours, '-j', 'ACCEPT'),
    rule('-o', ours, '-j', 'ACCEPT'),
    ...(judgesForward ? [accepted] : []),
  ]
  const input: RenderedRule[] = [
    rule('-i', ours, '-g', WORKLOAD_TO_HOST),
    ...acceptCleared,
    ...(has('normal inbound')
      ? [rule(clearBits(marks.accept)), rule(jump(hostDispatchChain('normal', 'inbound'))), accepted]
      : []),
  ]
  const output: RenderedRule[] = [
    // The host reaches its own workloads.
    rule('-o', ours, '-j', 'ACCEPT'),
    ...acceptCleared,
    ...(has('normal outbound')
      ? [rule(clearBits(marks.accept)), rule(jump(hostDispatchChain('normal', 'outbound'))), accepted]
      : []),
  ]
  return [
    { table: 'filter', name: 'drv-FORWARD', rules: forward },
    { table: 'filter', name: 'drv-INPUT', rules: input },
    { table: 'filter', name: 'drv-OUTPUT', rules: output },
    {
      table: 'filter',
      name: WORKLOAD_TO_HOST,
      rules: [
        rule(ESTABLISHED, '-j', 'ACCEPT'),
        rule(INVALID, '-j', 'DROP'),
        ...neighbourRules(family, ['-j', 'ACCEPT']),
        ...leaseRules(context),
        ...decidedBy([], FROM_WORKLOAD),
        ...resolverRules(family, options),
        rule(action[options.endpointToHostAction]),
      ],
    },
  ]
}

/** Questions for names go to the agent although the host is shut. */
function resolverRules(family: Family, { resolvers }: RenderOptions): RenderedRule[] {
  return resolvers
    .filter(({ address }) => address.includes(':') === (family === 'ipv6'))
    .flatMap(({ address, port }) =>
      ['udp', 'tcp'].map((protocol) =>
        rule('-d', address, '-p', protocol, '-m', protocol, '--dport', String(port), '-j', 'ACCEPT'),
      ),
    )
}

function rawChains({ family, marks, options, judged, allowedSources }: FrameContext): FrameChain[] {
  const ours = `${options.interfacePrefix}+`
  const clear = clears(judged) ? [rule(clearBits(marks.cleared | marks.accept))] : []
  const untracked = (direction: 'inbound' | 'outbound'): RenderedRule[] =>
    judged.has(`untracked ${direction}`)
      ? [
          rule(jump(hostDispatchChain('untracked', direction))),
          rule(isSet(marks.accept), '-j', 'NOTRACK'),
          rule(isSet(marks.accept), setBits(marks.cleared)),
          rule(isSet(marks.cleared), '-j', 'ACCEPT'),
        ]
      : []
  const inbound = untracked('inbound')
  const outbound = [...clear, ...untracked('outbound')]
  const check: RenderedRule[] = [
    ...(family === 'ipv4'
      ? // Loopback is reachable on these interfaces for the host's own ports that lead to workloads.
        [rule('-d', '127.0.0.0/8', '-j', 'DROP')]
      : [rule('-s', 'fe80::/10', '-j', 'RETURN'), rule('-s', '::/128', '-p', 'ipv6-icmp', '-j', 'RETURN')]),
    ...allowedSources
      .filter(({ net }) => net.includes(':') === (family === 'ipv6'))
      .map(({ interfaceName, net }) =>
        rule('-i', interfaceName, net.endsWith('/0') ? [] : ['-s', net], '-j', 'RETURN'),
      ),
    rule('-m', 'set', '!', '--match-set', singleSetName('src', family), 'src,src', '-j', 'DROP'),
  ]
  return [
    {
      table: 'raw',
      name: 'drv-PREROUTING',
      rules: [
        ...clear,
        rule('-i', ours, jump(SOURCE_CHECK)),
        ...(inbound.length === 0 ? [] : [rule('-i', ours, '-j', 'RETURN')]),
        ...inbound,
      ],
    },
    { table: 'raw', name: SOURCE_CHECK, rules: check },
    ...(outbound.length === 0
      ? []
      : [
          {
            table: 'raw' as const,
            name: 'drv-OUTPUT',
            rules: [...clear, rule('-o', ours, '-j', 'RETURN'), ...untracked('outbound')],
          },
        ]),
  ]
}

function mangleChains({ marks, options, judged }: FrameContext): FrameChain[] {
  if (!judged.has('preDNAT inbound')) return []
  return [
    {
      table: 'mangle',
      name: 'drv-PREROUTING',
      rules: [
        rule('-i', `${options.interfacePrefix}+`, '-j', 'RETURN'),
        rule(isSet(marks.cleared), '-j', 'RETURN'),
        rule(ESTABLISHED, '-j', 'RETURN'),
        rule(jump(hostDispatchChain('preDNAT', 'inbound'))),
        rule(isSet(marks.accept), setBits(marks.cleared)),
      ],
    },
  ]
}

function natChains({ family, options, hasPortMappings, hasNatOutgoing }: FrameContext): FrameChain[] {
  const chains: FrameChain[] = []
  if (hasPortMappings) {
    const notLoopback = family === 'ipv6' ? [rule('-d', '::1/128', '-j', 'RETURN')] : []
    chains.push(
      { table: 'nat', name: 'drv-PREROUTING', rules: [rule(jump(PORT_MAPPINGS))] },
      { table: 'nat', name: 'drv-OUTPUT', rules: [...notLoopback, rule(jump(PORT_MAPPINGS))] },
    )
  }
  const leaving: RenderedRule[] = []
  if (hasPortMappings) leaving.push(rule(jump(PORT_MAPPING_SOURCES)))
  if (hasNatOutgoing) {
    leaving.push(
      rule(
        ...['-m', 'set', '--match-set', singleSetName('masq', family), 'src'],
        ...['-m', 'set', '!', '--match-set', singleSetName('pools', family), 'dst'],
        jump(NAT_OUTGOING),
      ),
    )
    chains.push({ table: 'nat', name: NAT_OUTGOING, rules: natOutgoingRules(family, options) })
  }
  if (leaving.length > 0) chains.push({ table: 'nat', name: 'drv-POSTROUTING', rules: leaving })
  return chains
}

function natOutgoingRules(family: Family, options: RenderOptions): RenderedRule[] {
  const address = options.natOutgoingAddress[family]
  const range = options.natPortRange
  const ports = range === undefined ? undefined : `${range.from}-${range.to}`
  const target = (withPorts: boolean): string[] => {
    const own = withPorts ? ports : undefined
    if (address === undefined)
      return ['-j', 'MASQUERADE', ...(own === undefined ? [] : ['--to-ports', own]), '--random-fully']
    const host = family === 'ipv6' && own !== undefined ? `[${address}]` : address
    return ['-j', 'SNAT', '--to-source', own === undefined ? host : `${host}:${own}`, '--random-fully']
  }
  return [
    ...(ports === undefined ? [] : ['tcp', 'udp', 'sctp'].map((name) => rule('-p', name, target(true)))),
    rule(target(false)),
  ]
}
