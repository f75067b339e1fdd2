/**
 * From the store's news to the desired state of kernel and speaker. The syncer's batches are decoded and handed to the
 * managers; once the model is in sync, what they desire goes to the drivers and to the speaker, and from then on after
 * every change. The speaker's best routes come in here too, since they share the kernel's one table with ours.
 */
import type { BestBatch } from '@network/bgp'
import type { SyncBatch, Syncer } from '@network/datastore'
import { type Clock, type Log, type Timer, success } from '@network/net'
import type { PlannedEndpoint } from '../endpoint/draft.ts'
import type { LocalEndpoints } from '../endpoint/local-endpoints.ts'
import { createLocalEndpoints } from '../endpoint/local-endpoints.ts'
import { type BgpManager, type SpeakerDesired, createBgpManager } from '../managers/bgp-manager.ts'
import { type BlocksDesired, createBlockManager } from '../managers/block-manager.ts'
import {
  type KeyChange,
  type ModelEvent,
  type ModelFault,
  decodeChange,
  isLocalEndpoint,
} from '../managers/model-event.ts'
import type { NameIndex } from '../names/name-index.ts'
import { type ModelView, createModelView } from '../managers/model-view.ts'
import { brokenUpdateOf, endpointUpdate, policyUpdateOf } from '../managers/policy-updates.ts'
import { createRouteManager } from '../managers/route-manager.ts'
import { mergeRoutes } from '../managers/route-table.ts'
import { type SourceAddresses, createWorkloadManager } from '../managers/workload-manager.ts'
import type { Dataplane } from './dataplane.ts'
import type { PolicyControl } from './policy-control.ts'
import type { SpeakerControl } from './speaker-control.ts'

export interface ModelLoopModules {
  clock: Clock
  log: Log
  dataplane: Dataplane
  policy: PolicyControl
  speaker: SpeakerControl
  names: Pick<NameIndex, 'onUpdate'>
}

export interface ModelLoopOptions {
  node: string
  interfacePrefix: string
  /** Handles of detaches that the store has not heard of yet. */
  detached: Iterable<string>
  onEvent: (event: ModelEvent) => void
  /** The model is complete, for the first time or again after a gap. */
  onInSync: () => void
  /** This node's Node was deleted while it runs. */
  onNodeRemoved: () => void
  onDesired: (desired: SpeakerDesired) => void
}

export interface ModelLoop {
  readonly view: ModelView
  readonly endpoints: LocalEndpoints
  /** True from the first time on. */
  readonly inSync: boolean
  /** Resolves at that time. */
  readonly firstSync: Promise<void>
  readonly revision: number
  /** Routes by kind, blocks, and what is wrong, for people. */
  summary(): {
    routes: { workload: number; blackhole: number; cluster: number }
    blocks: BlocksDesired['blocks']
    speaker: SpeakerDesired
    problems: readonly string[]
  }
  /** Follows the syncer to its end. */
  follow(syncer: Syncer): Promise<void>
  onBest(batch: BestBatch): Promise<void>
  onSpeakerStart(): void
  setSources(sources: SourceAddresses): void
  /** Hands the endpoint's policy on ahead of all else, and resolves when it is in the kernel. */
  protect(planned: PlannedEndpoint): Promise<void>
  /** The endpoint counts as the store and this agent's commits say, whatever was protected. */
  unprotect(key: string): void
  /** Hands on what changed, and resolves when these routes are in the kernel. */
  programmed(destinations: readonly string[]): Promise<void>
  /** Resolves when all that is desired now has been tried on the kernel once. */
  settled(): Promise<void>
}

const GATHER_MS = 5

