import type { AddressRange, FlowChange, FlowComparison, FlowEnd, Party } from '@network/policy'
import { printable } from './table.ts'
import { shortPlace } from './verdict.ts'

/** A change and, as the rest of a sentence, who decides it in the new state. */
export interface ExplainedChange extends FlowChange {
  readonly by: string | undefined
}

const NAMES: Readonly<Record<number, string>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  58: 'icmpv6',
  132: 'sctp',
  136: 'udplite',
}
/** Most networks that are spelt out. */
const NETS_SHOWN = 3

/** Flows that are gained and lost, each with who decides it; one sentence if there are none. */
export function flowChangesText(comparison: FlowComparison, changes: readonly ExplainedChange[]): string {
  const { complete, covers, judged } = comparison
  const left = complete
    ? ''
    : `After ${String(judged)} kinds of flows it was left at that: more may change.\n`
  if (changes.length === 0)
    return `No flow changes${complete ? '' : ' of those compared'}. ${covers}\n${left}`
  const alike = new Map<string, ExplainedChange[]>()
  for (const change of changes) {
    const key = [change.change, endsText(change.from), endsText(change.to), change.by].join('\n')
    alike.set(key, [...(alike.get(key) ?? []), change])
  }
  const lines = [...alike.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const verb = first.change === 'gains' ? 'gained' : 'lost  '
    const by = first.by === undefined ? '' : `, by ${first.by}`
    return [
      `${verb}  ${endsText(first.from)} → ${endsText(first.to)}`,
      `        ${group.map(whatText).join('; ')}${by}`,
    ]
  })
  return `Flows that change:\n${lines.map((line) => `${printable(line)}\n`).join('')}${left}`
}

function endsText(ends: readonly FlowEnd[]): string {
  return ends.map(endText).join('; ')
}

function endText(end: FlowEnd): string {
  switch (end.is) {
    case 'host':
      return `host ${end.node}`
    case 'workloads': {
      const [first = '', ...rest] = end.names
      return rest.length === 0 ? shortPlace(first) : `${shortPlace(first)} and ${String(rest.length)} more`
    }
    case 'addresses': {
      const shown = end.nets.slice(0, NETS_SHOWN).map(rangeText)
      const more = end.nets.length - shown.length
      return [...shown, ...(more > 0 ? [`${String(more)} more networks`] : [])].join(', ')
    }
  }
}

function rangeText({ net, except }: AddressRange): string {
  const rest =
    except.length === 0
      ? ''
      : ` but ${except.length <= NETS_SHOWN ? except.join(', ') : `${String(except.length)} networks in it`}`
  return net.endsWith('/0') ? `outside (${net})${rest}` : `${net}${rest}`
}

function whatText(change: FlowChange): string {
  const { protocol, icmp, destinationPorts, sourcePorts, families } = change
  const words: string[] = []
  if (protocol === undefined) words.push('everything')
  else if (protocol === 'other') words.push('other protocols')
  else words.push(NAMES[protocol] ?? `protocol ${String(protocol)}`)
  if (icmp === 'other') words.push('other messages')
  else if (icmp !== undefined) {
    words.push(`type ${String(icmp.type)}`)
    if (icmp.code !== undefined) words.push(`code ${String(icmp.code)}`)
  }
  if (destinationPorts !== undefined) words.push(`to ports ${destinationPorts.map(portsText).join(',')}`)
  if (sourcePorts !== undefined) words.push(`from ports ${sourcePorts.map(portsText).join(',')}`)
  const [only] = families
  if (only !== undefined && families.length === 1 && protocol !== 1 && protocol !== 58) {
    words.push(`(${only === 'ipv4' ? 'IPv4' : 'IPv6'})`)
  }
  return words.join(' ')
}

function portsText({ from, to }: { readonly from: number; readonly to: number }): string {
  return from === to ? String(from) : `${String(from)}:${String(to)}`
}

/** The same for scripts: names as 'drover get endpoints' shows them. */
export function flowAnswer(found: {
  readonly comparison: FlowComparison
  readonly changes: readonly ExplainedChange[]
}): object {
  const { complete, covers } = found.comparison
  const end = (one: FlowEnd): object =>
    one.is === 'workloads' ? { ...one, names: one.names.map(shortPlace) } : one
  const party = (one: Party): Party => (one.is === 'workload' ? { ...one, name: shortPlace(one.name) } : one)
  const changes = found.changes.map(({ example, from, to, ...rest }) => ({
    ...rest,
    from: from.map(end),
    to: to.map(end),
    example: { ...example, from: party(example.from), to: party(example.to) },
  }))
  return { changes, complete, covers }
}
