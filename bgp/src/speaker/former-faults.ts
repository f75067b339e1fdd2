import { type FaultLog } from './fault-log.ts'

/** Kept per range: who was counted first is forgotten first. */
const mostKept = 1024

/** Faults of those peers of ranges whose session is over: counting goes on when they come back. */
export class FormerFaults {
  readonly #ranges = new Map<string, Map<string, FaultLog>>()

  /** The peer at `address` is gone. One that had no faults leaves nothing to keep. */
  keep(range: string, address: string, faults: FaultLog): void {
    if (faults.updates === 0) return
    let kept = this.#ranges.get(range)
    if (kept === undefined) this.#ranges.set(range, (kept = new Map<string, FaultLog>()))
    kept.delete(address)
    kept.set(address, faults)
    if (kept.size <= mostKept) return
    const [oldest] = kept.keys()
    if (oldest !== undefined) kept.delete(oldest)
  }

  /** What was kept of the peer at `address`, which is back. */
  take(range: string, address: string): FaultLog | undefined {
    const kept = this.#ranges.get(range)
    const faults = kept?.get(address)
    kept?.delete(address)
    return faults
  }

  /** The range is not one any more. */
  forget(range: string): void {
    this.#ranges.delete(range)
  }
}
