import type { Family } from '@network/net'
import type { RenderedFamily, RuleOrigin, Table } from '@network/policy'

export type Backend = 'nft' | 'legacy'

/** Why a rule, or all of a family, is not in the kernel as desired. */
export interface PolicyFault {
  /** 'ipv4 filter drv-pi-web 3', or a set's name. */
  readonly key: string
  readonly code: 'refused' | 'full' | 'failed'
  /** A sentence with policy, rule, line and the program's words. */
  readonly message: string
  readonly remedy?: string
  readonly origin?: RuleOrigin
}

export interface IptablesReport {
  readonly chainsWritten: number
  readonly rulesWritten: number
  /** Chains and jumps that were as desired before, and that somebody had changed. */
  readonly repairs: number
  readonly faults: readonly PolicyFault[]
  readonly durationMs: number
}

/** A rule of ours with what it counted since it was written. */
export interface RuleCounter {
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
  /** Writes the difference, one COMMIT per table. Calls overlap safely. Never rejects for a rule's fault. */
  apply(): Promise<IptablesReport>
  /** Reads the kernel again; the next apply puts right what differs. */
  resync(): Promise<void>
  counters(): Promise<readonly RuleCounter[]>
  close(): void
}
