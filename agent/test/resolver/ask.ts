/** Questions and servers for tests, over real sockets of loopback. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { type Answer, type DecodedPacket, type RecordType, decode, encode } from 'dns-packet'
import type { Clock } from '@network/net'
import type { Server } from '../../src/names/nameservers.ts'
import { MessageReader, framed } from '../../src/resolver/framing.ts'

/** So many times as fast as the machine's. */
export function fastClock(times: number): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now() * times,
    setTimeout(call, ms) {
      const timer = setTimeout(call, ms / times)
      return { cancel: () => clearTimeout(timer) }
    },
  }
}

/** A place of loopback where nobody listens. */
export async function freePlace(): Promise<Server> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('it has no port')
  return { address: '127.0.0.1', port: address.port }
}

export function question(name: string, type: RecordType = 'A', additionals: Answer[] = []): Buffer {
  return encode({ type: 'query', id: 77, flags: 0x0100, questions: [{ type, name }], additionals })
}

/** What was answered, 'rcode: data …'; rcode is 0 if all is well. */
export function words(answer: Buffer): string {
  const { answers = [] } = decode(answer)
  const code = answer.readUInt16BE(2) & 0xf
  const data = answers.flatMap((record) =>
    record.type === 'A' || record.type === 'AAAA' ? [record.data] : [],
  )
  return [`${String(code)}:`, ...data].join(' ')
}

export function answerTo(asked: Buffer, more: { flags?: number; data?: string } = {}): Buffer {
  const { id = 0, questions = [] }: DecodedPacket = decode(asked)
  return encode({
    type: 'response',
    id,
    flags: more.flags ?? 0,
    questions,
    answers:
      more.data === undefined
        ? []
        : [{ type: 'A', name: questions[0]?.name ?? '.', ttl: 60, data: more.data }],
  })
}

export async function askByUdp(at: Server, message: Buffer): Promise<Buffer> {
  const socket = createSocket('udp4')
  try {
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(5_000) })
    socket.send(message, at.port, at.address)
    const [answer] = (await answered) as [Buffer]
    return answer
  } finally {
    socket.close()
  }
}

export async function askByTcp(at: Server, ...messages: Buffer[]): Promise<Buffer[]> {
  const socket = connect(at.port, at.address)
  const reader = new MessageReader()
  const answers: Buffer[] = []
  try {
    socket.write(Buffer.concat(messages.map(framed)))
    for await (const chunk of socket) {
      answers.push(...reader.read(chunk as Buffer))
      if (answers.length === messages.length) break
    }
    return answers
  } finally {
    socket.destroy()
  }
}
