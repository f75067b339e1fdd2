import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { PeerStatus } from '@network/bgp'
import { DroverError, type Family } from '@network/net'
import type { ApplyReport } from '../drivers/driver.ts'
import type { PolicyReport } from '../drivers/policy-driver.ts'
import { type NameMetrics, createNameMetrics } from './name-metrics.ts'
import { type PolicySources, createPolicyMetrics } from './policy-metrics.ts'
import type { HealthReport } from '../client/messages.ts'

/** Numbers that are looked up when somebody scrapes. */
export interface MetricsSources {
  routes: () => Readonly<Record<string, number>>
  endpoints: () => number
  /** Addresses of the node's endpoints. */
  addresses: () => Readonly<Record<Family, number>>
  /** Blocks that the node holds. */
  blocks: () => readonly { family: Family; state: string; addresses: number }[]
  journal: () => number
  faults: () => number
  speakerRestarts: () => number
  peers: () => Promise<readonly PeerStatus[]>
  health: () => HealthReport
  problems: () => number
  policy: PolicySources
  /** Names of containers that can be asked for. */
  names: () => number
}

export interface Metrics {
  /** Counts calls of an operation, by outcome, with their duration. */
  timed<A, R>(operation: string, call: (argument: A) => Promise<R>): (argument: A) => Promise<R>
  /** `drift`: what was written makes good what others did to the kernel. */
  applied(kind: 'route' | 'interface', report: ApplyReport, drift: boolean): void
  /** Chains and sets of policy were brought into the kernel. */
  policyApplied(report: PolicyReport): void
  /** Established flows were cut because policy turned against them. */
  policyCut(flows: number): void
  /** A question for a name ended. */
  asked: NameMetrics['asked']
  /** One object was put right. */
  repaired(kind: 'workload'): void
  observe(sources: MetricsSources): void
  /** Prometheus' text format. */
  text(): Promise<string>
  readonly contentType: string
  /** Everything that is measured, in the words of the registry. */
  describe(): readonly MetricDescription[]
}

export interface MetricDescription {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labels: readonly string[]
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, prefix: 'drover_' })
  const operations = new Histogram({
    name: 'drover_operation_seconds',
    help: 'Duration of attach and detach, by outcome: ok or the code of the error.',
    labelNames: ['operation', 'outcome'],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  })
  const applies = new Histogram({
    name: 'drover_dataplane_apply_seconds',
    help: 'Duration of bringing one kind of kernel object into the desired state.',
    labelNames: ['kind'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    registers,
  })
  const changes = new Counter({
    name: 'drover_dataplane_changes_total',
    help: 'Kernel objects added, changed and removed.',
    labelNames: ['kind', 'change'],
    registers,
  })
  const repairs = new Counter({
    name: 'drover_drift_repairs_total',
    help: 'Kernel objects put right after others changed or removed them, by kind: route, interface, workload, chain, set.',
    labelNames: ['kind'],
    registers,
  })

  const policy = createPolicyMetrics(registry)
  const names = createNameMetrics(registry)

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    timed: (operation, call) => async (argument) => {
      const end = operations.startTimer({ operation })
      try {
        const result = await call(argument)
        end({ outcome: 'ok' })
        return result
      } catch (error) {
        end({ outcome: error instanceof DroverError ? error.code : 'internal' })
        throw error
      }
    },
    describe: () => describe(registry),
    asked: (outcome) => names.asked(outcome),
    policyCut: (flows) => policy.cut(flows),
    policyApplied(report) {
      const { repairs: repaired } = report
      policy.applied(report)
      if (repaired.chains > 0) repairs.inc({ kind: 'chain' }, repaired.chains)
      if (repaired.sets > 0) repairs.inc({ kind: 'set' }, repaired.sets)
    },
    repaired: (kind) => repairs.inc({ kind }),
    applied(kind, report, drift) {
      const written = report.added + report.changed + report.removed
      if (drift && written > 0) repairs.inc({ kind }, written)
      applies.observe({ kind }, report.durationMs / 1000)
      for (const change of ['added', 'changed', 'removed'] as const) {
        if (report[change] > 0) changes.inc({ kind, change }, report[change])
      }
    },
    observe(sources) {
      const gauge = (name: string, help: string, value: () => number): void => {
        new Gauge({
          name,
          help,
          registers,
          collect() {
            this.set(value())
          },
        })
      }
      gauge('drover_endpoints', 'Workload endpoints of this node.', sources.endpoints)
      gauge('drover_journal_releases', 'Releases of addresses that wait for the store.', sources.journal)
      gauge('drover_dataplane_faults', 'Kernel objects that are not as they should be.', sources.faults)
      gauge(
        'drover_bgp_thread_restarts',
        'How often the BGP thread had to be started again.',
        sources.speakerRestarts,
      )
      gauge('drover_problems', "Conditions that 'drover node status' lists.", sources.problems)
      new Gauge({
        name: 'drover_routes',
        help: 'Desired routes, by kind.',
        labelNames: ['kind'],
        registers,
        collect() {
          for (const [kind, count] of Object.entries(sources.routes())) this.set({ kind }, count)
        },
      })
      new Gauge({
        name: 'drover_ipam_addresses',
        help: "Addresses that the node's endpoints have.",
        labelNames: ['family'],
        registers,
        collect() {
          for (const [family, count] of Object.entries(sources.addresses())) this.set({ family }, count)
        },
      })
      for (const [name, help, worth] of [
        ['drover_ipam_blocks', 'Blocks of addresses that the node holds.', () => 1],
        [
          'drover_ipam_block_addresses',
          'Addresses in the blocks that the node holds.',
          (block: { addresses: number }) => block.addresses,
        ],
      ] as const) {
        new Gauge({
          name,
          help,
          labelNames: ['family', 'state'],
          registers,
          collect() {
            this.reset()
            for (const block of sources.blocks())
              this.inc({ family: block.family, state: block.state }, worth(block))
          },
        })
      }
      new Gauge({
        name: 'drover_health',
        help: '1 if the check is well.',
        labelNames: ['check'],
        registers,
        collect() {
          for (const { name, ok } of sources.health().checks) this.set({ check: name }, ok ? 1 : 0)
        },
      })
      observePeers(registry, sources.peers)
      policy.observe(sources.policy)
      names.observe(sources)
    },
  }
}