export function createModelLoop(modules: ModelLoopModules, options: ModelLoopOptions): ModelLoop {
  const { clock, dataplane, policy, speaker, names } = modules
  const log = modules.log.child({ module: 'model' })
  const view = createModelView()
  const workloads = createWorkloadManager({ interfacePrefix: options.interfacePrefix })
  const blocks = createBlockManager()
  const bgp: BgpManager = createBgpManager({ node: options.node })
  const remote = createRouteManager()
  const faults = new Map<string, ModelFault>()
  const endpoints = createLocalEndpoints({
    detached: options.detached,
    onChange: (key, endpoint) => {
      workloads.onUpdate(key, endpoint)
      policy.onUpdate(endpointUpdate(key, endpoint))
      names.onUpdate(key, endpoint)
      refreshSoon()
    },
  })
  let inSync = false
  let synced = (): void => undefined
  const firstSync = new Promise<void>((resolve) => {
    synced = resolve
  })
  let revision = 0
  let timer: Timer | undefined
  let protecting: Promise<void> | undefined
  let refreshing: Promise<void> | undefined

  const take = (event: ModelEvent): void => {
    options.onEvent(event)
    if (event.type === 'endpoint') {
      if (isLocalEndpoint(event.key, options.node)) {
        blocks.onUpdate(event)
        endpoints.fromStore(event)
      } else {
        policy.onUpdate(endpointUpdate(event.key, event.endpoint))
        names.onUpdate(event.key, event.endpoint)
      }
      return
    }
    blocks.onUpdate(event)
    if (event.type !== 'resource') return
    const update = policyUpdateOf(event)
    if (update !== undefined) policy.onUpdate(update)
    view.onUpdate(event)
    if (event.kind === 'Node' && event.name === options.node && event.resource === undefined) {
      // What this node is stays in force while its registration is being mended.
      options.onNodeRemoved()
      return
    }
    bgp.onUpdate(event)
  }

  /** What this agent wrote itself is not read again. */
  const decode = (change: KeyChange): ReturnType<typeof decodeChange> => {
    const { key, value, revision } = change
    const endpoint = value === undefined ? undefined : endpoints.knownAt(key, revision)
    return endpoint === undefined
      ? decodeChange(change)
      : success({ type: 'endpoint', key, endpoint, revision })
  }

  const takeBatch = (batch: SyncBatch): void => {
    for (const update of batch.updates) {
      const change =
        update.type === 'put'
          ? { key: update.key, value: update.value, revision: update.modRevision }
          : { key: update.key, value: undefined, revision: batch.revision }
      const decoded = decode(change)
      const event = decoded.ok ? decoded.value : decoded.error.event
      if (decoded.ok) faults.delete(change.key)
      else {
        faults.set(change.key, decoded.error.fault)
        log.warn({ key: change.key }, decoded.error.fault.message)
      }
      if (event === undefined) continue
      take(event)
      if (decoded.ok) continue
      const broken = brokenUpdateOf(event, decoded.error.broken)
      if (broken !== undefined) policy.onUpdate(broken)
    }
    revision = batch.revision
    if (batch.status === 'in-sync') {
      const first = !inSync
      inSync = true
      refresh()
      if (first) {
        log.info({ revision, endpoints: endpoints.list().length }, 'in sync')
        dataplane.allowInterfaceRemoval()
        synced()
      }
      options.onInSync()
    } else refreshSoon()
  }

  const refreshSoon = (): void => {
    timer ??= clock.setTimeout(refresh, GATHER_MS)
  }

  /**
   * Before the model is complete only what BGP tells is handed on, from an agent that started without the store; it
   * adds to what an earlier run left, since nothing is removed yet.
   */
  const refresh = (): void => {
    timer?.cancel()
    timer = undefined
    if (!inSync) {
      dataplane.setRoutes(remote.apply().routes)
      return
    }
    const ofBlocks = blocks.apply()
    bgp.setAnnounced(ofBlocks.announced)
    const desired = bgp.apply()
    const fromOthers = remote.apply()
    policy.refresh()
    dataplane.setInterfaces(endpoints.list().flatMap(({ endpoint }) => endpoint.spec.interfaceName ?? []))
    dataplane.setRoutes(mergeRoutes(workloads.apply().routes, ofBlocks.blackholes, fromOthers.routes))
    if (fromOthers.converged || desired.options === undefined) dataplane.allowRouteRemoval()
    speaker.setDesired(desired)
    options.onDesired(desired)
  }

  return {
    view,
    endpoints,
    get inSync() {
      return inSync
    },
    firstSync,
    get revision() {
      return revision
    },
    summary() {
      const ofWorkloads = workloads.apply()
      const ofBlocks = blocks.apply()
      const ofSpeaker = bgp.apply()
      return {
        routes: {
          workload: ofWorkloads.routes.size,
          blackhole: ofBlocks.blackholes.size,
          cluster: remote.apply().routes.size,
        },
        blocks: ofBlocks.blocks,
        speaker: ofSpeaker,
        problems: [
          ...[...faults.values()].map(({ message }) => message),
          ...ofWorkloads.problems,
          ...ofBlocks.problems,
          ...ofSpeaker.problems,
          ...policy.problems(),
        ],
      }
    },
    async follow(syncer) {
      for await (const batch of syncer) takeBatch(batch)
    },
    async onBest(batch) {
      remote.onBest(batch)
      refresh()
      await dataplane.settled()
    },
    onSpeakerStart: () => remote.onSpeakerStart(),
    setSources(sources) {
      workloads.setSources(sources)
      remote.setSources(sources)
      refreshSoon()
    },
    async protect({ key, endpoint }) {
      policy.onUpdate(endpointUpdate(key, endpoint))
      // Those that are protected in one go share one calculation.
      protecting ??= Promise.resolve().then(() => {
        protecting = undefined
        policy.refresh()
      })
      await protecting
      await policy.programmed()
    },
    unprotect(key) {
      const local = endpoints.list().find((one) => one.key === key)
      policy.onUpdate(endpointUpdate(key, local?.endpoint))
      refreshSoon()
    },
    async programmed(destinations) {
      // So do routes that are wanted in one turn of the event loop.
      refreshing ??= new Promise((resolve) => {
        setImmediate(() => {
          refreshing = undefined
          refresh()
          resolve()
        })
      })
      await refreshing
      await dataplane.programmed(destinations)
    },
    async settled() {
      refresh()
      await Promise.all([dataplane.settled(), inSync ? policy.settled() : undefined])
    },
  }
}
