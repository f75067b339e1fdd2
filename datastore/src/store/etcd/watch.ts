import { status as GrpcStatus } from '@grpc/grpc-js'
import { type Clock } from '@network/net'
import { type IEvent, type IWatchRequest, type IWatchResponse } from 'etcd3'
import { StoreError, type WatchBatch, type WatchChange } from '../store.ts'
import { type EtcdConnection } from './connection.ts'
import { prefixRange, revisionOf, toKeyValue } from './encoding.ts'
import { failureOf } from './failures.ts'
import { type EtcdStream } from './member.ts'

export interface WatchRange {
  prefix: string
  fromRevision: number
  signal: AbortSignal | undefined
  /** For the member to confirm the watch; afterwards its pings tell whether it lives. */
  deadlineMs: number
}

type WatchStream = EtcdStream<IWatchRequest, IWatchResponse>

/**
 * One watch on one stream. A consumer that doesn't ask for the next batch stops the reading of the stream, HTTP/2's
 * flow control stops the member, and the member goes on from its own history later.
 */
export async function* watchPrefix(
  modules: { connection: EtcdConnection; clock: Clock },
  range: WatchRange,
): AsyncGenerator<WatchBatch, void, undefined> {
  const { connection, clock } = modules
  const { prefix, fromRevision, signal, deadlineMs } = range
  let told = fromRevision
  let tokenRenewed = false

  for (;;) {
    const stream = await openUnlessAborted(connection, deadlineMs, signal)
    if (!stream) return
    let fragments: IEvent[] = []
    const cancel = (): void => stream.cancel()
    signal?.addEventListener('abort', cancel)
    const confirmation = clock.setTimeout(
      () => stream.cancel(`the watch was not confirmed within ${deadlineMs} ms`),
      deadlineMs,
    )
    try {
      stream.write(watchRequest(prefix, fromRevision))
      let refused = false
      for await (const response of stream.responses) {
        confirmation.cancel()
        if (signal?.aborted) return
        if (response.canceled) {
          refused = mayBeTokenTrouble(response) && !tokenRenewed && connection.forgetToken()
          if (!refused) throw cancellation(response, told, stream.url)
          tokenRenewed = true
          break
        }
        fragments = fragments.length === 0 ? response.events : fragments.concat(response.events)
        if (response.fragment || response.created) continue
        const batch = toBatch(response, fragments, told)
        fragments = []
        if (batch && batch.revision > told) {
          told = batch.revision
          yield batch
        }
      }
      if (!refused) throw connection.streamFailure(stream)
    } catch (error) {
      if (signal?.aborted) return
      throw error instanceof StoreError || !stream.status ? error : connection.streamFailure(stream)
    } finally {
      confirmation.cancel()
      signal?.removeEventListener('abort', cancel)
      stream.cancel()
    }
  }
}

async function openUnlessAborted(
  connection: EtcdConnection,
  deadlineMs: number,
  signal: AbortSignal | undefined,
): Promise<WatchStream | undefined> {
  if (signal?.aborted) return undefined
  const opening = connection.openStream<IWatchRequest, IWatchResponse>(
    (etcd, options) => etcd.watchClient.watch(options),
    deadlineMs,
  )
  if (!signal) return opening
  let onAbort: () => void = () => undefined
  const aborted = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined)
    signal.addEventListener('abort', onAbort)
  })
  const winner = await Promise.race([opening, aborted])
  signal.removeEventListener('abort', onAbort)
  if (!winner) {
    opening.then(
      (stream) => stream.cancel(),
      () => undefined,
    )
  }
  return winner
}

/**
 * The watch is asked for from `fromRevision` itself, and what was known is left out: etcd forgets deletions at exactly
 * the revision it is compacted to, yet would begin a watch there without an error.
 */
function watchRequest(prefix: string, fromRevision: number): IWatchRequest {
  return {
    create_request: {
      ...prefixRange(prefix),
      start_revision: Math.max(fromRevision, 1),
      progress_notify: true,
      fragment: true,
    },
  }
}

function toBatch(response: IWatchResponse, events: IEvent[], told: number): WatchBatch | undefined {
  if (events.length === 0) return { revision: revisionOf(response.header), changes: [] }
  const changes = events.map(toChange).filter(({ modRevision }) => modRevision > told)
  const last = changes.at(-1)
  // The header's revision is the member's own, and changes up to it may still be on their way.
  return last && { revision: last.modRevision, changes }
}

function toChange({ type, kv }: IEvent): WatchChange {
  const { key, modRevision, ...rest } = toKeyValue(kv)
  return type === 'Delete' ? { type: 'delete', key, modRevision } : { type: 'put', key, modRevision, ...rest }
}

/** A watch with an expired token is refused in the words of a missing permission. */
function mayBeTokenTrouble(response: IWatchResponse): boolean {
  return Number(response.compact_revision) === 0 && /permission denied|token/.test(response.cancel_reason)
}

function cancellation(response: IWatchResponse, told: number, url: string): StoreError {
  const compactRevision = Number(response.compact_revision)
  if (compactRevision > 0) {
    return new StoreError(
      'compacted',
      `changes after revision ${told} are no longer kept: etcd was compacted up to ${compactRevision}`,
      { remedy: 'read the newest revision', details: { asked: told, compacted: compactRevision } },
    )
  }
  const failure = failureOf(
    GrpcStatus.UNKNOWN,
    response.cancel_reason.replace(/^rpc error: code = \w+ desc = /, ''),
    url,
  )
  if (failure.kind === 'final') return failure.error
  return new StoreError(
    'unreachable',
    `etcd at ${url} ended the watch: ${response.cancel_reason || 'no reason given'}`,
  )
}
