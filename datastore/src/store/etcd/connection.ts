import { Metadata } from '@grpc/grpc-js'
import { type Clock, type Log } from '@network/net'
import { StoreError } from '../store.ts'
import { failureOf, isCertificateTrouble } from './failures.ts'
import { Member, type EtcdStream, type StreamCall, type UnaryCall } from './member.ts'
import { type CheckedOptions } from './options.ts'

/*
 * Calls to a cluster of several members. One member is preferred as long as it answers; when its connection is gone
 * the others are tried, each a little after the one before, and the first that is ready becomes the preferred one.
 * A call is sent only over a connection that stands, so "couldn't be sent" and "sent, no answer" are told apart. What
 * is repeated, and where, is decided here alone: reads, and whatever the server refused before doing anything.
 */

/** How long after a member's the next member's connection is tried, while nobody has answered. */
const staggerMs = 150
const retryPauseMs = 100
/** Members that refuse connections get this long to come (back) up before a call fails for it. */
const refusalPatienceMs = 1000
const minimumAttemptMs = 250

export interface CallOptions {
  deadlineMs: number
  /** True for what may be carried out twice: after a lost answer it is tried again elsewhere. */
  repeatable: boolean
}

export interface EtcdConnection {
  call<Response>(send: UnaryCall<Response>, options: CallOptions): Promise<Response>
  /** A stream at a member that is connected. */
  openStream<Request, Response>(
    open: StreamCall<Request, Response>,
    deadlineMs: number,
  ): Promise<EtcdStream<Request, Response>>
  /** Why a stream has ended. The next call goes elsewhere. */
  streamFailure(stream: EtcdStream<never, unknown>): StoreError
  /** Forgets the token, if calls carry one; true if so. */
  forgetToken(): boolean
  readonly closed: boolean
  close(): void
}

