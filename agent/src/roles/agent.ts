/**
 * One agent per node, put together. It starts from what it can be sure of: flags, its own disk, the kernel; opens its
 * local API; then joins the cluster: settings, name, addresses; then follows the model. Whatever is missing on the
 * way (the store above all) is waited for with the kernel and the peers left as they are; what cannot get better by
 * waiting (a taken name or port, wrong certificates) ends the agent with an error. It may be killed between any two
 * lines: everything it does is found again by the next start, in the kernel, in the store or in the journal.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { type Store, createAllocator, createEtcdStore, createSyncer } from '@network/datastore'
import { durationMs, effectiveBgpConfiguration } from '@network/datastore/model'
import { DroverError, type Family, type Log } from '@network/net'
import { createApiServer } from '../api/server.ts'
import { createDetector } from '../detect/detector.ts'
import { hostSysctls, writeSysctls } from '../drivers/sysctl.ts'
import { createAttach } from '../endpoint/attach.ts'
import { planAttach } from '../endpoint/attach-plan.ts'
import { type Deadline, createDeadline } from '../endpoint/deadline.ts'
import { createDetach } from '../endpoint/detach.ts'
import { openJournal } from '../endpoint/journal.ts'
import { createKeyedLock } from '../endpoint/keyed-lock.ts'
import { createReleases } from '../endpoint/releases.ts'
import { createUpkeep } from '../endpoint/upkeep.ts'
import { createExec } from '../exec.ts'
import { watchedPrefixes } from '../managers/model-event.ts'
import type { SourceAddresses } from '../managers/workload-manager.ts'
import { createHealth } from '../metrics/health.ts'
import { type HttpAnswer, serveHttp } from '../metrics/http-listener.ts'
import { createMetrics } from '../metrics/metrics.ts'
import { createAgentLog } from './agent-log.ts'
import { createAgentOperations } from './agent-operations.ts'
import { type AgentSettingsSource, type StoredConfiguration, createAgentSettings } from './agent-settings.ts'
import { createAudit } from './audit.ts'
import { createDataplane } from './dataplane.ts'
import { createEmbeddedEtcd } from './embedded-etcd.ts'
import { createLastKnownWriter, readLastKnown } from './last-known.ts'
import { type Life, createLife } from './life.ts'
import { readMachineIdentity } from './machine-identity.ts'
import { createMembership, mayPass } from './membership.ts'
import { createModelLoop } from './model-loop.ts'
import { type FoundAddresses, findNodeAddresses } from './node-addresses.ts'
import { requireBgpPort, requireRoot, requireTools } from './preflight.ts'
import { createSpeakerControl } from './speaker-control.ts'
import { readStored, readStoredConfiguration } from './stored-configuration.ts'
import { systemClock as clock } from './system-clock.ts'
import { agentVersion } from './version.ts'

export interface AgentOptions {
  /** By the names of settings, text or typed; undefined is absent. */
  flags: Readonly<Record<string, unknown>>
  environment: Readonly<Record<string, string | undefined>>
  /** Ends the agent as SIGTERM does. */
  signal?: AbortSignal
  /** The speaker's worker; default: beside this program. */
  speakerEntry?: URL
}

