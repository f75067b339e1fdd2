/** Many single differences as few sentences: what differs alike is told once. */
import type { Family } from '@network/net'
import type { PortRange } from '../port-range.ts'
import type { AddressRange, FlowChange, FlowEnd } from './comparison.ts'
import type { End } from './ends.ts'
import type { Flow } from './flow.ts'
import type { FlowClass } from './flow-space.ts'

/** One class of flows between two ends that the states judge differently. */
export interface Difference {
  readonly change: FlowChange['change']
  readonly from: End
  readonly to: End
  readonly family: Family
  readonly flowClass: FlowClass
  /** All classes of that family that were judged between the two. */
  readonly all: readonly FlowClass[]
  readonly flow: Flow
}

type Traffic = Pick<FlowChange, 'protocol' | 'exceptProtocols' | 'sourcePorts' | 'destinationPorts' | 'icmp'>

/** A change while it still grows. */
interface Gathered {
  readonly change: FlowChange['change']
  readonly from: ReadonlySet<End>
  readonly to: ReadonlySet<End>
  readonly families: ReadonlySet<Family>
  readonly traffic: Traffic
  readonly example: Flow
}

export function gather(differences: readonly Difference[]): FlowChange[] {
  const numbers = new Map<End, number>()
  const numberOf = (end: End): number => {
    const known = numbers.get(end) ?? numbers.size
    numbers.set(end, known)
    return known
  }
  const ends = (set: ReadonlySet<End>): string => [...set].map(numberOf).sort().join()
  const pairs = groupBy(differences, ({ change, from, to, family }) =>
    [change, numberOf(from), numberOf(to), family].join(),
  )
  let gathered: Gathered[] = pairs.flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const { change, from, to, family } = first
    return trafficOf(group).map(({ example, ...traffic }) => ({
      change,
      from: new Set([from]),
      to: new Set([to]),
      families: new Set([family]),
      traffic,
      example,
    }))
  })
  const families = (set: ReadonlySet<Family>): string => [...set].sort().join()
  const rest = ({ change, traffic }: Gathered): string => JSON.stringify([change, traffic])
  gathered = merge(gathered, (one) => [ends(one.from), ends(one.to), rest(one)].join(' '))
  gathered = merge(gathered, (one) => [ends(one.to), families(one.families), rest(one)].join(' '))
  gathered = merge(gathered, (one) => [ends(one.from), families(one.families), rest(one)].join(' '))
  // Nobody sends to himself over the network, so whether a single end is among its own senders says nothing.
  const senders = ({ from, to }: Gathered): string =>
    ends(
      new Set([
        ...from,
        ...[...to].filter(({ end, samples }) => end.is !== 'addresses' && samples.length === 1),
      ]),
    )
  gathered = merge(gathered, (one) => [senders(one), families(one.families), rest(one)].join(' '))
  return gathered.map(({ change, from, to, families: both, traffic, example }) => ({
    change,
    from: endsTogether(from),
    to: endsTogether(to),
    families: [...both].sort(),
    ...traffic,
    example,
  }))
}

/** Workloads in one list and addresses in one, a range that lies in what another leaves out put back into it. */
function endsTogether(ends: ReadonlySet<End>): FlowEnd[] {
  const all = [...ends].map(({ end }) => end)
  const names = all.flatMap((end) => (end.is === 'workloads' ? end.names : []))
  const nets = rangesTogether(all.flatMap((end) => (end.is === 'addresses' ? end.nets : [])))
  return [
    ...(names.length === 0 ? [] : [{ is: 'workloads' as const, names: names.sort() }]),
    ...all.filter(({ is }) => is === 'host'),
    ...(nets.length === 0 ? [] : [{ is: 'addresses' as const, nets }]),
  ]
}

