import type { RenderedSetChange } from '@network/policy'
import type { PolicyFault } from '../iptables/iptables-driver.ts'

export interface IpsetReport {
  readonly setsWritten: number
  readonly membersAdded: number
  readonly membersRemoved: number
  readonly repairs: number
  readonly faults: readonly PolicyFault[]
  readonly durationMs: number
}

/** Desired and actual sets, both families. */
export interface IpsetDriver {
  /** Cheap: nothing is written. */
  update(changes: ReadonlyMap<string, RenderedSetChange | undefined>): void
  /** Makes sets and adds members: before the rules that name them. */
  grow(): Promise<IpsetReport>
  /** Takes members and sets away: after the rules that named them. */
  shrink(): Promise<IpsetReport>
  resync(): Promise<void>
  close(): void
}
