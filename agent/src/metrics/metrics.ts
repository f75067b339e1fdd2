import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { PeerStatus } from '@network/bgp'
import { DroverError } from '@network/net'
import type { ApplyReport } from '../drivers/driver.ts'
import type { HealthReport } from '../client/messages.ts'

/** Numbers that are looked up when somebody scrapes. */
export interface MetricsSources {
  routes: () => Readonly<Record<string, number>>
  endpoints: () => number
  journal: () => number
  faults: () => number
  speakerRestarts: () => number
  peers: () => Promise<readonly PeerStatus[]>
  health: () => HealthReport
  problems: () => number
}

export interface Metrics {
  /** Counts calls of an operation, by outcome, with their duration. */
  timed<A, R>(operation: string, call: (argument: A) => Promise<R>): (argument: A) => Promise<R>
  applied(kind: 'route' | 'interface', report: ApplyReport): void
  observe(sources: MetricsSources): void
  /** Prometheus' text format. */
  text(): Promise<string>
  readonly contentType: string
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
    applied(kind, report) {
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
        name: 'drover_health',
        help: '1 if the check is well.',
        labelNames: ['check'],
        registers,
        collect() {
          for (const { name, ok } of sources.health().checks) this.set({ check: name }, ok ? 1 : 0)
        },
      })
      observePeers(registry, sources.peers)
    },
  }
}

const PEER_METRICS: readonly { name: string; help: string; value: (status: PeerStatus) => number }[] = [
  {
    name: 'drover_bgp_session_established',
    help: '1 if the session is Established.',
    value: ({ state }) => (state === 'Established' ? 1 : 0),
  },
  {
    name: 'drover_bgp_session_since_seconds',
    help: "Unix time of the last change of the session's state.",
    value: ({ since }) => since / 1000,
  },
  {
    name: 'drover_bgp_prefixes_accepted',
    help: 'Prefixes accepted from the peer.',
    value: ({ prefixes }) => prefixes.ipv4.accepted + prefixes.ipv6.accepted,
  },
  {
    name: 'drover_bgp_prefixes_advertised',
    help: 'Prefixes advertised to the peer.',
    value: ({ prefixes }) => prefixes.ipv4.advertised + prefixes.ipv6.advertised,
  },
  {
    name: 'drover_bgp_session_drops',
    help: 'How often an established session ended.',
    value: ({ counters }) => counters.dropped,
  },
  {
    name: 'drover_bgp_updates_received',
    help: 'UPDATE messages received.',
    value: ({ counters }) => counters.updatesIn,
  },
  {
    name: 'drover_bgp_updates_sent',
    help: 'UPDATE messages sent.',
    value: ({ counters }) => counters.updatesOut,
  },
]

/** One look at the speaker serves all gauges of a scrape. */
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
  for (const { name, help, value } of PEER_METRICS) {
    new Gauge({
      name,
      help,
      labelNames: ['peer', 'address'],
      registers: [registry],
      async collect() {
        const statuses = await shared()
        this.reset()
        for (const status of statuses) this.set({ peer: status.name, address: status.address }, value(status))
      },
    })
  }
}
