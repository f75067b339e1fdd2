/**
 * New connections at a steady rate, each told by its first packet: put on the wire at the sender's interface and listened for
 * at the receiver's. What is lost would have been a connection refused or delayed, what leaks one that policy denies.
 */
import { closeSync, openSync } from 'node:fs'
import { inNamespace } from '../../../agent/src/netlink/namespace.ts'
import type { Place } from '../../lab/index.ts'
import { decodePacket, encodePacket, protocolNumber } from '../wire/packet.ts'
import { closeSocket, openFrames, receiveAll, sendFrame } from '../wire/packet-sockets.ts'

export interface SteadyOptions {
  readonly from: { readonly place: Place; readonly address: string }
  readonly to: { readonly place: Place; readonly address: string }
  readonly port: number
  readonly perSecond: number
}

export interface SteadyReport {
  readonly sent: number
  readonly arrived: number
  /** Seconds since the start at which packets were sent that never arrived. */
  readonly lostAt: readonly number[]
  /** Seconds since the start at which packets were sent that arrived. */
  readonly arrivedAt: readonly number[]
}

export interface Steady {
  /** How many packets were sent so far. */
  sent(): number
  /** Ends it; what is still on its way is waited for. */
  finish(): Promise<SteadyReport>
}

const everyMs = 5
const gatewayMac = [0xee, 0xee, 0xee, 0xee, 0xee, 0xee]
const senderMac = [2, 0, 0, 0, 0, 0x0a]

async function openTap(place: Place): Promise<number> {
  const { stdout } = await place.run('ip', ['-j', 'link', 'show', 'dev', 'eth0'])
  const index = (JSON.parse(stdout) as { ifindex: number }[])[0]?.ifindex ?? 0
  const file = openSync(place.netns, 'r')
  try {
    return inNamespace(file, () => openFrames(index))
  } finally {
    closeSync(file)
  }
}

/** Tags are given once in the life of the process. */
let lastTag = 0

export async function startSteady({ from, to, port, perSecond }: SteadyOptions): Promise<Steady> {
  const [sender, receiver] = [await openTap(from.place), await openTap(to.place)]
  const sentAt = new Map<number, number>()
  const arrived = new Set<number>()
  const begin = performance.now()
  const listen = (): void => {
    for (const bytes of receiveAll(receiver)) {
      const tag = decodePacket(bytes.subarray(14))?.tag
      if (tag !== undefined && sentAt.has(tag)) arrived.add(tag)
    }
    // What comes back is nobody's business, and would fill the socket.
    for (const bytes of receiveAll(sender)) if (bytes.length === 0) break
  }
  const send = (): void => {
    const tag = ++lastTag
    const packet = encodePacket({
      source: from.address,
      destination: to.address,
      protocol: protocolNumber.tcp,
      sourcePort: 10_000 + (tag % 50_000),
      destinationPort: port,
      tag,
    })
    const type = to.address.includes(':') ? [0x86, 0xdd] : [0x08, 0x00]
    sentAt.set(tag, (performance.now() - begin) / 1000)
    sendFrame(sender, Uint8Array.from([...gatewayMac, ...senderMac, ...type, ...packet]))
  }
  const timer = setInterval(() => {
    // As many as are due: a timer may come late.
    const due = ((performance.now() - begin) / 1000) * perSecond
    for (let room = 64; sentAt.size < due && room > 0; room--) send()
    listen()
  }, everyMs)
  return {
    sent: () => sentAt.size,
    finish: async () => {
      clearInterval(timer)
      await new Promise((resolve) => setTimeout(resolve, 200))
      listen()
      closeSocket(sender)
      closeSocket(receiver)
      const times = (wanted: boolean): number[] =>
        [...sentAt].filter(([tag]) => arrived.has(tag) === wanted).map(([, at]) => Number(at.toFixed(2)))
      return { sent: sentAt.size, arrived: arrived.size, lostAt: times(false), arrivedAt: times(true) }
    },
  }
}
