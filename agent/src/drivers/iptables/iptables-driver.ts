import { type Clock, type Family, type Log } from '@network/net'
import { type RenderedFamily, type RenderedRule, type RuleOrigin, type Table, tables } from '@network/policy'
import { type Exec, checkExit } from '../../exec.ts'
import {
  type ActualChain,
  type DesiredRule,
  type HookRule,
  hashRules,
  hookIsRight,
  hookLines,
  planChain,
} from './chain-plan.ts'
import type { PolicyFault } from '../policy-fault.ts'
import { type Backend, iptablesProgram } from './programs.ts'
import { findRefused, refusalFault, substituteFor } from './refused-rules.ts'
import { isOurChain, parseSave, transaction } from './restore-line.ts'
import { RestoreError, createRestoreSession } from './restore-session.ts'

export interface IptablesReport {
  readonly chainsWritten: number
  readonly rulesWritten: number
  /** Chains and jumps that were as desired before, and that somebody had changed. */
  readonly repairs: number
  /** Something that is not wanted any more is still there. */
  readonly untidy: boolean
  readonly faults: readonly PolicyFault[]
  readonly durationMs: number
}

/** A rule of ours with what it counted since it was written. */
export interface RuleCounter {
  readonly family: Family
  readonly table: Table
  readonly chain: string
  /** Place in the chain, from 0. */
  readonly index: number
  readonly origin: RuleOrigin | undefined
  readonly counts: boolean
  readonly packets: number
  readonly bytes: number
}

/** Desired and actual chains of one family. */
export interface IptablesDriver {
  readonly family: Family
  /** Cheap: nothing is written. */
  update(changes: RenderedFamily): void
  /** Gets ready what the next apply needs, in pieces between which others run; worth it while one waits for something else. */
  prepare(): Promise<void>
  /**
   * Writes the difference, one COMMIT per table. Never rejects for a rule's fault. `tidy: false`: what is not wanted any
   * more and does no harm may stay for now.
   */
  apply(options?: { tidy?: boolean }): Promise<IptablesReport>
  /** Reads the kernel again; the next apply puts right what differs. */
  resync(): Promise<void>
  setInsertMode(mode: 'insert' | 'append'): void
  counters(): Promise<readonly RuleCounter[]>
  /** Starts the program that writes, so that the first apply does not wait for it. */
  open(): void
  close(): void
}

export interface IptablesOptions {
  readonly family: Family
  readonly backend: Backend
  /** Where the jumps into our chains stand in the kernel's. */
  readonly insertMode: 'insert' | 'append'
}

interface TableState {
  readonly chains: Map<string, readonly RenderedRule[]>
  readonly hashed: Map<string, readonly DesiredRule[]>
  readonly hooks: Map<string, readonly RenderedRule[]>
  actualChains: Map<string, ActualChain>
  actualHooks: Map<string, readonly HookRule[]>
  dirtyChains: Set<string>
  dirtyHooks: boolean
  fault: PolicyFault | undefined
  /** By arguments: rules that the kernel refused, and what stands in their place. */
  readonly substitutes: Map<string, { rule: RenderedRule | undefined; fault: PolicyFault }>
}

/** As many rules are hashed and written down in about a millisecond. */
const RULES_AT_ONCE = 100

