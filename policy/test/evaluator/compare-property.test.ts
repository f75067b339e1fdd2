import { address, prefix, prefixContains } from '@network/net'
import fc from 'fast-check'
import t from 'tap'
import {
  type EvaluatorModel,
  type Flow,
  type FlowChange,
  type FlowEnd,
  type Party,
  type PolicyUpdate,
  compareFlows,
  createEvaluator,
} from '../../src/index.ts'
import { news, PORTS } from '../calc/arbitraries.ts'
import { host } from '../calc/updates.ts'

/** Workloads that stand in both states, each with addresses of its own, of which the random ones know nothing. */
function standing(updates: readonly PolicyUpdate[]): readonly PolicyUpdate[] {
  const last = new Map(updates.map((update) => [`${update.kind}/${update.name}`, update]))
  let number = 0
  return [...last.values()].flatMap((update) => {
    if (update.kind !== 'WorkloadEndpoint') return []
    if (!('resource' in update) || update.resource === undefined) return []
    number++
    const ipNetworks = [`10.9.0.${String(number)}/32`, `fd09::${String(number)}/128`]
    return { ...update, resource: { ...update.resource, spec: { ...update.resource.spec, ipNetworks } } }
  })
}

const OUTSIDE = ['10.0.0.2', '10.0.0.77', '192.0.2.9', '203.0.113.1', 'fd00::5', '2001:db8::1']

const parties = (workloads: readonly PolicyUpdate[]): Party[] => [
  ...workloads.map(({ name }): Party => ({ is: 'workload', name })),
  ...OUTSIDE.map((one): Party => ({ is: 'address', address: one })),
  { is: 'host', node: 'here' },
]

function includes(ends: readonly FlowEnd[], party: Party): boolean {
  return ends.some((end) => {
    if (end.is === 'workloads') return party.is === 'workload' && end.names.includes(party.name)
    if (end.is === 'host') return party.is === 'host' && end.node === party.node
    if (party.is !== 'address') return false
    const within = (net: string): boolean => prefixContains(prefix(net), address(party.address))
    return end.nets.some(({ net, except }) => within(net) && !except.some(within))
  })
}

/** Whether a change speaks of this flow. */
function speaksOf(change: FlowChange, flow: Flow): boolean {
  const { protocol, exceptProtocols, icmp, sourcePorts, destinationPorts, families } = change
  const inPorts = (ranges: FlowChange['sourcePorts'], port: number | undefined): boolean =>
    ranges === undefined || ranges.some(({ from, to }) => port !== undefined && port >= from && port <= to)
  if (!families.includes(flow.family) || !includes(change.from, flow.from) || !includes(change.to, flow.to)) {
    return false
  }
  if (
    protocol === 'other'
      ? exceptProtocols?.includes(flow.protocol as number)
      : protocol !== undefined && protocol !== flow.protocol
  ) {
    return false
  }
  if (icmp === 'other') return false
  if (icmp !== undefined) {
    if (flow.icmp?.type !== icmp.type) return false
    if (icmp.code !== undefined && flow.icmp.code !== icmp.code) return false
  }
  return inPorts(sourcePorts, flow.sourcePort) && inPorts(destinationPorts, flow.destinationPort)
}

const questions = fc.array(
  fc.record({
    from: fc.nat(100),
    to: fc.nat(100),
    family: fc.constantFrom<'ipv4' | 'ipv6'>('ipv4', 'ipv6'),
    protocol: fc.constantFrom(6, 17, 132),
    sourcePort: fc.constantFrom(...PORTS, 1024, 65535),
    destinationPort: fc.constantFrom(...PORTS, 22, 51, 9001, 65535),
  }),
  { minLength: 60, maxLength: 60 },
)

t.test('a flow is let through by one state alone exactly if a change speaks of it', (t) => {
  let different = 0
  fc.assert(
    fc.property(news, news, questions, fc.boolean(), (shared, more, asked, withHost) => {
      const workloads = standing([...shared, ...more])
      const always: readonly PolicyUpdate[] = [
        ...workloads,
        {
          kind: 'Node',
          name: 'here',
          resource: { metadata: { name: 'here' }, spec: { addresses: [{ address: '172.16.0.1' }] } },
        },
        ...(withHost
          ? [host('uplink', { interfaceName: 'eth0', labels: { app: 'web' }, profiles: ['p'] })]
          : []),
      ]
      const others = (updates: readonly PolicyUpdate[]): PolicyUpdate[] =>
        updates.filter(({ kind }) => kind !== 'WorkloadEndpoint')
      const before: EvaluatorModel = { resources: [...others(shared), ...always] }
      const after: EvaluatorModel = { resources: [...others(shared), ...others(more).slice(0, 4), ...always] }
      const { changes, complete } = compareFlows(before, after)
      if (!complete) throw new Error('not complete')
      const [was, is] = [createEvaluator(before), createEvaluator(after)]
      for (const { from, to, ...rest } of asked) {
        const all = parties(workloads)
        const [sender, receiver] = [all[from % all.length], all[to % all.length]]
        if (sender === undefined || receiver === undefined || sender === receiver) continue
        if (sender.is !== 'workload' && receiver.is !== 'workload' && !withHost) continue
        if (sender.is === 'address' && receiver.is === 'address') continue
        const flow: Flow = { ...rest, from: sender, to: receiver }
        const fits = [sender, receiver].every(
          (party) =>
            party.is === 'workload' ||
            (party.is === 'host'
              ? rest.family === 'ipv4'
              : party.address.includes(':') === (rest.family === 'ipv6')),
        )
        if (!fits || (sender.is === 'host' && !withHost) || (receiver.is === 'host' && !withHost)) continue
        const [first, second] = [was.judge(flow).action, is.judge(flow).action]
        const expected = first === second ? [] : [second === 'allow' ? 'gains' : 'loses']
        if (expected.length > 0) different++
        const told = [
          ...new Set(changes.filter((change) => speaksOf(change, flow)).map(({ change }) => change)),
        ]
        if (told.join() !== expected.join()) {
          throw new Error(`${JSON.stringify(flow)}: told ${told.join()}, but ${first} then ${second}`)
        }
      }
      for (const { change, example } of changes) {
        const expected = change === 'gains' ? ['deny', 'allow'] : ['allow', 'deny']
        const actual = [was.judge(example).action, is.judge(example).action]
        if (actual.join() !== expected.join()) throw new Error(`no example: ${JSON.stringify(example)}`)
      }
    }),
    { numRuns: 60 },
  )
  t.ok(different > 5, `${String(different)} flows made a difference`)
  t.end()
})
