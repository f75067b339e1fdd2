import type { RenderedChanges } from '@network/policy'
import type { Backend, PolicyFault, RuleCounter } from './iptables/iptables-driver.ts'

export interface PolicyDriverOptions {
  readonly backend: Backend
  /** Where the jumps into our chains stand in the kernel's. */
  readonly insertMode: 'insert' | 'append'
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
 * beside IPv6), sets shrink. `createPolicyDriver({ exec, clock, log }, options)`.
 */
export interface PolicyDriver {
  /** Cheap: nothing is written. */
  update(changes: RenderedChanges): void
  /** Resolves when all that was told before the call has been tried; what is told meanwhile shares the next round. */
  apply(): Promise<PolicyReport>
  /** Reads the kernel again at the next apply. */
  resync(what?: { chains?: boolean; sets?: boolean }): void
  setInsertMode(mode: 'insert' | 'append'): void
  /** Of the last apply. */
  faults(): readonly PolicyFault[]
  counters(): Promise<readonly RuleCounter[]>
  close(): void
}
