import type { Clock, Family, Log, Timer } from '@network/net'
import type { RenderedChanges } from '@network/policy'
import type { Exec } from '../exec.ts'
import { type IpsetOptions, type IpsetReport, createIpsetDriver } from './ipset/ipset-driver.ts'
import type { Backend } from './iptables/programs.ts'
import { type IptablesDriver, type RuleCounter, createIptablesDriver } from './iptables/iptables-driver.ts'
import type { PolicyFault } from './policy-fault.ts'

export interface PolicyDriverOptions {
  readonly backend: Backend
  /** Chains and sets of other families are left out. Default: both. */
  readonly families?: readonly Family[]
  /** Where the jumps into our chains stand in the kernel's. */
  readonly insertMode: 'insert' | 'append'
  readonly sets?: IpsetOptions
}

export interface PolicyReport {
  readonly chainsWritten: number
  readonly rulesWritten: number
  readonly setsWritten: number
  readonly membersAdded: number
  readonly membersRemoved: number
  readonly repairs: { readonly chains: number; readonly sets: number }
  readonly faults: readonly PolicyFault[]
  readonly durationMs: number
}

/**
 * Sets and chains of both families in the order in which nothing opens up or breaks: sets grow, chains change (IPv4
 * beside IPv6), sets shrink.
 */
export interface PolicyDriver {
  /** Cheap: nothing is written. */
  update(changes: RenderedChanges): void
  /** Begins to read the kernel; the next apply waits for it. */
  read(): void
  /** Takes sets ahead of the chains that will name them: the kernel gets them while those are still rendered. */
  grow(sets: RenderedChanges['sets']): void
  /** Resolves when all that was told before the call has been tried; what is told meanwhile shares the next round. */
  apply(): Promise<PolicyReport>
  /** Reads the kernel again at the next apply. */
  resync(what?: { chains?: boolean; sets?: boolean }): void
  setInsertMode(mode: 'insert' | 'append'): void
  /** Of the last apply. */
  faults(): readonly PolicyFault[]
  counters(): Promise<readonly RuleCounter[]>
  /** Starts the programs that write, so that the first apply does not wait for them. */
  open(): void
  close(): void
}

/** How long what is not wanted any more may stay, so that several removals are one and nobody waits for them. */
const TIDY_MS = 1_000
/** Somebody else's rule may name a set of ours for as long as it likes. */
const LONGEST_TIDY_MS = 60_000

export function createPolicyDriver(
  modules: { exec: Exec; clock: Clock; log: Log },
  options: PolicyDriverOptions,
): PolicyDriver {
  const { clock } = modules
  const log = modules.log.child({ module: 'policy' })
  const sets = createIpsetDriver(modules, options.sets)
  const families = options.families ?? ['ipv4', 'ipv6']
  const chains: readonly IptablesDriver[] = families.map((family) =>
    createIptablesDriver(modules, { family, ...options }),
  )
  let lastFaults: readonly PolicyFault[] = []
  let readChains = false
  let readSets = false
  let tidyMs = TIDY_MS
  // What an earlier run left is not to stay for want of a reason to tidy.
  let tidyNext = true
  let tidying: Timer | undefined
  let running: Promise<PolicyReport> | undefined
  let following: Promise<PolicyReport> | undefined
  /** What is done ahead of the next apply, in turn. */
  let ahead: Promise<IpsetReport | undefined> | undefined

  async function once(): Promise<PolicyReport> {
    const tidy = tidyNext
    tidyNext = false
    const startedAt = clock.monotonic()
    const [rereadSets, rereadChains] = [readSets, readChains]
    readSets = readChains = false
    const working = ahead ?? Promise.resolve(undefined)
    ahead = undefined
    try {
      if (rereadSets || rereadChains) await working
      if (rereadSets) await sets.resync()
      if (rereadChains) await Promise.all(chains.map((driver) => driver.resync()))
      // While the kernel takes members, rules are written down.
      const growing = working.then(() => sets.grow())
      const [early, grown] = await Promise.all([
        working,
        growing,
        ...chains.map((driver) => driver.prepare()),
      ])
      const written = await Promise.all(chains.map((driver) => driver.apply({ tidy })))
      const shrunk = await sets.shrink({ tidy })
      if (tidy) tidyMs = shrunk.untidy ? Math.min(tidyMs * 2, LONGEST_TIDY_MS) : TIDY_MS
      if (shrunk.untidy || (!tidy && written.some(({ untidy }) => untidy))) tidyLater()
      lastFaults = [...shrunk.faults, ...written.flatMap(({ faults }) => faults)]
      const sum = (of: (report: (typeof written)[number]) => number): number =>
        written.reduce((total, report) => total + of(report), 0)
      return {
        chainsWritten: sum(({ chainsWritten }) => chainsWritten),
        rulesWritten: sum(({ rulesWritten }) => rulesWritten),
        setsWritten: (early?.setsWritten ?? 0) + grown.setsWritten + shrunk.setsWritten,
        membersAdded: (early?.membersAdded ?? 0) + grown.membersAdded,
        membersRemoved: shrunk.membersRemoved,
        repairs: { chains: sum(({ repairs }) => repairs), sets: grown.repairs + shrunk.repairs },
        faults: lastFaults,
        durationMs: clock.monotonic() - startedAt,
      }
    } catch (error) {
      readSets = readChains = true
      throw error
    }
  }

  function ofOurFamilies(changes: RenderedChanges['sets']): RenderedChanges['sets'] {
    if (families.length === 2) return changes
    return new Map(
      [...changes].filter(([, set]) => set?.family === undefined || families.includes(set.family)),
    )
  }

  /** Nothing is lost by what fails here: the apply that follows does it again, and says so if it fails too. */
  function workAhead(work: () => Promise<IpsetReport | undefined>): void {
    if (running !== undefined) return
    ahead = (ahead ?? Promise.resolve(undefined)).then(work).catch((error: unknown) => {
      log.debug({ error }, 'nothing could be done ahead')
      return undefined
    })
  }

  function tidyLater(): void {
    tidying ??= clock.setTimeout(() => {
      tidying = undefined
      tidyNext = true
      apply().catch((error: unknown) =>
        log.warn({ error }, 'what is not wanted any more could not be removed'),
      )
    }, tidyMs)
  }

  function apply(): Promise<PolicyReport> {
    if (running === undefined) {
      running = once().finally(() => {
        running = undefined
      })
      return running
    }
    following ??= running
      .catch(() => undefined)
      .then(() => {
        following = undefined
        return apply()
      })
    return following
  }

  return {
    update(changes) {
      sets.update(ofOurFamilies(changes.sets))
      for (const driver of chains) driver.update(changes.families[driver.family])
    },
    read() {
      workAhead(async () => {
        await Promise.all([sets.resync(), ...chains.map((driver) => driver.resync())])
        return undefined
      })
    },
    grow(changes) {
      sets.update(ofOurFamilies(changes))
      workAhead(() => sets.grow())
    },
    apply,
    resync({ chains: again = true, sets: alsoSets = true } = {}) {
      tidyNext = true
      readChains ||= again
      readSets ||= alsoSets
    },
    setInsertMode(mode) {
      for (const driver of chains) driver.setInsertMode(mode)
    },
    faults: () => lastFaults,
    async counters() {
      return (await Promise.all(chains.map((driver) => driver.counters()))).flat()
    },
    open() {
      sets.open()
      for (const driver of chains) driver.open()
    },
    close() {
      tidying?.cancel()
      sets.close()
      for (const driver of chains) driver.close()
    },
  }
}
