/**
 * Questions that are not for us, asked of others as they came: one after the other until one answers, the one that
 * answered last first. Every question has a socket of its own, so its port and number are by chance, and only what comes
 * from the server asked, with that number and the words of the question, is its answer.
 */
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { Clock } from '@network/net'
import { ResponseCode, answersTo, responseCode } from './message.ts'
import type { Server } from '../names/nameservers.ts'
import { MessageReader, framed } from './framing.ts'

export type Transport = 'udp' | 'tcp'

export interface Upstream {
  /** @returns the answer, with the question's own number; undefined if nobody answered in time */
  ask(question: Buffer, transport: Transport): Promise<Buffer | undefined>
}

export interface UpstreamModules {
  clock: Clock
  /** From 0 to 1, below 1. */
  random: () => number
  /** Whom to ask, in order. */
  servers: () => readonly Server[]
}

/** Docker's resolver waits 4 s for us. */
const WHOLE_MS = 3_500
const EACH_MS = 1_500
/** Of the answers of others (RFC 1035, section 4.1.1): the next one is asked. */
const UNWILLING: readonly number[] = [ResponseCode.serverFailure, ResponseCode.refused]

type Ask = (server: Server, question: Buffer, signal: AbortSignal) => Promise<Buffer | undefined>

export function createUpstream({ clock, random, servers }: UpstreamModules): Upstream {
  let preferred: string | undefined
  const nameOf = ({ address, port }: Server): string => `${address} ${String(port)}`
  return {
    async ask(question, transport) {
      const asked = Buffer.from(question)
      asked.writeUInt16BE(Math.floor(random() * 0x1_0000), 0)
      const end = clock.monotonic() + WHOLE_MS
      const order = servers().toSorted(
        (a, b) => Number(nameOf(b) === preferred) - Number(nameOf(a) === preferred),
      )
      let unwilling: Buffer | undefined
      for (const server of order) {
        const leftMs = Math.min(EACH_MS, end - clock.monotonic())
        if (leftMs <= 0) break
        const answer = await bounded(clock, leftMs, (signal) =>
          (transport === 'udp' ? askByUdp : askByTcp)(server, asked, signal),
        )
        if (answer === undefined) continue
        question.copy(answer, 0, 0, 2)
        if (UNWILLING.includes(responseCode(answer))) {
          unwilling ??= answer
          continue
        }
        preferred = nameOf(server)
        return answer
      }
      return unwilling
    },
  }
}

async function bounded<T>(clock: Clock, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const timer = clock.setTimeout(() => controller.abort(), ms)
  try {
    return await work(controller.signal)
  } finally {
    timer.cancel()
    controller.abort()
  }
}

const askByUdp: Ask = ({ address, port }, question, signal) =>
  new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
    let isOpen = true
    const finish = (answer: Buffer | undefined): void => {
      if (!isOpen) return
      isOpen = false
      socket.close()
      resolve(answer)
    }
    signal.addEventListener('abort', () => finish(undefined), { once: true })
    socket.on('error', () => finish(undefined))
    socket.on('message', (answer) => {
      if (answersTo(answer, question)) finish(answer)
    })
    socket.on('connect', () => {
      if (!isOpen) return
      socket.send(question, (error) => {
        if (error !== null) finish(undefined)
      })
    })
    socket.connect(port, address)
  })

const askByTcp: Ask = ({ address, port }, question, signal) =>
  new Promise((resolve) => {
    const socket = connect({ host: address, port })
    const reader = new MessageReader()
    const finish = (answer: Buffer | undefined): void => {
      socket.destroy()
      resolve(answer)
    }
    signal.addEventListener('abort', () => finish(undefined), { once: true })
    socket.on('error', () => finish(undefined))
    socket.on('close', () => finish(undefined))
    socket.on('connect', () => socket.write(framed(question)))
    socket.on('data', (chunk: Buffer) => {
      const answer = reader.read(chunk).find((message) => answersTo(message, question))
      if (answer !== undefined) finish(answer)
    })
  })
