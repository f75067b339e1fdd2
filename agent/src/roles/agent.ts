/**
 * One agent per node, put together. It starts from what it can be sure of: flags, its own disk, the kernel; opens its
 * local API; then joins the cluster: settings, name, addresses; then follows the model. Whatever is missing on the
 * way (the store above all) is waited for with the kernel and the peers left as they are; what cannot get better by
 * waiting (a taken name or port, wrong certificates) ends the agent with an error. It may be killed between any two
 * lines: everything it does is found again by the next start, in the kernel, in the store or in the journal.
 */
import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { hostname, release } from 'node:os'
import path from 'node:path'
import { createAllocator, createResources, createSyncer } from '@network/datastore'
import { durationMs } from '@network/datastore/model'
import type { Family, Log } from '@network/net'
import { createApiServer } from '../api/server.ts'
import { createDetector } from '../detect/detector.ts'
import { hostSysctls, writeSysctls } from '../drivers/sysctl.ts'
import { openJournal } from '../endpoint/journal.ts'
import type { Face } from '../client/face.ts'
import { createExec } from '../exec.ts'
import { watchedPrefixes } from '../managers/model-event.ts'
import type { SourceAddresses } from '../managers/workload-manager.ts'
import { createNameIndex } from '../names/name-index.ts'
import { createHealth } from '../metrics/health.ts'
import { createMetrics } from '../metrics/metrics.ts'
import { createAgentLog } from './agent-log.ts'
import { createAgentOperations } from './agent-operations.ts'
import { type AgentSettingsSource, type StoredConfiguration, createAgentSettings } from './agent-settings.ts'
import { createDataplane } from './dataplane.ts'
import { startFaces } from './faces.ts'
import { createLastKnownWriter, readLastKnown } from './last-known.ts'
import { type Life, createLife } from './life.ts'
import { readMachineIdentity } from './machine-identity.ts'
import { makeDefaultProfile } from './default-profile.ts'
import { createMembership } from './membership.ts'
import { createModelLoop } from './model-loop.ts'
import { serveMonitors } from './monitoring.ts'
import { createNameService } from './names.ts'
import { type FoundAddresses, findNodeAddresses } from './node-addresses.ts'
import { periodically } from './periodic.ts'
import { createPolicyControl } from './policy-control.ts'
import { requireBgpPort, requireRoot, requireTools } from './preflight.ts'
import { AGENT_CHECKS, createReadiness } from './readiness.ts'
import { createSpeakerControl } from './speaker-control.ts'
import { createSpeakerStock } from './speaker-stock.ts'
import { publishStatus } from './status-publisher.ts'
import { firstConfiguration, listenPort, openStore, startEmbeddedEtcd } from './store-access.ts'
import { systemClock as clock } from '@network/net/system'
import { agentVersion } from './version.ts'
import { createWorkloads } from './workloads.ts'

export interface AgentOptions {
  /** By the names of settings, text or typed; undefined is absent. */
  flags: Readonly<Record<string, unknown>>
  environment: Readonly<Record<string, string | undefined>>
  /** Ends the agent as SIGTERM does. */
  signal?: AbortSignal
  /** Protocols under which runtimes speak to this agent; default none. */
  faces?: readonly Face[]
  /** The speaker's worker; default: beside this program. */
  speakerEntry?: URL
}

const API_CLOSE_MS = 5_000
const NOTHING_STORED: StoredConfiguration = { cluster: undefined, node: undefined }

/**
 * Runs the agent until SIGTERM, SIGINT or `signal`. Resolves after an orderly end.
 * @throws DroverError that says why the agent can't run, and what to do
 */
export async function runAgent(options: AgentOptions): Promise<void> {
  const settings = createAgentSettings(options.flags, options.environment)
  requireRoot()
  const log = createAgentLog(settings.current.values.logLevel)
  const life = createLife({ clock, log })
  const onSignal = (name: string): void => life.end(name)
  const onAbort = (): void => life.end('its caller')
  process.once('SIGTERM', onSignal).once('SIGINT', onSignal)
  options.signal?.addEventListener('abort', onAbort, { once: true })
  try {
    startAgent(options, settings, life, log).catch((error: unknown) => life.fail(error))
    await life.over
  } finally {
    await life.close()
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal)
    options.signal?.removeEventListener('abort', onAbort)
  }
}