export function createIptablesDriver(
  modules: { exec: Exec; clock: Clock; log: Log },
  options: IptablesOptions,
): IptablesDriver {
  const { exec, clock } = modules
  const { family, backend } = options
  const log = modules.log.child({ driver: 'iptables', family })
  const session = createRestoreSession(
    { exec, clock },
    { program: iptablesProgram(family, backend, 'restore') },
  )
  const states = Object.fromEntries(tables.map((table) => [table, emptyState()])) as Record<Table, TableState>
  let insertMode = options.insertMode
  let known = false
  let repairs = 0

  async function read(counters: boolean): Promise<ReturnType<typeof parseSave>> {
    const program = iptablesProgram(family, backend, 'save')
    const args = counters ? ['-c'] : []
    return parseSave(checkExit(program, args, await exec.run(program, args)).stdout)
  }

  async function resync(): Promise<void> {
    const saved = await read(false)
    for (const table of tables) takeSaved(states[table], saved.get(table) ?? new Map())
    known = true
  }

  /** What was refused may be possible by now. */
  function forgetRefusals(): void {
    for (const state of Object.values(states)) {
      if (state.substitutes.size === 0) continue
      state.substitutes.clear()
      state.hashed.clear()
    }
  }

  /** A refused rule that nobody wants any more is no fault. */
  function forgetUnwanted({ chains, substitutes }: TableState): void {
    if (substitutes.size === 0) return
    const wanted = new Set([...chains.values()].flatMap((rules) => rules.map(argsKey)))
    for (const key of substitutes.keys()) if (!wanted.has(key)) substitutes.delete(key)
  }

  function takeSaved(
    state: TableState,
    saved: ReadonlyMap<
      string,
      { builtIn: boolean; rules: readonly { hash: string | undefined; text: string }[] }
    >,
  ): void {
    const chains = new Map<string, ActualChain>()
    const hooks = new Map<string, readonly HookRule[]>()
    for (const [name, { builtIn, rules }] of saved) {
      if (builtIn) hooks.set(name, rules)
      else if (isOurChain(name))
        chains.set(
          name,
          rules.map(({ hash }) => hash),
        )
    }
    if (known) {
      for (const [name, before] of state.actualChains) if (!sameHashes(before, chains.get(name))) repairs++
      for (const name of chains.keys()) if (!state.actualChains.has(name)) repairs++
      for (const [hook, rules] of state.hooks) {
        const desired = hashedHook(hook, rules)
        const wasRight = hookIsRight(desired, state.actualHooks.get(hook) ?? [], insertMode)
        if (wasRight && !hookIsRight(desired, hooks.get(hook) ?? [], insertMode)) repairs++
      }
    }
    state.actualChains = chains
    state.actualHooks = hooks
    state.dirtyChains = new Set([...chains.keys(), ...state.chains.keys()])
    state.dirtyHooks = true
  }

  function desiredChain(state: TableState, name: string): readonly DesiredRule[] | undefined {
    const rules = state.chains.get(name)
    if (rules === undefined) return undefined
    const before = state.hashed.get(name)
    if (before !== undefined) return before
    const effective =
      state.substitutes.size === 0
        ? rules
        : rules.flatMap((rule) => {
            const substitute = state.substitutes.get(argsKey(rule))
            if (substitute === undefined) return rule
            return substitute.rule ?? []
          })
    const hashed = hashRules(name, effective)
    state.hashed.set(name, hashed)
    return hashed
  }

  async function prepare(): Promise<void> {
    if (!known) await resync()
    let rules = 0
    for (const state of Object.values(states)) {
      for (const name of state.dirtyChains) {
        if (state.hashed.has(name)) continue
        rules += desiredChain(state, name)?.length ?? 0
        if (rules < RULES_AT_ONCE) continue
        rules = 0
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }

  interface Plan {
    readonly lines: readonly string[]
    readonly newChains: readonly string[]
    /** What chains of ours will hold. */
    readonly changed: ReadonlyMap<string, ActualChain>
    readonly gone: readonly string[]
    /** Chains that still hold what is not wanted any more, or are not wanted themselves. */
    readonly untidy: readonly string[]
    readonly rules: number
    readonly hooks: ReadonlyMap<string, readonly HookRule[]>
  }

  function planTable(state: TableState, tidy: boolean): Plan {
    const newChains: string[] = []
    const changed = new Map<string, ActualChain>()
    const untidy: string[] = []
    const body: string[] = []
    const gone: string[] = []
    let rules = 0
    for (const name of state.dirtyChains) {
      const desired = desiredChain(state, name)
      const actual = state.actualChains.get(name)
      if (desired === undefined) {
        if (actual === undefined) continue
        if (tidy) gone.push(name)
        else untidy.push(name)
        continue
      }
      if (actual === undefined) newChains.push(name)
      const { lines, after } = planChain(name, desired, actual ?? [], tidy)
      if (after.length > desired.length) untidy.push(name)
      if (lines.length === 0 && actual !== undefined) continue
      changed.set(name, after)
      rules += lines.length
      body.push(...lines)
    }
    const hooks = new Map<string, readonly HookRule[]>()
    if (state.dirtyHooks) {
      for (const hook of new Set([...state.hooks.keys(), ...state.actualHooks.keys()])) {
        const desired = hashedHook(hook, state.hooks.get(hook) ?? [])
        const { lines, after } = hookLines(hook, desired, state.actualHooks.get(hook) ?? [], insertMode)
        if (lines.length === 0) continue
        body.push(...lines)
        hooks.set(hook, after)
        rules += lines.length
      }
    }
    return {
      lines: [
        ...newChains.map((name) => `:${name} - [0:0]`),
        ...body,
        ...gone.map((name) => `:${name} - [0:0]`),
        ...gone.map((name) => `-X ${name}`),
      ],
      newChains,
      changed,
      gone,
      untidy,
      rules,
      hooks,
    }
  }

  /** One COMMIT. @throws RestoreError */
  async function writeTable(table: Table, tidy: boolean): Promise<Plan> {
    const state = states[table]
    const plan = planTable(state, tidy)
    const dirty = state.dirtyChains
    const hooksWereDirty = state.dirtyHooks
    // More may be told while this is being written.
    state.dirtyChains = new Set(plan.untidy)
    state.dirtyHooks = false
    if (plan.lines.length === 0) return plan
    try {
      await session.run(transaction(table, plan.lines))
    } catch (error) {
      for (const name of dirty) state.dirtyChains.add(name)
      state.dirtyHooks ||= hooksWereDirty
      throw error
    }
    for (const [name, after] of plan.changed) state.actualChains.set(name, after)
    for (const name of plan.gone) state.actualChains.delete(name)
    for (const [hook, after] of plan.hooks) state.actualHooks.set(hook, after)
    state.fault = undefined
    return plan
  }

  /** Puts drops in the place of rules that the kernel refuses; says whether there were any. */
  async function substituteRefused(table: Table): Promise<boolean> {
    const state = states[table]
    const plan = planTable(state, true)
    const candidates: { chain: string; rule: RenderedRule }[] = []
    for (const name of plan.changed.keys())
      for (const { rule } of desiredChain(state, name) ?? []) candidates.push({ chain: name, rule })
    const chainOf = new Map(candidates.map(({ chain, rule }) => [argsKey(rule), chain]))
    const distinct = [...new Map(candidates.map(({ rule }) => [argsKey(rule), rule])).values()]
    const refused = await findRefused(session, table, distinct, plan.newChains)
    for (const { rule, line, words } of refused) {
      const key = argsKey(rule)
      const chain = chainOf.get(key) ?? ''
      let substitute = substituteFor(rule, false)
      if (substitute !== undefined) {
        const stillRefused = await findRefused(session, table, [substitute], [])
        if (stillRefused.length > 0) substitute = substituteFor(rule, true)
      }
      const fault = refusalFault(family, table, chain, rule, line, words, substitute)
      state.substitutes.set(key, { rule: substitute, fault })
      log.error({ table, chain, line, origin: rule.origin }, fault.message)
    }
    if (refused.length > 0) {
      state.hashed.clear()
      state.dirtyChains = new Set([...state.actualChains.keys(), ...state.chains.keys()])
    }
    return refused.length > 0
  }

  async function applyTable(table: Table, tidy: boolean): Promise<Plan> {
    try {
      return await writeTable(table, tidy)
    } catch (error) {
      if (!(error instanceof RestoreError)) throw error
      log.warn({ table, error: error.message }, 'a table was refused; reading it again')
    }
    // Somebody may have changed our chains under us.
    await resync()
    try {
      return await writeTable(table, true)
    } catch (error) {
      if (!(error instanceof RestoreError)) throw error
    }
    await resync()
    await substituteRefused(table)
    return writeTable(table, true)
  }

  async function apply({ tidy = true } = {}): Promise<IptablesReport> {
    const startedAt = clock.monotonic()
    let chainsWritten = 0
    let rulesWritten = 0
    if (!known) await resync()
    for (const table of tables) {
      try {
        forgetUnwanted(states[table])
        const plan = await applyTable(table, tidy)
        chainsWritten += plan.changed.size + plan.gone.length
        rulesWritten += plan.rules
      } catch (error) {
        states[table].fault = {
          key: `${family} ${table}`,
          code: 'failed',
          message: `The table ${table} of ${family} could not be written: ${error instanceof Error ? error.message : String(error)}`,
          remedy: 'What it held stays; it is tried again.',
        }
        log.error({ table, error }, 'a table could not be written; what it held stays')
      }
    }
    const repaired = repairs
    repairs = 0
    return {
      chainsWritten,
      rulesWritten,
      repairs: repaired,
      untidy: tables.some((table) => states[table].dirtyChains.size > 0),
      faults: tables.flatMap((table) => {
        const { fault, substitutes } = states[table]
        return [
          ...(fault === undefined ? [] : [fault]),
          ...[...substitutes.values()].map((substitute) => substitute.fault),
        ]
      }),
      durationMs: clock.monotonic() - startedAt,
    }
  }

  return {
    family,
    update({ chains, jumps }) {
      for (const table of tables) {
        const state = states[table]
        for (const [name, rules] of chains[table]) {
          if (rules === undefined) state.chains.delete(name)
          else state.chains.set(name, rules)
          state.hashed.delete(name)
          state.dirtyChains.add(name)
        }
        for (const [hook, rules] of jumps[table]) {
          state.hooks.set(hook, rules)
          state.dirtyHooks = true
        }
      }
    },
    prepare,
    apply,
    async resync() {
      await resync()
      forgetRefusals()
    },
    setInsertMode(mode) {
      if (mode === insertMode) return
      insertMode = mode
      for (const table of tables) states[table].dirtyHooks = true
    },
    async counters() {
      const saved = await read(true)
      const counters: RuleCounter[] = []
      for (const table of tables) {
        for (const [chain, { builtIn, rules }] of saved.get(table) ?? []) {
          if (builtIn || !isOurChain(chain)) continue
          const desired = new Map(
            (states[table].hashed.get(chain) ?? []).map(({ hash, rule }) => [hash, rule]),
          )
          rules.forEach(({ hash, packets, bytes }, index) => {
            const rule = hash === undefined ? undefined : desired.get(hash)
            if (rule === undefined) return
            counters.push({
              ...{ family, table, chain, index, origin: rule.origin },
              ...{ counts: rule.counts === true, packets, bytes },
            })
          })
        }
      }
      return counters
    },
    open: () => session.open(),
    close: () => session.close(),
  }
}

function emptyState(): TableState {
  return {
    chains: new Map(),
    hashed: new Map(),
    hooks: new Map(),
    actualChains: new Map(),
    actualHooks: new Map(),
    dirtyChains: new Set(),
    dirtyHooks: false,
    fault: undefined,
    substitutes: new Map(),
  }
}

function hashedHook(hook: string, rules: readonly RenderedRule[]): DesiredRule[] {
  return hashRules(hook, rules)
}

function sameHashes(a: ActualChain, b: ActualChain | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((hash, place) => hash === b[place])
}

function argsKey(rule: RenderedRule): string {
  return rule.args.join('\0')
}