function rangesTogether(ranges: readonly AddressRange[]): AddressRange[] {
  const byNet = new Map(ranges.map((range) => [range.net, range]))
  const inOthers = new Set(ranges.flatMap(({ except }) => except))
  const holes = ({ except }: AddressRange): string[] =>
    except.flatMap((net) => {
      const back = byNet.get(net)
      return back === undefined ? net : holes(back)
    })
  return ranges
    .filter(({ net }) => !inOthers.has(net))
    .map((range) => ({ net: range.net, except: holes(range) }))
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group === undefined) groups.set(key(item), [item])
    else group.push(item)
  }
  return [...groups.values()]
}

function merge(items: readonly Gathered[], key: (item: Gathered) => string): Gathered[] {
  return groupBy(items, key).flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const union = <T>(of: (item: Gathered) => ReadonlySet<T>): ReadonlySet<T> =>
      new Set(group.flatMap((item) => [...of(item)]))
    return {
      ...first,
      from: union(({ from }) => from),
      to: union(({ to }) => to),
      families: union(({ families }) => families),
    }
  })
}

/** What the classes of one pair and family say together. */
function trafficOf(differences: readonly Difference[]): (Traffic & { readonly example: Flow })[] {
  const [one] = differences
  if (one === undefined) return []
  const { all } = one
  if (differences.length === all.length) return [{ example: one.flow }]
  return groupBy(differences, ({ flowClass }) => String(flowClass.protocol)).flatMap(
    (group): (Traffic & { readonly example: Flow })[] => {
      const [first] = group
      if (first === undefined) return []
      const { protocol: number, otherProtocol } = first.flowClass
      if (otherProtocol) {
        const exceptProtocols = all.filter((one) => !one.otherProtocol).map(({ protocol }) => protocol)
        return [{ protocol: 'other', exceptProtocols: [...new Set(exceptProtocols)], example: first.flow }]
      }
      const protocol = number
      const whole = group.length === all.filter((other) => other.protocol === number).length
      if (whole) return [{ protocol, example: first.flow }]
      const messages = group.flatMap(({ flowClass: { icmp }, flow: example }) => {
        if (icmp === undefined) return []
        const { says } = icmp
        if (says === 'other' || says.type === undefined) return { protocol, icmp: 'other' as const, example }
        const code = says.code === undefined ? {} : { code: says.code }
        return { protocol, icmp: { type: says.type, ...code }, example }
      })
      return [...messages, ...portsOf(group).map((ports) => ({ protocol, ...ports }))]
    },
  )
}

/** Source ports that go with the same destination ports are told together. */
function portsOf(
  differences: readonly Difference[],
): (Pick<Traffic, 'sourcePorts' | 'destinationPorts'> & { readonly example: Flow })[] {
  const bySource = new Map<number, { source: PortRange; destinations: PortRange[]; example: Flow }>()
  for (const { flowClass, flow: example } of differences) {
    const { sourcePorts: source, destinationPorts } = flowClass
    if (source === undefined || destinationPorts === undefined) continue
    const known = bySource.get(source.from) ?? { source, destinations: [], example }
    known.destinations.push(destinationPorts)
    bySource.set(source.from, known)
  }
  const alike = groupBy([...bySource.values()], ({ destinations }) => JSON.stringify(joined(destinations)))
  return alike.flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const sourcePorts = joined(group.map(({ source }) => source))
    const destinationPorts = joined(first.destinations)
    return {
      ...(isEvery(sourcePorts) ? {} : { sourcePorts }),
      ...(isEvery(destinationPorts) ? {} : { destinationPorts }),
      example: first.example,
    }
  })
}

function joined(ranges: readonly PortRange[]): PortRange[] {
  const sorted = [...ranges].sort((a, b) => a.from - b.from)
  const result: PortRange[] = []
  for (const range of sorted) {
    const last = result.at(-1)
    if (last?.to === range.from - 1) result[result.length - 1] = { from: last.from, to: range.to }
    else result.push(range)
  }
  return result
}

function isEvery(ranges: readonly PortRange[]): boolean {
  return ranges.length === 1 && ranges[0]?.from === 0 && ranges[0].to === 65535
}
