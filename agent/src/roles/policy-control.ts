/**
 * Policy on this node: what calculation and rendering make of the model goes to the drivers of sets and chains, from the
 * moment on at which the model is in sync. Until then, and while the agent is down, the kernel keeps what it has. Whatever
 * others do to our chains and sets is found by looking every so often; what was refused is tried again.
 */
import { type AgentSettings, durationMs } from '@network/datastore/model'
import { type Clock, DroverError, type Family, type Log, type Timer } from '@network/net'
import { type PolicyUpdate, createCalculator } from '@network/policy'
import { chooseBackend } from '../drivers/iptables/backend.ts'
import { type FamilyChoice, chooseFamilies } from '../drivers/iptables/families.ts'
import type { Backend } from '../drivers/iptables/programs.ts'
import type { PolicyFault } from '../drivers/policy-fault.ts'
import type { RuleCounter } from '../drivers/iptables/iptables-driver.ts'
import { removeOurChains } from '../drivers/iptables/remove-chains.ts'
import { type PolicyDriver, type PolicyReport, createPolicyDriver } from '../drivers/policy-driver.ts'
import { type Conntrack, createConntrack } from '../drivers/conntrack.ts'
import { findRoutes } from '../drivers/flow-routes.ts'
import { readSysctl } from '../drivers/sysctl.ts'
import type { Exec } from '../exec.ts'
import { type PolicySize, createPolicyManager } from '../managers/policy-manager.ts'
import { renderOptionsOf } from '../managers/render-options.ts'
import { workAhead } from './policy-ahead.ts'

export interface PolicyControl {
  /**
   * Chooses the iptables that is in use and sweeps the other of ours.
   * @throws DroverError 'backend-ambiguous', 'iptables-fails', 'missing-tool'
   */
  start(): Promise<void>
  /** Cheap; `refresh` hands on. */
  onUpdate(update: PolicyUpdate): void
  setSettings(settings: AgentSettings): void
  /** The host's interfaces and their addresses, for host endpoints that name addresses only. */
  setInterfaces(interfaces: ReadonlyMap<string, readonly string[]>): void
  /** Hands what changed to the kernel; to be called only when the model is in sync. */
  refresh(): void
  /** Resolves when what was handed on before is in the kernel. @throws DroverError 'kernel' */
  programmed(): Promise<void>
  /** Resolves when what was handed on before has been tried once. */
  settled(): Promise<void>
  readonly backend: Backend | undefined
  /** Of which policy is written here; both until `start` knows better. */
  readonly families: readonly Family[]
  /** Whether chains and sets were brought into the kernel once. */
  readonly written: boolean
  faults(): readonly PolicyFault[]
  /** Sentences about resources that can't be used as they are. */
  problems(): readonly string[]
  size(): PolicySize
  /** Policies and profiles that bear on an endpoint of this node, by its key or a host endpoint's name. */
  bearingOn(endpoint: string): { policies: ReadonlySet<string>; profiles: ReadonlySet<string> } | undefined
  counters(): Promise<readonly RuleCounter[]>
  stop(): void
}

export interface PolicyControlOptions {
  readonly node: string
  readonly settings: AgentSettings
  readonly onReport?: (report: PolicyReport) => void
  /** So many established flows were cut. */
  readonly onCut?: (flows: number) => void
}

/** After a change, so that several are one; and the least time between two readings of the table of connections. */
const CUT_AFTER_MS = 20
const CUT_PAUSE_MS = 1_000
/** Reading that table may take this part of the time at most. */
const CUT_SHARE = 0.1
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000

