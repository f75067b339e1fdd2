import { type Condition, type KeyValue, type Operation } from '../store/store.ts'
import type { Workspace } from './workspace.ts'

/** What a request wants written, besides the blocks in the workspace. */
export interface Plan<T> {
  /** If one of these is false the request is planned anew. */
  readonly when: readonly Condition[]
  /** If one of these is false, and all of `when` hold, the request is refused. */
  readonly mustHold: readonly Condition[]
  readonly then: readonly Operation[]
  /** The answer, once it is written at a revision. */
  readonly answer: (revision: number) => T
}

export type Step<T> = { readonly write: Plan<T> } | { readonly answer: T }

export interface PlanContext {
  readonly workspace: Workspace
  /** A key's value: as read for this request, or as it is now. */
  readonly read: (key: string) => Promise<KeyValue | undefined>
  /** The value if it has been read or a conflict has shown it; null if nobody has looked yet. */
  readonly known: (key: string) => KeyValue | undefined | null
  /** An earlier transaction of this request may be in force although its answer was lost. */
  readonly uncertain: boolean
  /** How often the request has been planned before. */
  readonly attempt: number
  /** Monotonic time at which the request, or its last conflict, came. */
  readonly notBefore: number
  readonly deadlineMs: number
}

export interface Task<T> {
  /** What to say it was about: "assigning addresses to handle 'x'". */
  readonly subject: string
  /** Keys to read before planning. */
  readonly reads: readonly string[]
  readonly plan: (context: PlanContext) => Promise<Step<T>>
}
