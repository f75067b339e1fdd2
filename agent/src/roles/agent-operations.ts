/** The agent as the local API sees it. It answers from the first moment on; what is not there yet says so. */
import type { AgentOperations } from '../api/operations.ts'
import type {
  AttachRequest,
  AttachResult,
  AuditReport,
  AuditRequest,
  CheckRequest,
  CheckResult,
  DetachRequest,
  DetachResult,
  NodeReport,
  SettingReport,
} from '../client/messages.ts'
import { DroverError } from '@network/net'
import type { Journal } from '../endpoint/journal.ts'
import type { Health } from '../metrics/health.ts'
import { type ServedSpeaker, createBgpOperations } from './bgp-operations.ts'
import type { Dataplane } from './dataplane.ts'
import type { Membership } from './membership.ts'
import type { ModelLoop } from './model-loop.ts'
import type { NameService } from './names.ts'
import type { FoundAddresses } from './node-addresses.ts'
import { endpointReport } from './reports.ts'
import type { PolicyControl } from './policy-control.ts'
import { policyReport } from './policy-report.ts'
import type { SpeakerControl } from './speaker-control.ts'
import { agentVersion } from './version.ts'

/** What there is once the agent has its parts. */
export interface ServedAgent {
  readonly node: string
  readonly startedAt: number
  readonly model: ModelLoop
  readonly dataplane: Dataplane
  readonly policy: PolicyControl
  readonly speaker: SpeakerControl
  readonly journal: Journal
  readonly membership: Membership
  readonly names: Pick<NameService, 'problems'>
  found(): FoundAddresses
  attach(request: AttachRequest): Promise<AttachResult>
  detach(request: DetachRequest): Promise<DetachResult>
  check(request: CheckRequest): Promise<CheckResult>
  audit(request: AuditRequest): Promise<AuditReport>
}

export interface ServableOperations extends AgentOperations {
  /** From now on calls are served by these parts. */
  serve(agent: ServedAgent): void
}

const MOST_FAULTS = 20

export function createAgentOperations(
  modules: { health: Health; refreshHealth: () => void },
  options: { settings: () => readonly SettingReport[] },
): ServableOperations {
  let served: ServedAgent | undefined
  const agent = (): ServedAgent => {
    if (served === undefined) throw starting(modules.health)
    return served
  }

  const bgp = createBgpOperations(() => servedSpeaker(agent()))

  return {
    serve(parts) {
      served = parts
    },
    attach: async (request) => agent().attach(request),
    detach: async (request) => agent().detach(request),
    check: async (request) => agent().check(request),
    async endpoints() {
      const { model, dataplane } = agent()
      const interfaces = dataplane.interfaces()
      const faults = dataplane.faults()
      return Promise.resolve(model.endpoints.list().map((local) => endpointReport(local, interfaces, faults)))
    },
    health(aspect) {
      modules.refreshHealth()
      return modules.health.report(aspect)
    },
    node: async () => nodeReport(agent()),
    config: () => [...options.settings()],
    ...bgp,
    policy: async (endpoint) => policyReport(agent().policy, endpoint),
    audit: async (request) => agent().audit(request),
  }
}

function servedSpeaker({ speaker, model }: ServedAgent): ServedSpeaker | undefined {
  const { thread } = speaker
  if (thread === undefined) return undefined
  const desired = model.summary().speaker
  return {
    peers: () => thread.peers(),
    routes: (query) => thread.routes(query),
    explain: (prefix) => thread.explain(prefix),
    explainExports: (prefix) => thread.explainExports(prefix),
    refresh: (peer, family) => thread.refresh(peer, family),
    declared: () => desired.state.peers,
    origin: (name) => desired.origins.get(name),
    shutdowns: speaker.shutdowns,
    shutDown: (shutdowns) => speaker.shutDown(shutdowns),
  }
}

function starting(health: Health): DroverError {
  const waiting = health.report('ready').checks.find(({ ok }) => !ok)
  return new DroverError('not-ready', `The agent is still starting: ${waiting?.reason ?? 'a moment more'}`, {
    remedy: 'Try again in a moment; its log says what it waits for.',
  })
}

async function nodeReport(agent: ServedAgent): Promise<NodeReport> {
  const { model, dataplane, policy, speaker, journal, membership, names } = agent
  const summary = model.summary()
  const own = model.view.get('Node', agent.node)
  const peers = (await speaker.thread?.peers().catch(() => [])) ?? []
  return {
    node: agent.node,
    version: agentVersion,
    nodeVersion: process.version,
    startedAt: agent.startedAt,
    pid: process.pid,
    inSync: model.inSync,
    revision: model.revision,
    addresses: { ipv4: own?.spec.bgp?.ipv4Address, ipv6: own?.spec.bgp?.ipv6Address },
    asNumber: summary.speaker.options?.asn ?? 0,
    routerId: summary.speaker.options?.routerId,
    mtuBytes: agent.found().mtuBytes,
    blocks: summary.blocks.map(({ cidr, state }) => ({
      cidr,
      family: cidr.includes(':') ? 'ipv6' : 'ipv4',
      state,
    })),
    endpoints: model.endpoints.list().length,
    routes: summary.routes,
    peers: {
      established: peers.filter(({ state }) => state === 'Established').length,
      configured: summary.speaker.state.peers.length,
    },
    journal: journal.pending().length,
    problems: [
      ...(membership.problem === undefined ? [] : [sentence(membership.problem)]),
      ...(speaker.problem === undefined ? [] : [sentence(speaker.problem)]),
      ...summary.problems,
      ...names.problems(),
      ...dataplane
        .faults()
        .slice(0, MOST_FAULTS)
        .map(({ message }) => message),
      ...policy
        .faults()
        .slice(0, MOST_FAULTS)
        .map(({ message }) => message),
    ],
  }
}

function sentence({ message, remedy }: DroverError): string {
  return remedy === undefined ? message : `${message} ${remedy}`
}
