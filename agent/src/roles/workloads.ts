/** Attach and detach with all that belongs to them: releases that wait, upkeep of interfaces, the audit of addresses. */
import { randomUUID } from 'node:crypto'
import type { Allocator, Store } from '@network/datastore'
import { durationMs } from '@network/datastore/model'
import type { Clock, Family, Log } from '@network/net'
import type {
  AttachRequest,
  AttachResult,
  CheckRequest,
  CheckResult,
  DetachRequest,
  DetachResult,
} from '../client/messages.ts'
import type { Exec } from '../exec.ts'
import type { Backend } from '../drivers/iptables/programs.ts'
import { awaitFile } from '../endpoint/appearance.ts'
import { createAttach } from '../endpoint/attach.ts'
import { planAttach } from '../endpoint/attach-plan.ts'
import { createCheck } from '../endpoint/check.ts'
import { type Deadline, createDeadline } from '../endpoint/deadline.ts'
import { createDetach } from '../endpoint/detach.ts'
import type { Journal } from '../endpoint/journal.ts'
import { createKeyedLock } from '../endpoint/keyed-lock.ts'
import { type Releases, createReleases } from '../endpoint/releases.ts'
import { type Upkeep, createUpkeep } from '../endpoint/upkeep.ts'
import type { Handover } from '../client/handover.ts'
import { createHandover } from '../endpoint/handover.ts'
import type { AgentSettingsSource } from './agent-settings.ts'
import { type Audit, createAudit } from './audit.ts'
import type { Dataplane } from './dataplane.ts'
import type { Life } from './life.ts'
import type { ModelLoop } from './model-loop.ts'
import type { Readiness } from './readiness.ts'

export interface WorkloadsModules {
  store: Store
  allocator: Allocator
  journal: Journal
  dataplane: Dataplane
  model: ModelLoop
  exec: Exec
  clock: Clock
  log: Log
  life: Life
}

export interface WorkloadsOptions {
  node: string
  interfacePrefix: string
  settings: AgentSettingsSource
  readiness: () => Pick<Readiness, 'obstacle' | 'ignorance'>
  /** Whether the store answered last. */
  storeAnswers: () => boolean
  /** Whether what this agent knows of its node is complete. */
  complete: () => boolean
  mtuBytes: () => number
  /** What the node's kernel speaks. */
  families: () => readonly Family[]
  /** The iptables that holds policy. */
  backend: () => Backend | undefined
  /** The interface of a workload was not as it should be and has been put right. */
  onRepaired: () => void
}

export interface Workloads {
  readonly attach: (request: AttachRequest) => Promise<AttachResult>
  readonly detach: (request: DetachRequest) => Promise<DetachResult>
  readonly check: (request: CheckRequest) => Promise<CheckResult>
  readonly handover: Handover
  readonly releases: Releases
  readonly upkeep: Upkeep
  readonly audit: Audit
}

export function createWorkloads(modules: WorkloadsModules, options: WorkloadsOptions): Workloads {
  const { store, allocator, journal, dataplane, model, clock, log, life } = modules
  const { node, interfacePrefix, settings, storeAnswers } = options
  const { wire } = dataplane
  const { endpoints } = model
  const locks = createKeyedLock()
  const deadlineFor = (operation: string, ms: number): Deadline => createDeadline(clock, operation, ms)
  const releases = createReleases({ ...modules, locks, createDeadline: deadlineFor })
  const upkeep = createUpkeep(
    {
      ...{ wire, endpoints, locks, clock, log, createDeadline: deadlineFor },
      isLeaving: (local) => handover.isLeaving(local),
    },
    { onRepaired: options.onRepaired },
  )
  const audit = createAudit(
    { allocator, endpoints, interfaces: () => dataplane.interfaces(), journal, locks, clock, log, life },
    {
      node,
      intervalMs: () => durationMs(settings.current.values.addressAuditInterval) ?? 0,
      graceMs: () => durationMs(settings.current.values.addressAuditGrace) ?? 900_000,
      ready: options.complete,
    },
  )
  const ofEndpoints = {
    node,
    interfacePrefix,
    deadlineMs: () => durationMs(settings.current.values.attachDeadline) ?? 30_000,
  }
  const attach = createAttach(
    {
      ...{ allocator, store, wire, endpoints, releases, journal, locks, clock, log },
      obstacle: () => options.readiness().obstacle(),
      uuid: randomUUID,
      plan: (request) =>
        planAttach(request, {
          node,
          nodeLabels: model.view.get('Node', node)?.metadata.labels ?? {},
          pools: model.view.list('IPPool'),
          network: request.network === undefined ? undefined : model.view.get('Network', request.network),
          hasProfile: (name) => model.view.get('Profile', name) !== undefined,
          mtuBytes: options.mtuBytes(),
          families: options.families(),
        }),
      protect: (local) => model.protect(local),
      unprotect: (key) => model.unprotect(key),
      programmed: (destinations) => model.programmed(destinations),
      createDeadline: deadlineFor,
    },
    ofEndpoints,
  )
  const handover = createHandover(
    {
      ...{ allocator, store, wire, endpoints, releases, locks, clock, log, storeAnswers },
      obstacle: () => options.readiness().obstacle(),
      uuid: randomUUID,
      programmed: (destinations) => model.programmed(destinations),
      protect: (local) => model.protect(local),
      awaitFile,
      createDeadline: deadlineFor,
    },
    { node, interfacePrefix, mtuBytes: options.mtuBytes },
  )
  const detach = createDetach(
    {
      ...{ wire, endpoints, releases, locks, clock, log, storeAnswers },
      ignorance: () => options.readiness().ignorance(),
      createDeadline: deadlineFor,
    },
    ofEndpoints,
  )
  const check = createCheck(
    {
      ...{ wire, endpoints, allocator, locks, createDeadline: deadlineFor },
      exec: modules.exec,
      backend: options.backend,
    },
    ofEndpoints,
  )
  return { attach, detach, check, handover, releases, upkeep, audit }
}
