import { status as GrpcStatus, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js'
import { type Clock } from '@network/net'
import { StoreError, type WatchBatch, type WatchChange } from '../store.ts'
import { type EtcdConnection } from './connection.ts'
import { failureOf } from './failures.ts'
import {
  EventType,
  leaseIdToText,
  methods,
  rangeEndOfPrefix,
  toNumber,
  type WatchRequest,
  type WatchResponse,
} from './messages.ts'

export interface WatchRange {
  prefix: string
  fromRevision: number
  signal: AbortSignal | undefined
  /** For the member to confirm the watch; afterwards its pings tell whether it lives. */
  deadlineMs: number
}

type WatchStream = ClientDuplexStream<WatchRequest, WatchResponse>

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
    const opened = await openUnlessAborted(connection, deadlineMs, signal)
    if (!opened) return
    const { stream, url } = opened
    let fragments: WatchResponse['events'] = []
    const cancel = (): void => stream.cancel()
    signal?.addEventListener('abort', cancel)
    const confirmation = clock.setTimeout(() => {
      stream.destroy(
        new StoreError('unreachable', `etcd at ${url} didn't confirm a watch within ${deadlineMs} ms`),
      )
    }, deadlineMs)
    try {
      stream.write(watchRequest(prefix, fromRevision))
      let refused = false
      for await (const response of responses(stream)) {
        confirmation.cancel()
        if (signal?.aborted) return
        if (response.canceled) {
          refused = mayBeTokenTrouble(response) && !tokenRenewed && connection.forgetToken()
          if (!refused) throw cancellation(response, told, url)
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
      if (!refused) throw connection.streamFailure(url, undefined)
    } catch (error) {
      if (signal?.aborted) return
      if (error instanceof StoreError) throw error
      throw isServiceError(error) ? connection.streamFailure(url, error) : error
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
): Promise<{ stream: WatchStream; url: string } | undefined> {
  if (signal?.aborted) return undefined
  const opening = connection.openStream(methods.watch, deadlineMs)
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
      ({ stream }) => stream.cancel(),
      () => undefined,
    )
  }
  return winner
}

function responses(stream: WatchStream): AsyncIterable<WatchResponse> {
  return stream
}

/**
 * The watch is asked for from `fromRevision` itself, and what was known is left out: etcd forgets deletions at exactly
 * the revision it is compacted to, yet would begin a watch there without an error.
 */
function watchRequest(prefix: string, fromRevision: number): WatchRequest {
  return {
    createRequest: {
      key: prefix === '' ? '\0' : prefix,
      rangeEnd: rangeEndOfPrefix(prefix),
      startRevision: Math.max(fromRevision, 1),
      progressNotify: true,
      fragment: true,
    },
  }
}

function toBatch(
  response: WatchResponse,
  events: WatchResponse['events'],
  told: number,
): WatchBatch | undefined {
  if (events.length === 0) {
    return response.header ? { revision: toNumber(response.header.revision), changes: [] } : undefined
  }
  const changes = events.map(toChange).filter(({ modRevision }) => modRevision > told)
  const last = changes.at(-1)
  // The header's revision is the member's own, and changes up to it may still be on their way.
  return last && { revision: last.modRevision, changes }
}

function toChange({ type, kv }: WatchResponse['events'][number]): WatchChange {
  const modRevision = toNumber(kv.modRevision)
  if (type === EventType.delete) return { type: 'delete', key: kv.key, modRevision }
  const lease = leaseIdToText(kv.lease)
  return {
    type: 'put',
    key: kv.key,
    value: kv.value,
    modRevision,
    createRevision: toNumber(kv.createRevision),
    ...(lease === undefined ? {} : { lease }),
  }
}

/** A watch with an expired token is refused in the words of a missing permission. */
function mayBeTokenTrouble(response: WatchResponse): boolean {
  return toNumber(response.compactRevision) === 0 && /permission denied|token/.test(response.cancelReason)
}

function cancellation(response: WatchResponse, told: number, url: string): StoreError {
  const compactRevision = toNumber(response.compactRevision)
  if (compactRevision > 0) {
    return new StoreError(
      'compacted',
      `changes after revision ${told} are no longer kept: etcd was compacted up to ${compactRevision}`,
      { remedy: 'read the newest revision', details: { asked: told, compacted: compactRevision } },
    )
  }
  const failure = failureOf(
    GrpcStatus.UNKNOWN,
    response.cancelReason.replace(/^rpc error: code = \w+ desc = /, ''),
    url,
  )
  if (failure.kind === 'final') return failure.error
  return new StoreError(
    'unreachable',
    `etcd at ${url} ended the watch: ${response.cancelReason || 'no reason given'}`,
  )
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error
}