const API_CLOSE_MS = 5_000
const FIRST_READ_MS = 3_000
const STORE_RETRY_MS = 1_000
/** How often an interval of 0 is looked at again, in case it was changed. */
const IDLE_MS = 60_000

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

  const health = createHealth(clock, {
    store: ['ready'],
    'in-sync': ['ready'],
    node: ['ready'],
    dataplane: ['ready'],
    bgp: ['ready'],
    process: ['ready', 'live'],
  })
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

  if (local.embeddedEtcd) await startEmbeddedEtcd(settings, life, log)
  const store = await openStore(settings, log)
  life.atEnd('the store', () => store.close())
  health.set('store', false, 'etcd has not answered yet.')

  const known = await readLastKnown(stateDirectory, node)
  const lastKnown = createLastKnownWriter({ log }, { stateDirectory })
  life.atEnd('what is known', () => lastKnown.flush())
  let stored = await firstConfiguration(store, node, known?.configuration, life, log)
  const startsAlone = stored === undefined
  if (life.ended()) return
  settings.update(stored ?? known?.configuration ?? NOTHING_STORED)
  const values = settings.current.values
  log.setLevel(values.logLevel)

  const detector = createDetector({ exec, clock }, { interfacePrefix: values.interfacePrefix })
  const find = (): Promise<FoundAddresses> => {
    const origin = settings.current.reports.find(({ name }) => name === 'mtuInterfacePattern')?.origin
    return findNodeAddresses({ detector, log }, settings.current.values, origin !== 'built-in')
  }
  let found = await find()
  const deadlineFor = (operation: string, ms: number): Deadline => createDeadline(clock, operation, ms)
  const journal = await openJournal({ log }, { directory: path.join(stateDirectory, 'journal') })
  life.atEnd('the journal', () => journal.close())
  const locks = createKeyedLock()
  const allocator = createAllocator({ store, clock, random: Math.random, log }, { node })
  life.atEnd('the allocator', () => allocator.close())
  const metrics = createMetrics()

  const membership = createMembership(
    { store, clock, log, life, uuid: randomUUID, random: Math.random },
    {
      node,
      identity: await readMachineIdentity(stateDirectory),
      facts: { hostname: hostname(), pid: process.pid, startedAt, version: agentVersion },
      detected: () => interfaceAddresses(found),
      beforeRegistration: async () => {
        if (speaker.thread === undefined) await requireBgpPort(await listenPort(store, node))
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
      onReport: (kind, report) => metrics.applied(kind, report),
      onMissing: (names) => upkeep.onMissing(names),
    },
  )
  life.atEnd('the dataplane', () => dataplane.stop())
  let leftRoutes = false
  const speaker = createSpeakerControl(
    { clock, log },
    {
      entry: options.speakerEntry ?? speakerEntryBesideThis(),
      restarting: () => leftRoutes,
      onBest: (batch) => model.onBest(batch),
      onStart: () => model.onSpeakerStart(),
    },
  )
  life.atEnd('the speaker', () => speaker.stop('the agent stops'))
  const model = createModelLoop(
    { clock, log, dataplane, speaker },
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
      },
      onInSync: () => releases.replay(),
      onNodeRemoved: () => membership.onNodeRemoved(),
      onDesired: ({ options: speakerOptions, state }) =>
        lastKnown.save({
          node,
          configuration: stored ?? NOTHING_STORED,
          speaker: speakerOptions === undefined ? undefined : { options: speakerOptions, state },
        }),
    },
  )
  const releases = createReleases({
    allocator,
    store,
    journal,
    locks,
    clock,
    log,
    createDeadline: deadlineFor,
  })
  life.atEnd('releases', () => releases.stop())
  const upkeep = createUpkeep({
    wire: dataplane.wire,
    endpoints: model.endpoints,
    locks,
    clock,
    log,
    createDeadline: deadlineFor,
  })
  const syncer = createSyncer({ store, clock, log }, { prefixes: watchedPrefixes(node), signal: life.signal })
  const storeAnswers = (): boolean => syncer.state.status !== 'disconnected'

  refreshHealth = () => {
    const { state } = syncer
    if (state.status === 'disconnected')
      health.set('store', false, `etcd does not answer: ${state.reason.message}`)
    else health.set('store', true, 'etcd answers.')
    health.set(
      'in-sync',
      model.inSync,
      model.inSync ? 'The model is in sync.' : 'The model is not in sync yet.',
    )
    const trouble = membership.problem
    health.set(
      'node',
      membership.joined && trouble === undefined,
      trouble?.message ?? (membership.joined ? 'The node is registered.' : 'The node is not registered yet.'),
    )
    const refused = dataplane.faults().length
    health.set(
      'dataplane',
      dataplane.started,
      refused === 0
        ? 'The kernel holds what it should.'
        : `${refused} objects of the kernel are not as they should be.`,
    )
    health.set(
      'bgp',
      speaker.problem === undefined && speaker.thread?.running === true,
      speaker.problem?.message ??
        (speaker.thread?.running === true ? 'The speaker runs.' : 'The speaker does not run yet.'),
    )
  }
  const obstacle = (): DroverError | undefined => {
    if (life.ended())
      return new DroverError('stopping', 'The agent is just stopping.', {
        remedy: 'Try again when it is back.',
      })
    if (membership.problem !== undefined) return membership.problem
    if (!model.inSync || !membership.joined) return notReady(syncer.state)
    if (model.view.get('ClusterInformation', 'default')?.spec.datastoreReady === false) {
      return new DroverError(
        'not-ready',
        'ClusterInformation says datastoreReady: false, so nothing is attached.',
        {
          remedy: 'Set it to true when the maintenance is over.',
        },
      )
    }
    return undefined
  }

  const audit = createAudit(
    {
      allocator,
      endpoints: model.endpoints,
      interfaces: () => dataplane.interfaces(),
      journal,
      locks,
      clock,
      log,
      life,
    },
    {
      node,
      intervalMs: () => durationMs(settings.current.values.addressAuditInterval) ?? 0,
      graceMs: () => durationMs(settings.current.values.addressAuditGrace) ?? 900_000,
      ready: () => model.inSync && membership.joined && storeAnswers(),
    },
  )
  const ofEndpoints = {
    node,
    interfacePrefix: values.interfacePrefix,
    deadlineMs: () => durationMs(settings.current.values.attachDeadline) ?? 30_000,
  }
  const { wire } = dataplane
  const { endpoints } = model
  const attach = createAttach(
    {
      ...{ allocator, store, wire, endpoints, releases, journal, locks, clock, log, obstacle },
      uuid: randomUUID,
      plan: (request) =>
        planAttach(request, {
          node,
          nodeLabels: model.view.get('Node', node)?.metadata.labels ?? {},
          pools: model.view.list('IPPool'),
          network: request.network === undefined ? undefined : model.view.get('Network', request.network),
          mtuBytes: found.mtuBytes,
        }),
      programmed: (destinations) => model.programmed(destinations),
      createDeadline: deadlineFor,
    },
    ofEndpoints,
  )
  const detach = createDetach(
    {
      ...{ wire, endpoints, releases, locks, clock, log, storeAnswers },
      ignorance: () => (model.inSync ? undefined : notReady(syncer.state)),
      createDeadline: deadlineFor,
    },
    ofEndpoints,
  )

  writeSysctls(
    hostSysctls({
      uplinks: [...new Set(Object.values(found.addresses).map(({ device }) => device))],
      families: Object.values(found.addresses).map(({ family }) => family),
    }),
  )
  if (!startsAlone) await membership.join()
  if (life.ended()) return
  leftRoutes = (await dataplane.start()).leftRoutes
  model.setSources(sourcesOf(found))
  operations.serve({
    ...{ node, startedAt, model, dataplane, speaker, journal, membership },
    found: () => found,
    attach: metrics.timed('attach', attach),
    detach: metrics.timed('detach', detach),
    audit: (request) => audit.run(request),
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
  log.info({ node, peers: model.summary().speaker.state.peers.length }, 'the agent is ready')

  metrics.observe({
    routes: () => model.summary().routes,
    endpoints: () => model.endpoints.list().length,
    journal: () => journal.pending().length,
    faults: () => dataplane.faults().length,
    speakerRestarts: () => speaker.thread?.restarts ?? 0,
    peers: async () => (await speaker.thread?.peers()) ?? [],
    health: () => operations.health('health'),
    problems: () => model.summary().problems.length,
  })
  await listen('metricsListen', values.metricsListen, {
    '/metrics': async () => ({ status: 200, contentType: metrics.contentType, body: await metrics.text() }),
  })
  const answer = (aspect: 'health' | 'ready' | 'live') => (): HttpAnswer => {
    const report = operations.health(aspect)
    return { status: report.ok ? 200 : 503, contentType: 'application/json', body: JSON.stringify(report) }
  }
  await listen('healthListen', values.healthListen, {
    '/health': answer('health'),
    '/readiness': answer('ready'),
    '/liveness': answer('live'),
  })

  audit.follow().catch((error: unknown) => life.fail(error))
  every('routeRefreshInterval', () => upkeep.verify())
  await upkeep.verify()
  every('addressPollInterval', async () => {
    const before = JSON.stringify(interfaceAddresses(found))
    found = await find()
    model.setSources(sourcesOf(found))
    if (JSON.stringify(interfaceAddresses(found)) !== before) membership.update()
  })

  /** Does something again and again, at the interval that the setting has at that time; a failure is for the log. */
  function every(setting: 'routeRefreshInterval' | 'addressPollInterval', work: () => Promise<void>): void {
    const follow = async (): Promise<void> => {
      while (!life.ended()) {
        const intervalMs = durationMs(settings.current.values[setting]) ?? 0
        await life.pause(intervalMs === 0 ? IDLE_MS : intervalMs)
        if (life.ended() || intervalMs === 0) continue
        await work().catch((error: unknown) => {
          log.warn({ setting, error: String(error) }, 'a periodic look failed; what was known stays in force')
        })
      }
    }
    void follow()
  }

  async function listen(
    setting: string,
    where: string,
    paths: Readonly<Record<string, () => HttpAnswer | Promise<HttpAnswer>>>,
  ): Promise<void> {
    const listener = await serveHttp(setting, where, paths)
    if (listener !== undefined) life.atEnd(setting, () => listener.close())
  }
}

const NOTHING_STORED: StoredConfiguration = { cluster: undefined, node: undefined }

async function startEmbeddedEtcd(settings: AgentSettingsSource, life: Life, log: Log): Promise<void> {
  const { stateDirectory, embeddedEtcdClientPort, embeddedEtcdPeerPort } = settings.current.values
  const etcd = createEmbeddedEtcd(
    { clock, log },
    {
      directory: path.join(stateDirectory, 'etcd'),
      clientPort: embeddedEtcdClientPort,
      peerPort: embeddedEtcdPeerPort,
    },
  )
  life.atEnd('the embedded etcd', () => etcd.stop())
  await etcd.start()
}

async function openStore(settings: AgentSettingsSource, log: Log): Promise<Store> {
  const values = settings.current.values
  const given = (text: string): string | undefined => (text === '' ? undefined : text)
  return createEtcdStore(
    { clock, log },
    {
      endpoints: values.embeddedEtcd
        ? [`http://127.0.0.1:${values.embeddedEtcdClientPort}`]
        : values.etcdEndpoints,
      caFile: given(values.etcdCaFile),
      certFile: given(values.etcdCertFile),
      keyFile: given(values.etcdKeyFile),
      username: given(values.etcdUsername),
      password: values.etcdPasswordFile === '' ? undefined : await readPassword(values.etcdPasswordFile),
    },
  )
}

async function readPassword(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).split('\n')[0] ?? ''
  } catch (error) {
    throw new DroverError(
      'invalid-settings',
      `The password file ${file} can't be read: ${(error as Error).message}.`,
      {
        remedy: 'Correct --etcd-password-file.',
        cause: error,
      },
    )
  }
}

