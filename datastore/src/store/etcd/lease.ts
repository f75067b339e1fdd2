import { type Clock, type Log, type Timer } from '@network/net'
import { type ILeaseKeepAliveRequest, type ILeaseKeepAliveResponse } from 'etcd3'
import { StoreError, type Lease } from '../store.ts'
import { closedError, type EtcdConnection } from './connection.ts'
import { leaseIdToText } from './encoding.ts'

/** A lease and the means to stop its upkeep when the store is closed. */
export interface KeptLease {
  lease: Lease
  /** Resolves `lost` with `closed`. */
  abandon(): void
}

/**
 * Takes a lease and renews it three times in its lifetime. It counts as lost when the server says so, or when no
 * renewal has succeeded for as long as it lives, reckoned from the moment the last successful one was sent: never
 * later than the server ends it.
 */
export async function takeLease(
  modules: { connection: EtcdConnection; clock: Clock; log: Log },
  options: { ttlSeconds: number; deadlineMs: number; ended: () => void },
): Promise<KeptLease> {
  const { connection, clock, log } = modules
  const { ttlSeconds, deadlineMs, ended } = options
  let renewedAt = clock.monotonic()
  const granted = await connection.call(
    (etcd, options) => etcd.leaseClient.leaseGrant({ TTL: ttlSeconds, ID: 0 }, options),
    // One that is granted twice simply runs out.
    { deadlineMs, repeatable: true },
  )
  const id = leaseIdToText(granted.ID)
  if (id === undefined) throw new StoreError('invalid-request', 'etcd granted a lease without an id')
  const request: ILeaseKeepAliveRequest = { ID: granted.ID }
  const ttlMs = Number(granted.TTL) * 1000
  let timer: Timer | undefined
  let over = false
  let lose!: (reason: StoreError) => void
  const lost = new Promise<StoreError>((resolve) => {
    lose = resolve
  })

  function stop(): void {
    over = true
    timer?.cancel()
    ended()
  }

  function end(reason: StoreError): void {
    if (over) return
    stop()
    lose(reason)
  }

  function renewLater(delayMs: number): void {
    if (!over) timer = clock.setTimeout(() => void renew(), delayMs)
  }

  async function renew(): Promise<void> {
    const sentAt = clock.monotonic()
    try {
      const timeoutMs = Math.max(Math.min(ttlMs / 3, renewedAt + ttlMs - sentAt), 1)
      const answer = await keepAliveOnce({ connection, clock }, request, timeoutMs)
      if (Number(answer.TTL) <= 0) {
        end(new StoreError('lease-lost', `the lease ${id} has ended in etcd`, { remedy: 'take a new lease' }))
        return
      }
      renewedAt = sentAt
      renewLater(ttlMs / 3)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (connection.closed) return
      if (clock.monotonic() - renewedAt >= ttlMs) {
        end(
          new StoreError(
            'lease-lost',
            `the lease ${id} couldn't be renewed for ${ttlMs / 1000} s: ${error.message}`,
            {
              remedy: 'take a new lease once etcd answers',
              cause: error,
            },
          ),
        )
        return
      }
      log.debug({ lease: id, error: error.message }, 'a lease could not be renewed yet')
      renewLater(Math.min(1000, Math.max(renewedAt + ttlMs - clock.monotonic(), 0)))
    }
  }

  renewLater(ttlMs / 3)
  return {
    lease: {
      id,
      ttlSeconds: ttlMs / 1000,
      lost,
      async revoke() {
        if (over && connection.closed) throw closedError()
        stop()
        try {
          await connection.call((etcd, options) => etcd.leaseClient.leaseRevoke(request, options), {
            deadlineMs,
            repeatable: true,
          })
        } catch (error) {
          // Ended already: by its time, or by the first of two attempts.
          if (!(error instanceof StoreError && error.code === 'lease-lost')) throw error
        }
      },
    },
    abandon() {
      end(closedError())
    },
  }
}

/** A stream for each renewal: each goes to a member that answers now. */
async function keepAliveOnce(
  modules: { connection: EtcdConnection; clock: Clock },
  request: ILeaseKeepAliveRequest,
  timeoutMs: number,
): Promise<ILeaseKeepAliveResponse> {
  const { connection, clock } = modules
  const stream = await connection.openStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>(
    (etcd, options) => etcd.leaseClient.leaseKeepAlive(options),
    timeoutMs,
  )
  const timer = clock.setTimeout(() => stream.cancel('no answer'), timeoutMs)
  try {
    stream.write(request)
    for await (const response of stream.responses) return response
  } catch {
    // The stream's status says why.
  } finally {
    timer.cancel()
    stream.cancel()
  }
  throw connection.streamFailure(stream)
}