async function startAgent(
  options: AgentOptions,
  settings: AgentSettingsSource,
  life: Life,
  log: Log & { setLevel(level: string): void },
): Promise<void> {
  const local = settings.current.values
  const { nodeName: node, stateDirectory } = local
  const startedAt = clock.now()
  const exec = createExec()
  await requireTools(exec)
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 })

  const health = createHealth(clock, AGENT_CHECKS)
  let refreshHealth = (): void => undefined
  health.set('process', true, 'The agent runs.')
  const operations = createAgentOperations(
    { health, refreshHealth: () => refreshHealth() },
    { settings: () => settings.current.reports },
  )
  const api = createApiServer({ operations, log }, { socketPath: local.socket })
  await api.listen()
  life.atEnd('the local API', () => api.close(API_CLOSE_MS))
  log.info({ node, version: agentVersion, pid: process.pid, socket: local.socket }, 'the agent starts')

  const faces = await startFaces(
    options.faces ?? [],
    { operations, clock, log, life },
    { node, socketPath: local.socket, stateDirectory },
  )
  life.atEnd('the faces', () => faces.stop())

  const stock = createSpeakerStock(options.speakerEntry ?? speakerEntryBesideThis())
  stock.prepare()
  life.atEnd("a speaker's thread that nobody needed", () => stock.close())
  if (local.embeddedEtcd) await startEmbeddedEtcd({ clock, log, life }, local)
  const store = await openStore({ clock, log }, local)
  life.atEnd('the store', () => store.close())
  health.set('store', false, 'etcd has not answered yet.')

  const known = await readLastKnown(stateDirectory, node)
  const lastKnown = createLastKnownWriter({ log }, { stateDirectory })
  life.atEnd('what is known', () => lastKnown.flush())
  let stored = await firstConfiguration({ store, life, log }, node, known?.configuration)
  const startsAlone = stored === undefined
  if (life.ended()) return
  settings.update(stored ?? known?.configuration ?? NOTHING_STORED)
  const values = settings.current.values
  log.setLevel(values.logLevel)

  const detector = createDetector({ exec, clock }, { interfacePrefix: values.interfacePrefix })
  const find = async (): Promise<FoundAddresses> => {
    const origin = settings.current.reports.find(({ name }) => name === 'mtuInterfacePattern')?.origin
    const host = await detector.look()
    return findNodeAddresses({ host, log }, settings.current.values, origin !== 'built-in')
  }
  let found = await find()
  const journal = await openJournal({ log }, { directory: path.join(stateDirectory, 'journal') })
  life.atEnd('the journal', () => journal.close())
  const allocator = createAllocator({ store, clock, random: Math.random, log }, { node })
  life.atEnd('the allocator', () => allocator.close())
  const metrics = createMetrics()

  const membership = createMembership(
    { store, clock, log, life, uuid: randomUUID, random: Math.random },
    {
      node,
      identity: await readMachineIdentity(stateDirectory),
      facts: {
        ...{ hostname: hostname(), pid: process.pid, startedAt },
        ...{ version: agentVersion, nodeVersion: process.version, kernel: release() },
      },
      detected: () => interfaceAddresses(found),
      beforeRegistration: async () => {
        if (speaker.thread === undefined) await requireBgpPort(await listenPort(store, node))
        await makeDefaultProfile({ store, uuid: randomUUID }, { createdAt: clock.now(), node })
      },
    },
  )
  life.atEnd("the claim on the node's name", () => membership.leave())

  const dataplane = createDataplane(
    { exec, clock, log },
    {
      interfacePrefix: values.interfacePrefix,
      routeMetric: values.kernelRouteMetric,
      resyncIntervalMs: durationMs(values.routeRefreshInterval) ?? 90_000,
      onReport: (kind, report, drift) => metrics.applied(kind, report, drift),
      onDrift: (names) => workloads.upkeep.onDrift(names),
    },
  )
  life.atEnd('the dataplane', () => dataplane.stop())
  const policy = createPolicyControl(
    { exec, clock, log },
    {
      ...{ node, settings: values },
      onReport: (report) => metrics.policyApplied(report),
      onCut: (flows) => metrics.policyCut(flows),
    },
  )
  life.atEnd('policy', () => policy.stop())
  let leftRoutes = false
  const speaker = createSpeakerControl(
    { stock, clock, log },
    {
      restarting: () => leftRoutes,
      onBest: (batch) => model.onBest(batch),
      onStart: () => model.onSpeakerStart(),
    },
  )
  life.atEnd('the speaker', () => speaker.stop('the agent stops'))
  const index = createNameIndex()
  const model = createModelLoop(
    { clock, log, dataplane, policy, speaker, names: index },
    {
      node,
      interfacePrefix: values.interfacePrefix,
      detached: journal.pending().map(({ handle }) => handle),
      onEvent: (event) => {
        if (event.type !== 'resource') return
        if (event.kind === 'Node' && event.name === node && event.resource !== undefined)
          membership.onNodePresent()
        if (event.kind !== 'AgentConfiguration') return
        stored = {
          cluster: event.name === 'default' ? event.resource?.spec : stored?.cluster,
          node: event.name === `node.${node}` ? event.resource?.spec : stored?.node,
        }
        applySettings(settings, stored, log)
        policy.setSettings(settings.current.values)
        names.setSettings(settings.current.values)
      },
      onInSync: () => workloads.releases.replay(),
      onNodeRemoved: () => membership.onNodeRemoved(),
      onDesired: ({ options: speakerOptions, state }) =>
        lastKnown.save({
          node,
          configuration: stored ?? NOTHING_STORED,
          speaker: speakerOptions === undefined ? undefined : { options: speakerOptions, state },
        }),
    },
  )
  const names = createNameService(
    { index, complete: () => model.inSync, random: Math.random, clock, log },
    { resolvConf: '/etc/resolv.conf', onOutcome: (outcome) => metrics.asked(outcome) },
  )
  life.atEnd('names', () => names.stop())
  names.setSettings(values)
  faces.provide({
    resources: createResources({ store, clock, uuid: randomUUID }),
    allocator,
    handover: () => workloads.handover,
    model: {
      complete: () => model.inSync,
      get: (kind, name) => model.view.get(kind, name),
      list: (kind) => model.view.list(kind),
    },
  })
  const syncer = createSyncer({ store, clock, log }, { prefixes: watchedPrefixes(node), signal: life.signal })
  const storeAnswers = (): boolean => syncer.state.status !== 'disconnected'
  const readiness = createReadiness({ health, syncer, model, membership, dataplane, policy, speaker, life })
  refreshHealth = () => readiness.refresh()
  const workloads = createWorkloads(
    { store, allocator, journal, dataplane, model, exec, clock, log, life },
    {
      ...{ node, interfacePrefix: values.interfacePrefix, settings, storeAnswers },
      readiness: () => readiness,
      complete: () => model.inSync && membership.joined && storeAnswers(),
      mtuBytes: () => found.mtuBytes,
      families: () => policy.families,
      backend: () => policy.backend,
      onRepaired: () => metrics.repaired('workload'),
    },
  )
  life.atEnd('releases', () => workloads.releases.stop())
  for (const { setting, listener } of await serveMonitors(
    { metrics, operations, model, dataplane, policy, speaker, journal, names: index },
    values,
  ))
    life.atEnd(setting, () => listener.close())

  writeSysctls(
    hostSysctls({
      uplinks: [...new Set(Object.values(found.addresses).map(({ device }) => device))],
      families: Object.values(found.addresses).map(({ family }) => family),
    }),
  )
  if (!startsAlone) await membership.join()
  if (life.ended()) return
  await policy.start()
  leftRoutes = (await dataplane.start()).leftRoutes
  policy.setInterfaces(found.interfaces)
  model.setSources(sourcesOf(found))
  operations.serve({
    ...{ node, startedAt, model, dataplane, policy, speaker, journal, membership, names },
    found: () => found,
    attach: metrics.timed('attach', workloads.attach),
    detach: metrics.timed('detach', workloads.detach),
    check: workloads.check,
    audit: (request) => workloads.audit.run(request),
  })
  if (startsAlone && known?.speaker !== undefined) {
    log.warn({ peers: known.speaker.state.peers.length }, 'etcd is away: BGP goes on as last known')
    speaker.setDesired({ ...known.speaker, origins: new Map(), problems: [] })
  }
  model.follow(syncer).catch((error: unknown) => life.fail(error))
  if (startsAlone) await membership.join()
  await model.firstSync
  if (life.ended()) return
  await model.settled()
  await speaker.settled()
  faces.ready()
  // Before anything that calls under way still need.
  life.atEnd('calls under way', async () => {
    await Promise.all([faces.stop(), api.close(API_CLOSE_MS)])
  })
  log.info({ node, peers: model.summary().speaker.state.peers.length }, 'the agent is ready')

  const forLife = (work: Promise<void>): void => void work.catch((error: unknown) => life.fail(error))
  const interval = (name: 'routeRefreshInterval' | 'addressPollInterval') => ({
    what: name,
    intervalMs: () => durationMs(settings.current.values[name]) ?? 0,
  })
  forLife(workloads.audit.follow())
  forLife(
    publishStatus(
      { store, life, log },
      {
        node,
        lease: () => membership.lease,
        peers: async () => (await speaker.thread?.peers()) ?? [],
      },
    ),
  )
  await workloads.upkeep.verify()
  forLife(periodically({ life, log }, interval('routeRefreshInterval'), () => workloads.upkeep.verify()))
  forLife(
    periodically({ life, log }, interval('addressPollInterval'), async () => {
      const before = JSON.stringify(interfaceAddresses(found))
      found = await find()
      policy.setInterfaces(found.interfaces)
      model.setSources(sourcesOf(found))
      if (JSON.stringify(interfaceAddresses(found)) !== before) membership.update()
    }),
  )
}

function applySettings(
  settings: AgentSettingsSource,
  stored: StoredConfiguration,
  log: Log & { setLevel(level: string): void },
): void {
  const changed = settings.update(stored)
  if (changed.length === 0) return
  log.setLevel(settings.current.values.logLevel)
  log.info({ settings: changed }, 'settings changed; those that are not live take effect at the next start')
}

function interfaceAddresses({ addresses }: FoundAddresses): Partial<Record<Family, string>> {
  return Object.fromEntries(
    Object.entries(addresses).map(([family, { interfaceAddress }]) => [family, interfaceAddress]),
  )
}

function sourcesOf({ addresses }: FoundAddresses): SourceAddresses {
  return Object.fromEntries(Object.entries(addresses).map(([family, { address }]) => [family, address]))
}

/** From its sources this program runs beside speaker-worker.ts, from its bundle beside the worker's bundle. */
function speakerEntryBesideThis(): URL {
  return new URL(
    import.meta.url.endsWith('.ts') ? './speaker-worker.ts' : './speaker-worker.js',
    import.meta.url,
  )
}
