/**
 * The speaker's own thread: keepalives go out on time whatever the agent is busy with. The thread only carries
 * messages between the agent and the speaker; a bug here ends the thread, not the agent, which starts it again. It may
 * be there before the agent knows what speaker it needs: its first message says so.
 */
import { parentPort } from 'node:worker_threads'
import { type Speaker, createSpeaker } from '@network/bgp'
import { DroverError, type Family, type Log } from '@network/net'
import type { FromSpeaker, SpeakerBeginning, SpeakerFailure, ToSpeaker } from './speaker-messages.ts'

if (parentPort === null) throw new Error('speaker-worker runs as a worker thread of the agent')
const port = parentPort

const send = (message: FromSpeaker): void => port.postMessage(message)

function threadLog(bindings: object): Log {
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (data: object, message: string): void =>
      send({ type: 'log', level, data: plain({ ...bindings, ...data }), message })
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (more) => threadLog({ ...bindings, ...more }),
  }
}

/** Log data may hold anything; errors and functions don't travel as they are. */
function plain(data: Readonly<Record<string, unknown>>): object {
  return JSON.parse(
    JSON.stringify(data, (_key, value: unknown) =>
      value instanceof Error ? value.message : typeof value === 'bigint' ? String(value) : value,
    ),
  ) as object
}

function failureOf(error: unknown): SpeakerFailure {
  if (error instanceof DroverError) {
    return { code: error.code, message: error.message, remedy: error.remedy, details: error.details }
  }
  return {
    code: undefined,
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    remedy: undefined,
    details: {},
  }
}

let speaker: Speaker | undefined
const acknowledgements = new Map<number, () => void>()
let batches = 0

function begin(data: SpeakerBeginning): void {
  const begun = createSpeaker(data.speaker, { log: threadLog({ module: 'bgp' }) })
  speaker = begun
  for (const family of data.families) {
    forwardBest(begun, family).catch((error: unknown) => {
      // Thrown on purpose: without its best routes the thread is of no use, and its owner starts a new one.
      queueMicrotask(() => {
        throw error
      })
    })
  }
}

async function forwardBest(from: Speaker, family: Family): Promise<void> {
  for await (const best of from.best(family)) {
    const batch = ++batches
    const acknowledged = new Promise<void>((resolve) => acknowledgements.set(batch, resolve))
    send({ type: 'best', batch, best })
    await acknowledged
  }
}

async function answer(message: Extract<ToSpeaker, { type: 'call' }>): Promise<unknown> {
  if (speaker === undefined) throw new Error('a speaker that has not begun was called')
  switch (message.call) {
    case 'ready':
      return speaker.ready()
    case 'apply':
      return speaker.apply(message.argument)
    case 'peers':
      return speaker.peers()
    case 'routes':
      return speaker.routes(message.argument)
    case 'explain':
      return speaker.explain(message.argument.prefix)
    case 'explainExports':
      return speaker.explainExports(message.argument.prefix)
    case 'refresh':
      return speaker.refresh(message.argument.peer, message.argument.family)
    case 'stop':
      return speaker.stop(message.argument)
  }
}

port.on('message', (message: ToSpeaker) => {
  if (message.type === 'begin') {
    begin(message.data)
    return
  }
  if (message.type === 'acknowledge') {
    acknowledgements.get(message.batch)?.()
    acknowledgements.delete(message.batch)
    return
  }
  answer(message).then(
    (value) => {
      send({ type: 'answer', id: message.id, value })
      if (message.call === 'stop') port.close()
    },
    (error: unknown) => send({ type: 'failure', id: message.id, error: failureOf(error) }),
  )
})
