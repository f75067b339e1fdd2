/**
 * A driver holds what should be in the kernel and what is, for one kind of object. `setDesired` only stores; `apply`
 * writes the difference in one batch; `resync` reads the kernel again. Objects are recognised as ours by a mark in the
 * kernel itself, so a driver that has just started needs no memory. What is not ours is never touched, and nothing is
 * removed before `allowRemoval`.
 */
export interface Driver<Item> {
  /** Replaces what should be there. Cheap: nothing is written. */
  setDesired(items: ReadonlyMap<string, Item>): void
  /** Writes the difference; calls overlap safely, the later one waits. Never rejects for an item's fault. */
  apply(): Promise<ApplyReport>
  /** Rebuilds what is known of the kernel from the kernel. `touched`: at least what the events since the last reading named. */
  resync(scope?: 'all' | 'touched'): Promise<void>
  /** From now on what is ours and not desired is removed. */
  allowRemoval(): void
}

/** Why one item is not in the kernel as desired. */
export interface ItemFault {
  readonly key: string
  /** `conflict`: something that is not ours stands there; `refused`: the kernel said no; `missing`: it isn't there. */
  readonly code: 'conflict' | 'refused' | 'missing'
  /** A sentence with the object and the kernel's words. */
  readonly message: string
  readonly remedy?: string
}

export interface ApplyReport {
  readonly added: number
  readonly changed: number
  readonly removed: number
  /** Items of the kernel that will be removed once removal is allowed. */
  readonly removalsHeld: number
  /** Desired items that are not in the kernel as they should be; they are tried again with growing delay. */
  readonly faults: readonly ItemFault[]
  readonly durationMs: number
}

/** Marks of ours in the kernel; `docs/design/dataplane.md` lists them. */
export const ownership = {
  /** Number in a route's and a rule's protocol field. */
  routeProtocol: 98,
  /** How names of our interfaces begin, unless the option `interfacePrefix` says otherwise. */
  interfacePrefix: 'drv',
} as const