export function createEtcdConnection(
  modules: { clock: Clock; log: Log },
  options: CheckedOptions,
): EtcdConnection {
  const { clock, log } = modules
  const { login } = options
  const members = options.endpoints.map(
    (endpoint) => new Member({ clock }, { endpoint, credentials: options.channelCredentials }),
  )
  /** Agents begin at different members. */
  let preferred = Math.floor(Math.random() * members.length)
  let token: Promise<string | undefined> | undefined
  let closed = false

  function inOrder(avoided: ReadonlySet<Member>): Member[] {
    const order = members.map((_, index) => members[(preferred + index) % members.length]).filter(isDefined)
    const rest = order.filter((member) => !avoided.has(member))
    return rest.length > 0 ? rest : order
  }

  function prefer(member: Member): void {
    preferred = members.indexOf(member)
  }

  function demote(member: Member): void {
    if (members[preferred] === member) preferred = (preferred + 1) % members.length
  }

  async function readyMember(giveUpAt: number, avoided: ReadonlySet<Member>): Promise<Member> {
    if (closed) throw closedError()
    const candidates = inOrder(avoided)
    const ready = candidates.find((member) => member.isReady()) ?? (await raceToConnect(candidates, giveUpAt))
    prefer(ready)
    return ready
  }

  function raceToConnect(candidates: Member[], giveUpAt: number): Promise<Member> {
    const startedAt = clock.monotonic()
    const reasons = new Map<Member, string>()
    let over = false
    return new Promise((resolve, reject) => {
      const fail = (): void => {
        over = true
        reject(closed ? closedError() : unreachable(candidates, reasons, clock.monotonic() - startedAt))
      }
      const deadline = clock.setTimeout(fail, giveUpAt - startedAt)
      const tryMember = async (member: Member, delayMs: number): Promise<void> => {
        await pause(delayMs)
        while (!over) {
          const reason = await member.connect(giveUpAt - clock.monotonic())
          // The race may have been decided during the wait.
          if (isOver()) return
          if (reason === undefined) {
            over = true
            deadline.cancel()
            resolve(member)
            return
          }
          reasons.set(member, reason)
          const hopeless = closed || [...reasons.values()].every(isCertificateTrouble)
          const patient = clock.monotonic() - startedAt < refusalPatienceMs
          if (reasons.size === candidates.length && (hopeless || !patient)) {
            deadline.cancel()
            fail()
            return
          }
          await pause(retryPauseMs)
        }
      }
      const isOver = (): boolean => over
      candidates.forEach((member, index) => {
        tryMember(member, index * staggerMs).catch(reject)
      })
    })
  }

  function pause(ms: number): Promise<void> {
    if (ms <= 0) return Promise.resolve()
    return new Promise((resolve) => {
      clock.setTimeout(resolve, ms)
    })
  }

  async function metadataFor(member: Member, timeoutMs: number): Promise<Metadata> {
    const metadata = new Metadata()
    // A member cut off from the others refuses at once instead of letting us wait.
    metadata.set('hasleader', 'true')
    if (!login) return metadata
    token ??= authenticate(member, login, timeoutMs).catch((error: unknown) => {
      token = undefined
      throw error
    })
    const value = await token
    if (value !== undefined) metadata.set('token', value)
    return metadata
  }

  async function authenticate(
    member: Member,
    credentials: { name: string; password: string },
    timeoutMs: number,
  ): Promise<string | undefined> {
    const answer = await member.call(
      (etcd, options) => etcd.auth.authenticate(credentials, options),
      new Metadata(),
      timeoutMs,
    )
    if (answer.ok) return answer.value.token
    if (answer.text === 'etcdserver: authentication is not enabled') {
      log.warn(
        { endpoint: member.url },
        'etcd asks for no authentication; the user name and password are not used',
      )
      return undefined
    }
    const failure = failureOf(answer.code, answer.text, member.url)
    if (failure.kind === 'final') throw failure.error
    throw new AuthenticationUnanswered('reason' in failure ? failure.reason : answer.text)
  }

  async function call<Response>(
    send: UnaryCall<Response>,
    { deadlineMs, repeatable }: CallOptions,
  ): Promise<Response> {
    const giveUpAt = clock.monotonic() + deadlineMs
    const avoided = new Set<Member>()
    let lastReason = ''
    let tokenRenewals = 0
    for (;;) {
      if (lastReason !== '' && clock.monotonic() >= giveUpAt) {
        throw new StoreError('deadline', `etcd gave no answer within ${deadlineMs} ms (${lastReason})`, {
          remedy: 'check the health of the etcd cluster (etcdctl endpoint health)',
          details: { deadlineMs },
        })
      }
      const member = await readyMember(giveUpAt, avoided)
      const remaining = giveUpAt - clock.monotonic()
      const untried = members.length - avoided.size
      const share = Math.max(remaining / Math.max(untried, 1), Math.min(minimumAttemptMs, remaining))
      let metadata: Metadata
      try {
        metadata = await metadataFor(member, share)
      } catch (error) {
        if (!(error instanceof AuthenticationUnanswered)) throw error
        lastReason = error.message
        await leave(member, avoided, giveUpAt)
        continue
      }
      const timeoutMs = Math.max(repeatable ? share : giveUpAt - clock.monotonic(), 1)
      const answer = await member.call(send, metadata, timeoutMs)
      if (answer.ok) return answer.value
      if (answer.timedOut) member.renewConnection()
      const failure = failureOf(answer.code, answer.text, member.url)
      switch (failure.kind) {
        case 'final':
          throw failure.error
        case 'token':
          token = undefined
          tokenRenewals += 1
          if (tokenRenewals > 3) {
            throw new StoreError('authentication', `etcd at ${member.url} refused the tokens it gave`, {
              remedy: 'check the clocks and the --auth-token option of the etcd members',
            })
          }
          continue
        case 'not-done':
          lastReason = failure.reason
          await leave(member, avoided, giveUpAt)
          continue
        case 'unknown':
          lastReason = answer.timedOut ? `${member.url} is silent` : failure.reason
          if (!repeatable) {
            demote(member)
            throw unknownOutcome(member.url, lastReason, answer.timedOut ? deadlineMs : undefined)
          }
          if (closed) throw closedError()
          await leave(member, avoided, giveUpAt)
      }
    }
  }

  /** Goes on to the next member; once all have been tried, after a pause from the beginning. */
  async function leave(member: Member, avoided: Set<Member>, giveUpAt: number): Promise<void> {
    demote(member)
    avoided.add(member)
    if (avoided.size < members.length) return
    avoided.clear()
    await pause(Math.min(retryPauseMs, Math.max(giveUpAt - clock.monotonic(), 0)))
  }

  async function openStream<Request, Response>(
    open: StreamCall<Request, Response>,
    deadlineMs: number,
  ): Promise<EtcdStream<Request, Response>> {
    const giveUpAt = clock.monotonic() + deadlineMs
    const member = await readyMember(giveUpAt, new Set())
    try {
      const metadata = await metadataFor(member, Math.max(giveUpAt - clock.monotonic(), 1))
      return await member.openStream(open, metadata)
    } catch (error) {
      if (!(error instanceof AuthenticationUnanswered)) throw error
      demote(member)
      throw new StoreError('unreachable', `etcd at ${member.url} didn't answer: ${error.message}`)
    }
  }

  function streamFailure({ url, status }: EtcdStream<never, unknown>): StoreError {
    if (closed) return closedError()
    const member = members.find((candidate) => candidate.url === url)
    if (member) demote(member)
    if (!status) return new StoreError('unreachable', `etcd at ${url} ended the stream`)
    const failure = failureOf(status.code, status.details, url)
    if (failure.kind === 'final') return failure.error
    if (failure.kind === 'token') token = undefined
    return new StoreError('unreachable', `the stream from etcd at ${url} was lost: ${status.details}`)
  }

  return {
    call,
    openStream,
    streamFailure,
    forgetToken() {
      const had = token !== undefined
      token = undefined
      return had
    },
    get closed() {
      return closed
    },
    close() {
      closed = true
      for (const member of members) member.close()
    },
  }
}

