import { DroverError } from '@network/net'

/*
 * The one door to the shared truth. A Store is a map from key to value with etcd's semantics: every change gets a
 * revision, a transaction is all or nothing, and a watch replays what happened after a revision. Two implementations
 * keep this contract, `etcd.ts` and `memory.ts`, and one compliance suite holds both to it. Keys and values are UTF-8
 * text; keys are ordered by code point, which is the order of their bytes.
 *
 * A failed read may simply be repeated. A failed transaction may be repeated too, except after `unknown-outcome`:
 * then the request left this process and the answer didn't arrive, so it may or may not have been carried out. Who
 * gets it reads again what the transaction would have written and decides from that.
 */

/** A key as it was at one revision. */
export interface KeyValue {
  key: string
  value: string
  /** Revision of the last write of this key: what a compare-and-swap compares. */
  modRevision: number
  /** Revision at which the key last came into being. */
  createRevision: number
  /** Id of the lease that the key lives on, if it does. */
  lease?: string
}

export interface ReadOptions {
  /** Milliseconds until the call fails with `deadline` or `unreachable`. Default: the store's, 5,000. */
  deadlineMs?: number
  /** Read as of this revision instead of the newest. Fails with `compacted` if that is forgotten. */
  revision?: number
}

export interface ListOptions extends ReadOptions {
  /** At most so many items in this page. Without it one call returns everything. */
  limit?: number
  /** Begin behind this key: the `next` of the page before. */
  after?: string
  /** Leave values empty. */
  keysOnly?: boolean
}

export interface ListPage {
  items: KeyValue[]
  /** The revision that the page shows; pass it on to read further pages, or other prefixes, as of the same moment. */
  revision: number
  /** What to pass as `after` for the following page; undefined after the last. */
  next: string | undefined
}

export type Condition =
  | { key: string; is: 'absent' }
  | { key: string; is: 'present' }
  | { key: string; is: 'at'; modRevision: number }

export type Operation =
  { put: string; value: string; lease?: string } | { delete: string } | { deletePrefix: string } | Read

export interface Read {
  get: string
}

/**
 * If every condition holds, `then` is carried out at one new revision; if not, nothing is written and `otherwise` is
 * read. A key may be put once, and not both put and deleted. At most 128 conditions and 128 operations.
 */
export interface Transaction {
  when: Condition[]
  then: Operation[]
  otherwise?: Read[]
}

export interface TransactionResult {
  committed: boolean
  /** The revision after the transaction; a committed put has it as its modRevision. */
  revision: number
  /** The answers to the `get`s of the branch that was taken, in their order. */
  reads: (KeyValue | undefined)[]
}

export type WatchChange =
  | { type: 'put'; key: string; value: string; modRevision: number; createRevision: number; lease?: string }
  | { type: 'delete'; key: string; modRevision: number }

/**
 * All changes under the prefix of one revision or of several successive ones, never a part of a revision. Without
 * changes it is a sign of progress: nothing happened under the prefix up to and including `revision`.
 */
export interface WatchBatch {
  revision: number
  changes: WatchChange[]
}

export interface WatchOptions {
  /** Changes after this revision are told; it is exclusive. */
  fromRevision: number
  /** Ends the iteration without an error. */
  signal?: AbortSignal
}

/** A lease that is kept alive in the background. Keys put with its id disappear when it ends. */
export interface Lease {
  readonly id: string
  readonly ttlSeconds: number
  /** Resolves once the lease has ended other than by revoke(), or could not be renewed within its time. */
  readonly lost: Promise<StoreError>
  /** Ends the lease and deletes its keys. */
  revoke(): Promise<void>
}

export interface Store {
  get(key: string, options?: ReadOptions): Promise<KeyValue | undefined>
  /** One page of the keys that begin with `prefix`, in key order. The empty prefix means all keys. */
  list(prefix: string, options?: ListOptions): Promise<ListPage>
  transact(transaction: Transaction, options?: { deadlineMs?: number }): Promise<TransactionResult>
  /**
   * Changes under `prefix` in order of revision. The watch is one subscription at one member: it ends with an error
   * when that is lost (`unreachable`) or when the history it needs is gone (`compacted`), and the caller begins a
   * new one from the last revision it was told. The syncer does all of that. A consumer that is slow slows the
   * member down; nothing piles up here.
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch>
  lease(ttlSeconds: number, options?: { deadlineMs?: number }): Promise<Lease>
  /** Ends watches and leases' upkeep and refuses further calls with `closed`. Leases themselves run out. */
  close(): Promise<void>
}

export const StoreErrorCode = {
  /** No member could be reached; nothing was sent. */
  unreachable: 'unreachable',
  /** A read was sent and not answered in time. */
  deadline: 'deadline',
  /** A transaction was sent and its answer lost: it may have been carried out. Read again before deciding. */
  unknownOutcome: 'unknown-outcome',
  /** The revision asked for is no longer kept. */
  compacted: 'compacted',
  authentication: 'authentication',
  permission: 'permission',
  /** TLS: a certificate was refused, by either side. */
  certificate: 'certificate',
  /** A value, a request or the number of operations is past the server's limit. */
  tooLarge: 'too-large',
  /** The server's own storage is full or damaged: it answers reads only. */
  noSpace: 'no-space',
  /** The lease named in a put has ended. */
  leaseLost: 'lease-lost',
  /** The request contradicts itself, e.g. puts a key twice. */
  invalidRequest: 'invalid-request',
  /** The store's own options are wrong. */
  invalidOptions: 'invalid-options',
  closed: 'closed',
} as const
export type StoreErrorCode = (typeof StoreErrorCode)[keyof typeof StoreErrorCode]

/** What every call of a Store, and every watch, fails with. */
export class StoreError extends DroverError {
  declare readonly code: StoreErrorCode

  constructor(
    code: StoreErrorCode,
    message: string,
    options: { remedy?: string; details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(code, message, options)
  }
}