/**
 * What the store says at the start; undefined if it does not answer and this agent knows enough to begin without it.
 * An agent that knows nothing waits.
 */
async function firstConfiguration(
  store: Store,
  node: string,
  known: StoredConfiguration | undefined,
  life: Life,
  log: Log,
): Promise<StoredConfiguration | undefined> {
  while (!life.ended()) {
    try {
      return await readStoredConfiguration(store, node, FIRST_READ_MS)
    } catch (error) {
      if (!mayPass(error)) throw error
      if (known !== undefined) return undefined
      log.warn({ error: (error as Error).message }, 'waiting for etcd')
      await life.pause(STORE_RETRY_MS)
    }
  }
  return undefined
}

async function listenPort(store: Store, node: string): Promise<number> {
  const [cluster, ofNode] = await Promise.all([
    readStored(store, 'BGPConfiguration', 'default', FIRST_READ_MS),
    readStored(store, 'BGPConfiguration', `node.${node}`, FIRST_READ_MS),
  ])
  return effectiveBgpConfiguration(cluster?.spec, ofNode?.spec).listenPort
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

function notReady(state: { status: string; reason?: Error }): DroverError {
  return state.reason === undefined
    ? new DroverError('not-ready', 'The agent is still starting: its model is not in sync with etcd yet.', {
        remedy: 'Try again in a moment.',
      })
    : new DroverError(
        'unreachable',
        `The agent has not been in sync since its start, for etcd does not answer: ${state.reason.message}`,
        {
          remedy: 'Bring etcd back, or correct --etcd-endpoints.',
        },
      )
}

/** From its sources this program runs beside speaker-worker.ts, from its bundle beside the worker's bundle. */
function speakerEntryBesideThis(): URL {
  return new URL(
    import.meta.url.endsWith('.ts') ? './speaker-worker.ts' : './speaker-worker.js',
    import.meta.url,
  )
}