/** No token was to be had at this member: the call itself has not been sent. */
class AuthenticationUnanswered extends Error {}

function isDefined<T>(value: T | undefined): value is T {
  return value !== undefined
}

export function closedError(): StoreError {
  return new StoreError('closed', 'the connection to etcd has been closed')
}

function unknownOutcome(url: string, reason: string, deadlineMs: number | undefined): StoreError {
  const within = deadlineMs === undefined ? '' : ` within ${deadlineMs} ms`
  return new StoreError(
    'unknown-outcome',
    `etcd at ${url} was sent a transaction and gave no answer${within} (${reason}): it may have been carried out`,
    { remedy: 'read again what it would have written, then decide', details: { endpoint: url } },
  )
}

function unreachable(members: Member[], reasons: Map<Member, string>, elapsedMs: number): StoreError {
  const told = members.map((member) => `${member.url} (${reasons.get(member) ?? 'no answer'})`).join(', ')
  const known = [...reasons.values()]
  if (known.length > 0 && known.every(isCertificateTrouble)) {
    return new StoreError('certificate', `no trusted connection to etcd: ${told}`, {
      remedy:
        'check that the CA file belongs to these members, that the endpoints name hosts of their certificates, ' +
        'and that the client certificate is from an authority they trust',
      details: { endpoints: members.map(({ url }) => url) },
    })
  }
  return new StoreError(
    'unreachable',
    `no etcd member was reached within ${Math.round(elapsedMs)} ms: ${told}`,
    {
      remedy: 'check that etcd runs and that the endpoints are right',
      details: { endpoints: members.map(({ url }) => url) },
    },
  )
}