interface PeerMetric {
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter'
  /** A label beside peer and address. */
  readonly label?: readonly [name: string, of: (status: PeerStatus) => string]
  /** undefined: no sample. */
  readonly value: (status: PeerStatus) => number | undefined
}

const PEER_METRICS: readonly PeerMetric[] = [
  {
    name: 'drover_bgp_session_established',
    help: '1 if the session is Established.',
    type: 'gauge',
    value: ({ state }) => (state === 'Established' ? 1 : 0),
  },
  {
    name: 'drover_bgp_session_state',
    help: "1 for the state that the session is in, in RFC 4271's words.",
    type: 'gauge',
    label: ['state', ({ state }) => state],
    value: () => 1,
  },
  {
    name: 'drover_bgp_session_since_seconds',
    help: "Unix time of the last change of the session's state.",
    type: 'gauge',
    value: ({ since }) => since / 1000,
  },
  {
    name: 'drover_bgp_session_last_error_seconds',
    help: 'Unix time of the last error of the session, with its words; none if there was none.',
    type: 'gauge',
    label: ['error', ({ lastError }) => lastError?.text.slice(0, 200) ?? ''],
    value: ({ lastError }) => (lastError === undefined ? undefined : lastError.at / 1000),
  },
  {
    name: 'drover_bgp_session_flaps_total',
    help: 'How often an established session ended.',
    type: 'counter',
    value: ({ counters }) => counters.dropped,
  },
  {
    name: 'drover_bgp_prefixes_received',
    help: 'Prefixes received from the peer, before policy.',
    type: 'gauge',
    value: ({ prefixes }) => prefixes.ipv4.received + prefixes.ipv6.received,
  },
  {
    name: 'drover_bgp_prefixes_accepted',
    help: 'Prefixes accepted from the peer.',
    type: 'gauge',
    value: ({ prefixes }) => prefixes.ipv4.accepted + prefixes.ipv6.accepted,
  },
  {
    name: 'drover_bgp_prefixes_advertised',
    help: 'Prefixes advertised to the peer.',
    type: 'gauge',
    value: ({ prefixes }) => prefixes.ipv4.advertised + prefixes.ipv6.advertised,
  },
  {
    name: 'drover_bgp_updates_received_total',
    help: 'UPDATE messages received.',
    type: 'counter',
    value: ({ counters }) => counters.updatesIn,
  },
  {
    name: 'drover_bgp_updates_sent_total',
    help: 'UPDATE messages sent.',
    type: 'counter',
    value: ({ counters }) => counters.updatesOut,
  },
]

/** One look at the speaker serves all metrics of a scrape. */
function observePeers(registry: Registry, peers: MetricsSources['peers']): void {
  let look: Promise<readonly PeerStatus[]> | undefined
  const shared = (): Promise<readonly PeerStatus[]> => {
    look ??= peers()
      .catch(() => [])
      .finally(() => {
        look = undefined
      })
    return look
  }
  for (const { name, help, type, label, value } of PEER_METRICS) {
    const Metric = type === 'gauge' ? Gauge : Counter
    new Metric({
      name,
      help,
      labelNames: ['peer', 'address', ...(label === undefined ? [] : [label[0]])],
      registers: [registry],
      async collect() {
        const statuses = await shared()
        this.reset()
        for (const status of statuses) {
          const sample = value(status)
          const more = label === undefined ? {} : { [label[0]]: label[1](status) }
          if (sample !== undefined) this.inc({ peer: status.name, address: status.address, ...more }, sample)
        }
      },
    })
  }
}

function describe(registry: Registry): readonly MetricDescription[] {
  return registry.getMetricsAsArray().map((metric) => {
    const { name, help, type, labelNames } = metric as unknown as {
      name: string
      help: string
      type: string
      labelNames?: readonly string[]
    }
    return { name, help, type, labels: labelNames ?? [] }
  })
}
