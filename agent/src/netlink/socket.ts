import { DroverError } from '@network/net'
import { type NetlinkFault, join } from './codec/attribute.ts'
import {
  type Message,
  type Request,
  type Verdict,
  decodeDone,
  decodeError,
  decodeMessages,
  encodeMessage,
} from './codec/message.ts'
import { MessageFlag, MessageType } from './codec/numbers.ts'
import { type NetlinkCalls, netlinkCalls } from './libc.ts'

export type NetlinkErrorCode =
  /** There is no socket to be had. */
  | 'netlink-unavailable'
  /** The kernel did not take a request. */
  | 'netlink-not-sent'
  /** Not every answer came: what was done is not known. */
  | 'netlink-lost'
  /** An answer that makes no sense. */
  | 'netlink-malformed'
  /** A dump that the kernel changed under our hands, time and again. */
  | 'netlink-unsteady'

/** The exchange with the kernel failed as such; a request that the kernel refuses is an answer. */
export class NetlinkError extends DroverError {
  declare readonly code: NetlinkErrorCode
}

/** What became of one request: the messages it was answered with, or why it was refused. */
export type Answer =
  | { readonly ok: true; readonly messages: readonly Message[] }
  | {
      readonly ok: false
      /** `EEXIST` */
      readonly code: string
      /** The system's words and, behind a colon, the kernel's own. */
      readonly words: string
    }

/** What the kernel says of an interface, route or rule that is not there: the code of a refused answer. */
export function isGone(code: string): boolean {
  return code === 'ENODEV' || code === 'ESRCH' || code === 'ENOENT'
}

/** A socket of rtnetlink(7), in the namespace in which it was opened. Calls on one socket run one after another. */
export interface NetlinkSocket {
  /**
   * Sends requests, several in a datagram; one that is refused does not stop the next. An answer for each, in order.
   * `later`: on another thread, for what keeps its caller waiting in the kernel.
   */
  exchange(requests: readonly Request[], options?: { later?: boolean }): Promise<readonly Answer[]>
  /** Asks for a whole table; asks again if it changed meanwhile. */
  dump(request: Request): Promise<Answer>
  /** Closes it when the call under way has ended. */
  close(): void
}

/** More than the kernel puts in one datagram of a dump (32 KiB). */
const bufferBytes = 64 * 1024
/** Buffers of sockets that were closed: most live no longer than a call. */
const spareBuffers: Uint8Array[] = []
const mostSpareBuffers = 16
/** Requests in one datagram: their answers fit in a receive buffer of default size. */
const groupSize = 64
const dumpAttempts = 8
/** Datagrams that are not answers to us before we give up. */
const strangersAllowed = 1000

/**
 * The kernel answers in microseconds, less than it takes to wake another thread, unless somebody holds its lock
 * (rtnl). After an exchange that took this long, those of the next quarter of a second are made on another thread, so that the event
 * loop is held once and not again.
 */
const slowMs = 10
const distrustMs = 250
let distrustedUntil = 0

interface Waiting {
  readonly messages: Message[]
  readonly isDump: boolean
  interrupted: boolean
  verdict: Verdict | undefined
}

