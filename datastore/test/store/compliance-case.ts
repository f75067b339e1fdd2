import type { Test } from 'tap'
import type { Store } from '../../src/store/store.ts'

export interface StoreUnderTest {
  store: Store
  /** Forgets history up to and including the revision. */
  compact: (revision: number) => Promise<void>
}

/** A case of the compliance suite, in a store that others have written to. */
export type ComplianceCase = (
  given: StoreUnderTest & {
    t: Test
    /** The case's own; ends with a slash. */
    prefix: string
  },
) => Promise<void>
