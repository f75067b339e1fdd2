import { type Clock, type Log } from '@network/net'
import { hexadecimal } from '../codec/hexadecimal.ts'
import { type UpdateFault } from '../codec/messages.ts'
import { Deadline } from './deadline.ts'
import { type FaultCount } from './reports.ts'

/** From one line in the log to the next. */
const quietMs = 60_000

/** Octets of a fault that a line of the log shows. */
const shownOctets = 256

/**
 * What a peer's UPDATEs had wrong (RFC 7606): every fault is counted by its kind, and told in the log at most once
 * a minute, with how many were held back since the line before.
 */
export class FaultLog {
  /** UPDATEs that had a fault at all. */
  updates = 0
  readonly #log: Log
  readonly #peer: string
  readonly #counts = new Map<string, { -readonly [K in keyof FaultCount]: FaultCount[K] }>()
  readonly #clock: Clock
  #quiet: Deadline | undefined
  #heldBack = 0
  #last: UpdateFault | undefined

  constructor(clock: Clock, log: Log, peer: string) {
    this.#log = log
    this.#peer = peer
    this.#clock = clock
  }

  /** Every kind of fault that there has been, the most frequent first. */
  get counts(): readonly FaultCount[] {
    return [...this.#counts.values()].map((one) => ({ ...one })).sort((a, b) => b.count - a.count)
  }

  /** The faults of one UPDATE. */
  add(faults: readonly UpdateFault[]): void {
    if (faults.length === 0) return
    this.updates++
    for (const fault of faults) this.#count(fault)
    const worst = faults.reduce((one, other) => (weight[other.action] > weight[one.action] ? other : one))
    if (this.#quiet?.running === true) {
      this.#heldBack++
      this.#last = worst
    } else {
      this.#tell(worst)
    }
  }

  /** Tells what is still held back; what comes later is told at once again. */
  close(): void {
    if (this.#last !== undefined) this.#tell(this.#last)
    this.#quiet?.stop()
  }

  #count({ action, rule, attribute }: UpdateFault): void {
    const key = `${action} ${String(attribute)} ${rule}`
    const count = this.#counts.get(key)
    if (count === undefined) this.#counts.set(key, { action, rule, attribute, count: 1 })
    else count.count++
  }

  #quietIsOver(): void {
    if (this.#last !== undefined) this.#tell(this.#last)
  }

  #tell(fault: UpdateFault): void {
    const { action, rule, attribute, reason, bytes } = fault
    const heldBack = this.#heldBack
    this.#last = undefined
    this.#heldBack = 0
    this.#quiet ??= new Deadline(this.#clock, () => this.#quietIsOver())
    this.#quiet.start(quietMs)
    this.#log.warn(
      {
        peer: this.#peer,
        rule,
        action,
        attribute,
        bytes: hexadecimal(bytes.subarray(0, shownOctets)),
        heldBack,
      },
      `${this.#peer} sent a malformed UPDATE (${action}): ${reason}.` +
        (heldBack > 1 ? ` It is the last of ${heldBack} in a minute.` : ''),
    )
  }
}

const weight = { discard: 0, 'treat-as-withdraw': 1, reset: 2 } as const satisfies Record<
  UpdateFault['action'],
  number
>