export function createPolicyControl(
  modules: { exec: Exec; clock: Clock; log: Log; speaksIpv6?: () => boolean },
  options: PolicyControlOptions,
): PolicyControl {
  const { exec, clock } = modules
  const speaksIpv6 = modules.speaksIpv6 ?? (() => readSysctl('net/ipv6/conf/all/forwarding') !== undefined)
  const log = modules.log.child({ module: 'policy' })
  let { settings } = options
  const calculator = createCalculator({ node: options.node })
  const manager = createPolicyManager({ calculator }, renderOptionsOf(settings))
  let driver: PolicyDriver | undefined
  let backend: Backend | undefined
  let chosenFamilies: FamilyChoice = { families: ['ipv4', 'ipv6'] }
  let dirty = false
  /** The first pass is being rendered. */
  let isRendering = false
  let retryMs = FIRST_RETRY_MS
  let retry: Timer | undefined
  let failure: DroverError | undefined
  let written = false
  let stopped = false
  const conntrack: Conntrack = createConntrack({ exec })
  let cutting: Timer | undefined
  let cutWanted = false
  let nextCutMs = 0
  const looks: Partial<Record<'chains' | 'sets', Timer>> = {}

  /** The pass with all that was handed on so far: whoever waits for a change waits for this one and starts none. */
  let latest: Promise<PolicyReport | undefined> | undefined

  function apply(): Promise<PolicyReport | undefined> {
    latest = applyOnce()
    return latest
  }

  /** The first pass brings everything; what is handed on while it renders is brought with it. */
  async function applyFirst(of: PolicyDriver): Promise<PolicyReport | undefined> {
    isRendering = true
    try {
      await workAhead({ manager, driver: of })
    } finally {
      isRendering = false
    }
    pass()
    dirty = false
    return applyOnce()
  }

  async function applyOnce(): Promise<PolicyReport | undefined> {
    if (driver === undefined || stopped) return undefined
    try {
      const report = await driver.apply()
      failure = undefined
      written = true
      options.onReport?.(report)
      if (manager.takeTurned() && settings.flushOnDeny) cutSoon()
      if (report.repairs.chains + report.repairs.sets > 0)
        log.warn({ repairs: report.repairs }, 'somebody changed chains or sets of ours; they are put right')
      if (report.faults.length === 0) retryMs = FIRST_RETRY_MS
      else tryAgain()
      return report
    } catch (error) {
      failure =
        error instanceof DroverError ? error : new DroverError('internal', String(error), { cause: error })
      log.error({ error }, 'policy could not be brought into the kernel; trying again')
      tryAgain()
      return undefined
    }
  }

  /** Established flows that policy no longer allows are forgotten by the kernel; what they send next is judged anew. */
  function cutSoon(): void {
    cutWanted = true
    cutting ??= clock.setTimeout(
      () => {
        const startedAt = clock.monotonic()
        cutWanted = false
        cut()
          .catch((error: unknown) =>
            log.warn({ error }, 'flows that policy no longer allows could not be cut'),
          )
          .finally(() => {
            const now = clock.monotonic()
            nextCutMs = now + Math.max(CUT_PAUSE_MS, (now - startedAt) / CUT_SHARE)
            cutting = undefined
            if (cutWanted && !stopped) cutSoon()
          })
      },
      Math.max(CUT_AFTER_MS, nextCutMs - clock.monotonic()),
    )
  }

  async function cut(): Promise<void> {
    const { judge } = manager
    for (const family of chosenFamilies.families) {
      const entries = await conntrack.list(family)
      const routeOf = await findRoutes(
        { exec },
        family,
        entries.flatMap(({ flow }) => judge.pathsOf(flow)),
      )
      const denied = entries.filter(({ flow }) => judge.denies(flow, routeOf))
      if (denied.length === 0 || stopped) continue
      const flows = await conntrack.forget(denied)
      log.info({ family, flows }, 'flows that policy no longer allows are cut')
      options.onCut?.(flows)
    }
  }

  function tryAgain(): void {
    if (stopped) return
    retry?.cancel()
    retry = clock.setTimeout(() => {
      driver?.resync()
      void apply()
    }, retryMs)
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
  }

  function look(what: 'chains' | 'sets'): void {
    const interval =
      durationMs(what === 'chains' ? settings.iptablesRefreshInterval : settings.ipsetsRefreshInterval) ?? 0
    looks[what]?.cancel()
    if (interval === 0 || stopped || driver === undefined) return
    looks[what] = clock.setTimeout(() => {
      driver?.resync({ chains: what === 'chains', sets: what === 'sets' })
      void apply()
      look(what)
    }, interval)
  }

  function pass(): void {
    const changes = manager.apply()
    if (changes === undefined || driver === undefined) return
    driver.update(changes)
    dirty = true
  }

  return {
    async start() {
      const chosen = await chooseBackend(modules, settings.iptablesBackend)
      backend = chosen.backend
      const { other } = chosen
      chosenFamilies = await chooseFamilies({ exec, speaksIpv6 }, backend)
      const { families, problem } = chosenFamilies
      if (problem !== undefined) log.warn({ families }, problem)
      driver = createPolicyDriver(
        { exec, clock, log },
        { backend, families, insertMode: settings.chainInsertMode },
      )
      driver.open()
      if (other.holdsOurs) {
        for (const family of families) await removeOurChains({ exec }, { family, backend: other.backend })
        log.warn({ swept: other.backend, backend }, 'the other iptables held chains of ours; they are gone')
      }
      log.info({ backend }, 'policy is written with this iptables')
    },
    onUpdate: (update) => calculator.onUpdate(update),
    setSettings(next) {
      const before = settings
      settings = next
      manager.setOptions(renderOptionsOf(next))
      driver?.setInsertMode(next.chainInsertMode)
      if (before.chainInsertMode !== next.chainInsertMode) dirty = true
      if (before.iptablesRefreshInterval !== next.iptablesRefreshInterval) look('chains')
      if (before.ipsetsRefreshInterval !== next.ipsetsRefreshInterval) look('sets')
    },
    setInterfaces(interfaces) {
      calculator.setInterfaces(interfaces)
      manager.judge.setHostAddresses(new Set([...interfaces.values()].flat()))
    },
    refresh() {
      if (driver === undefined || isRendering) return
      if (looks.chains === undefined) look('chains')
      if (looks.sets === undefined) look('sets')
      if (latest === undefined) {
        latest = applyFirst(driver)
        return
      }
      pass()
      if (!dirty) return
      dirty = false
      void apply()
    },
    async programmed() {
      const report = await (latest ?? apply())
      const fault =
        report?.faults.find(({ key, code }) => code === 'failed' && !key.startsWith('drv-')) ??
        report?.faults.find(({ key }) => /^drv-[46]-src$/.test(key))
      if (report !== undefined && fault === undefined) return
      throw new DroverError(
        'kernel',
        fault?.message ?? failure?.message ?? 'The rules of policy are not in the kernel.',
        { remedy: fault?.remedy ?? "The agent's log says what the kernel refused." },
      )
    },
    async settled() {
      await (latest ?? apply())
    },
    get backend() {
      return backend
    },
    get families() {
      return chosenFamilies.families
    },
    get written() {
      return written
    },
    faults: () => driver?.faults() ?? [],
    problems: () => [
      ...(chosenFamilies.problem === undefined ? [] : [chosenFamilies.problem]),
      ...calculator.problems(),
    ],
    size: () => manager.size(),
    bearingOn: (endpoint) => manager.bearingOn(endpoint),
    counters: async () => (await driver?.counters()) ?? [],
    stop() {
      stopped = true
      retry?.cancel()
      cutting?.cancel()
      looks.chains?.cancel()
      looks.sets?.cancel()
      driver?.close()
    },
  }
}
