/**
 * Speaks the worker's protocol without BGP: converges at once, answers calls, and dies when a peer called 'crash' is
 * desired for the first time of a thread that is not restarting.
 */
import { parentPort } from 'node:worker_threads'
import type { FromSpeaker, SpeakerBeginning, ToSpeaker } from '../../src/roles/speaker-messages.ts'

const port = parentPort
if (port === null) throw new Error('this is a worker')
let speaker: SpeakerBeginning['speaker'] | undefined
const send = (message: FromSpeaker): void => port.postMessage(message)

let batch = 0
port.on('message', (message: ToSpeaker) => {
  if (message.type === 'acknowledge') return
  if (message.type === 'begin') {
    speaker = message.data.speaker
    for (const family of message.data.families) {
      send({ type: 'best', batch: ++batch, best: { family, changes: [], converged: true } })
    }
    return
  }
  const answer = (value: unknown): void => send({ type: 'answer', id: message.id, value })
  switch (message.call) {
    case 'apply': {
      const crash = message.argument.peers.some(({ name }) => name === 'crash')
      if (crash && speaker?.gracefulRestart?.restarting !== true) throw new Error('asked to crash')
      answer({
        added: message.argument.peers.map(({ name }) => name),
        removed: [],
        reset: [],
        updated: [],
        originated: 0,
        withdrawn: 0,
      })
      return
    }
    case 'ready':
    case 'stop':
      answer(undefined)
      return
    default:
      answer([])
  }
})