/** Opens a socket in the namespace of the calling thread. */
export function openNetlink(calls: NetlinkCalls = netlinkCalls): NetlinkSocket {
  const opened = calls.open()
  if (!opened.ok) {
    throw new NetlinkError('netlink-unavailable', `A netlink socket can't be opened: ${opened.code}.`, {
      remedy: 'See whether the agent has reached its limit of open files (ulimit -n).',
      details: { cause: opened.code },
    })
  }
  const { file } = opened
  const buffer = spareBuffers.pop() ?? new Uint8Array(bufferBytes)
  let lastSequence = 0
  let queue: Promise<unknown> = Promise.resolve()
  let closed = false

  function nextSequence(): number {
    lastSequence = lastSequence === 0xffffffff ? 1 : lastSequence + 1
    return lastSequence
  }

  function take(message: Message, waiting: ReadonlyMap<number, Waiting>): void {
    if (message.type === MessageType.overrun) throw lost('the kernel dropped answers')
    const entry = waiting.get(message.sequence)
    // An answer to what an earlier call gave up on.
    if (entry === undefined || entry.verdict !== undefined || message.type === MessageType.noop) return
    if ((message.flags & MessageFlag.dumpInterrupted) !== 0) entry.interrupted = true
    if (message.type === MessageType.error || message.type === MessageType.done) {
      const decoded = message.type === MessageType.error ? decodeError(message) : decodeDone(message)
      if (!decoded.ok) throw malformed(decoded.error)
      // A dump is acknowledged by its end alone.
      if (message.type === MessageType.error && entry.isDump && decoded.value.errno === 0) return
      entry.verdict = decoded.value
      return
    }
    entry.messages.push({ ...message, body: message.body.slice() })
  }

  async function collect(waiting: ReadonlyMap<number, Waiting>, later: boolean): Promise<void> {
    let overrun = false
    let strangers = 0
    const pending = (): boolean => [...waiting.values()].some((entry) => entry.verdict === undefined)
    let waitFirst = later
    while (pending()) {
      const received = waitFirst ? await calls.receiveLater(file, buffer) : calls.receive(file, buffer)
      if (!received.ok) {
        if (received.code === 'EINTR') continue
        if (received.code === 'ENOBUFS') {
          overrun = true
          continue
        }
        if (received.code !== 'EAGAIN' || overrun || waitFirst) {
          throw lost(overrun ? 'the receive buffer overflowed' : received.code)
        }
        waitFirst = true
        continue
      }
      if (!received.fromKernel) {
        if (++strangers > strangersAllowed) throw lost('others send to the socket')
        continue
      }
      if (received.length > buffer.length) {
        throw malformed({
          code: 'truncated',
          offset: buffer.length,
          reason: `a datagram of ${String(received.length)} bytes`,
        })
      }
      const messages = decodeMessages(buffer.subarray(0, received.length))
      if (!messages.ok) throw malformed(messages.error)
      if (received.length === 0 && ++strangers > strangersAllowed) throw lost('empty answers')
      for (const message of messages.value) take(message, waiting)
      waitFirst = later
    }
  }

  function answerOf(entry: Waiting): Answer {
    const { errno, text } = entry.verdict ?? { errno: 0, text: undefined }
    if (errno === 0) return { ok: true, messages: entry.messages }
    const { code, words } = calls.describe(errno)
    return { ok: false, code, words: text === undefined || text === '' ? words : `${words}: ${text}` }
  }

  async function run(
    requests: readonly Request[],
    isDump: boolean,
    later: boolean,
  ): Promise<readonly Waiting[]> {
    const waiting = new Map<number, Waiting>()
    const parts = requests.map(({ type, flags, body }) => {
      const sequence = nextSequence()
      waiting.set(sequence, { messages: [], isDump, interrupted: false, verdict: undefined })
      const all = MessageFlag.request | (isDump ? 0 : MessageFlag.acknowledge) | flags
      return encodeMessage({ type, flags: all, sequence, port: 0, body })
    })
    const bytes = join(parts)
    const begin = calls.monotonic()
    const onPool = later || begin < distrustedUntil
    const sent = onPool ? await calls.sendLater(file, bytes) : calls.send(file, bytes)
    const end = calls.monotonic()
    if (!onPool && end - begin > slowMs) distrustedUntil = end + distrustMs
    if (!sent) {
      throw new NetlinkError('netlink-not-sent', 'The kernel did not take a netlink request.', {
        remedy: 'The machine may be out of memory; the call can be repeated.',
      })
    }
    await collect(waiting, isDump && onPool)
    return [...waiting.values()]
  }

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (closed) return Promise.reject(new TypeError('the netlink socket is closed'))
    const answer = queue.then(work)
    queue = answer.catch(() => undefined)
    return answer
  }

  return {
    exchange: (requests, { later = false } = {}) =>
      inTurn(async () => {
        const answers: Answer[] = []
        for (let from = 0; from < requests.length; from += groupSize) {
          const group = await run(requests.slice(from, from + groupSize), false, later)
          answers.push(...group.map(answerOf))
        }
        return answers
      }),

    dump: (request) =>
      inTurn(async () => {
        for (let attempt = 0; attempt < dumpAttempts; attempt++) {
          const [entry] = await run([request], true, false)
          if (entry !== undefined && !entry.interrupted) return answerOf(entry)
        }
        throw new NetlinkError('netlink-unsteady', 'The kernel changes faster than it can be read.', {
          remedy: 'Try again when fewer interfaces and routes come and go.',
        })
      }),

    close() {
      if (closed) return
      closed = true
      void queue.then(() => {
        calls.close(file)
        if (spareBuffers.length < mostSpareBuffers) spareBuffers.push(buffer)
      })
    },
  }
}

function lost(why: string): NetlinkError {
  return new NetlinkError('netlink-lost', `An answer of the kernel was lost: ${why}.`, {
    remedy: 'The call can be repeated: it reads first and makes what is missing.',
    details: { cause: why },
  })
}

function malformed(fault: NetlinkFault): NetlinkError {
  return new NetlinkError(
    'netlink-malformed',
    `An answer of the kernel makes no sense at byte ${String(fault.offset)}: ${fault.reason}.`,
    { details: { ...fault } },
  )
}
