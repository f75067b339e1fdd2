/** What monitors may ask over TCP, where the settings name a port: metrics of this agent, and its health. */
import { type Family, parsePrefix, addressBits } from '@network/net'
import type { AgentOperations } from '../api/operations.ts'
import type { Journal } from '../endpoint/journal.ts'
import { type HttpAnswer, type HttpListener, serveHttp } from '../metrics/http-listener.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { NameIndex } from '../names/name-index.ts'
import type { Dataplane } from './dataplane.ts'
import type { ModelLoop } from './model-loop.ts'
import type { PolicyControl } from './policy-control.ts'
import type { SpeakerControl } from './speaker-control.ts'

export interface MonitoringModules {
  metrics: Metrics
  operations: Pick<AgentOperations, 'health'>
  model: ModelLoop
  dataplane: Dataplane
  policy: PolicyControl
  speaker: SpeakerControl
  journal: Journal
  names: Pick<NameIndex, 'size'>
}

/**
 * Begins to serve; closing the listeners ends it.
 * @throws DroverError 'port-taken' that names the setting
 */
export async function serveMonitors(
  modules: MonitoringModules,
  options: { metricsListen: string; healthListen: string },
): Promise<readonly { setting: string; listener: HttpListener }[]> {
  const { metrics, operations, model, dataplane, policy, speaker, journal, names } = modules
  metrics.observe({
    routes: () => model.summary().routes,
    endpoints: () => model.endpoints.list().length,
    addresses: () =>
      countByFamily(model.endpoints.list().flatMap(({ endpoint }) => endpoint.spec.ipNetworks)),
    blocks: () => model.summary().blocks.map(({ cidr, state }) => ({ ...sizeOf(cidr), state })),
    journal: () => journal.pending().length,
    faults: () => dataplane.faults().length,
    speakerRestarts: () => speaker.thread?.restarts ?? 0,
    peers: async () => (await speaker.thread?.peers()) ?? [],
    health: () => operations.health('health'),
    names: () => names.size,
    problems: () => model.summary().problems.length,
    policy: {
      size: () => policy.size(),
      faults: () => policy.faults().length,
      counters: () => policy.counters(),
    },
  })
  const answer = (aspect: 'health' | 'ready' | 'live') => (): HttpAnswer => {
    const report = operations.health(aspect)
    return { status: report.ok ? 200 : 503, contentType: 'application/json', body: JSON.stringify(report) }
  }
  const listeners = {
    metricsListen: await serveHttp('metricsListen', options.metricsListen, {
      '/metrics': async () => ({
        status: 200,
        contentType: metrics.contentType,
        body: await metrics.text(),
      }),
    }),
    healthListen: await serveHttp('healthListen', options.healthListen, {
      '/health': answer('health'),
      '/ready': answer('ready'),
      '/live': answer('live'),
    }),
  }
  return Object.entries(listeners).flatMap(([setting, listener]) =>
    listener === undefined ? [] : [{ setting, listener }],
  )
}

function familyOf(text: string): Family {
  return text.includes(':') ? 'ipv6' : 'ipv4'
}

function countByFamily(networks: readonly string[]): Record<Family, number> {
  const ipv6 = networks.filter((network) => familyOf(network) === 'ipv6').length
  return { ipv4: networks.length - ipv6, ipv6 }
}

function sizeOf(cidr: string): { family: Family; addresses: number } {
  const family = familyOf(cidr)
  const block = parsePrefix(cidr)
  return { family, addresses: block.ok ? 2 ** (addressBits(family) - block.value.length) : 0 }
}
