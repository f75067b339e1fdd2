/**
 * One node as a network namespace with its workloads and a wire, and sockets of this process in all of them. Packets are
 * put on a workload's interface, on the wire, or sent by the host itself, and heard wherever they come out; the hosts behind
 * the interfaces have no addresses and answer nothing. Neighbours are fixed, so that no packet waits for an answer.
 */
import { openSync, closeSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Exec, createExec } from '../../agent/src/exec.ts'
import { inNamespace } from '../../agent/src/netlink/namespace.ts'
import { Lab, type Place } from '../lab/index.ts'
import { type Actor, type ActorName, actor, actors, uplink } from './actors.ts'
import {
  type Arrival,
  type Packet,
  decodePacket,
  decodeTransport,
  encodePacket,
  protocolNumber,
} from './wire/packet.ts'
import {
  closeSocket,
  openDeliveries,
  openFrames,
  openSender,
  receiveAll,
  sendFrame,
  sendPacket,
} from './wire/packet-sockets.ts'

/** Where packets come out: a workload's name, the wire, or the host itself. */
export type Outlet = ActorName | 'wire'

export interface Heard extends Arrival {
  readonly at: Outlet
}

export interface Shot {
  readonly from: ActorName
  readonly packet: Packet
  /** Whether it is expected to come out: those are waited for longer. */
  readonly expected: boolean
}

export interface Rack {
  readonly lab: Lab
  readonly node: Place
  /** Runs programs in the node's namespaces, with a lock of xtables of its own. */
  readonly exec: Exec
  /** Sends all and tells, by tag, where each was heard. Tags are distinct. */
  shoot(shots: readonly Shot[]): Promise<ReadonlyMap<number, readonly Heard[]>>
  /** Forgets every connection of the node. */
  forgetConnections(): Promise<void>
  destroy(): void
}

const hostEndMac = 'ee:ee:ee:ee:ee:ee'
const guestMac = '02:00:00:00:00:0a'
const wireMac = '02:00:00:00:00:0b'
const uplinkMac = '02:00:00:00:00:0c'

function macBytes(mac: string): readonly number[] {
  return mac.split(':').map((byte) => parseInt(byte, 16))
}

/** Exec whose programs run in the namespaces of a lab's host. */
export function execIn(place: Place): Exec {
  const own = createExec()
  const enter = (file: string, args: readonly string[]): [string, readonly string[]] => {
    const [program, ...rest] = place.enter
    if (program === undefined) throw new Error('a place is entered by a program')
    return [program, [...rest, file, ...args]]
  }
  return {
    run: (file, args, options) => own.run(...enter(file, args), options),
    start: (file, args, sink) => own.start(...enter(file, args), sink),
  }
}

/** A workload's wire: its frames come from `guest` and leave the node at `interfaceName`. */
async function wireUp(lab: Lab, node: Place, guest: Actor): Promise<Place> {
  const place = await lab.namespace(guest.name)
  await place.run('sysctl', ['-q', '-w', 'net.ipv4.ip_forward=0', 'net.ipv6.conf.all.disable_ipv6=1'])
  const name = guest.interfaceName ?? uplink
  const mac = guest.kind === 'workload' ? hostEndMac : uplinkMac
  const guestEnd = guest.kind === 'workload' ? guestMac : wireMac
  const ends = `link add ${name} address ${mac} type veth peer name eth0 address ${guestEnd} netns ${path.basename(place.netns)}`
  const lines = [ends, `link set ${name} up`]
  if (guest.kind === 'workload') {
    for (const address of [guest.ipv4, guest.ipv6]) {
      lines.push(`route add ${address} dev ${name}`)
      lines.push(`neigh replace ${address} lladdr ${guestMac} dev ${name} nud permanent`)
    }
  }
  await node.run('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` })
  await place.run('ip', ['link', 'set', 'eth0', 'up'])
  return place
}

const gateways = { ipv4: '10.250.0.254', ipv6: 'fd00:250::254' }

async function buildNode(lab: Lab): Promise<Place> {
  const node = await lab.host('node')
  const lock = path.join(lab.folder, 'xtables.lock')
  mkdirSync(path.dirname(lock), { recursive: true })
  writeFileSync(lock, '')
  writeFileSync('/run/xtables.lock', '', { flag: 'a' })
  await node.run('mount', ['--bind', lock, '/run/xtables.lock'])
  await node.run('sysctl', [
    '-q',
    '-w',
    'net.ipv4.ip_forward=1',
    'net.ipv4.conf.all.rp_filter=0',
    'net.ipv4.conf.default.rp_filter=0',
    'net.ipv6.conf.all.forwarding=1',
    // Tracking checks the sums of UDPLite as if they were UDP's, and takes packets from a wire for damaged.
    'net.netfilter.nf_conntrack_checksum=0',
    // The node answers no echo, so that what is heard was sent by a probe.
    'net.ipv4.icmp_echo_ignore_all=1',
    'net.ipv6.icmp.echo_ignore_all=1',
  ])
  return node
}

async function plugUplink(node: Place): Promise<void> {
  const { ipv4, ipv6 } = actor('host')
  const peer = actor('peer')
  const lines = [
    `addr add ${ipv4}/24 dev ${uplink}`,
    `addr add ${ipv6}/64 dev ${uplink} nodad`,
    `route add default via ${gateways.ipv4}`,
    `-6 route add default via ${gateways.ipv6}`,
    ...[gateways.ipv4, gateways.ipv6, peer.ipv4, peer.ipv6].map(
      (address) => `neigh replace ${address} lladdr ${wireMac} dev ${uplink} nud permanent`,
    ),
    // The other node's workloads.
    `route add 10.65.1.0/24 via ${peer.ipv4}`,
    `-6 route add fd65::1:0/112 via ${peer.ipv6}`,
  ]
  for (const line of lines) await node.run('ip', line.split(' '))
}

interface Tap {
  readonly at: Outlet
  readonly file: number
  readonly read: (bytes: Uint8Array) => Arrival | undefined
}

function inPlace<T>(place: Place, use: () => T): T {
  const file = openSync(place.netns, 'r')
  try {
    return inNamespace(file, use)
  } finally {
    closeSync(file)
  }
}

async function indexOf(place: Place, name: string): Promise<number> {
  const { stdout } = await place.run('ip', ['-j', 'link', 'show', 'dev', name])
  return (JSON.parse(stdout) as { ifindex: number }[])[0]?.ifindex ?? 0
}

async function tapFrames(place: Place, at: Outlet): Promise<Tap> {
  const index = await indexOf(place, 'eth0')
  const file = inPlace(place, () => openFrames(index))
  return { at, file, read: (bytes) => decodePacket(bytes.subarray(14)) }
}

function tapDeliveries(node: Place): Tap[] {
  const { tcp, udp, sctp, udplite, icmp, icmpv6 } = protocolNumber
  const tap = (family: 'ipv4' | 'ipv6', protocol: number): Tap => ({
    at: 'host',
    file: inPlace(node, () => openDeliveries(family, protocol)),
    // A raw socket of IPv6 tells what follows the header, one of IPv4 everything.
    read: (bytes) => (family === 'ipv4' ? decodePacket(bytes) : decodeTransport(bytes, protocol)),
  })
  return [
    ...[tcp, udp, sctp, udplite, icmp, 99].map((protocol) => tap('ipv4', protocol)),
    ...[tcp, udp, sctp, udplite, icmpv6, 99].map((protocol) => tap('ipv6', protocol)),
  ]
}

function frame(packet: Uint8Array, to: string, from: string): Uint8Array {
  const bytes = new Uint8Array(14 + packet.length)
  bytes.set(macBytes(to), 0)
  bytes.set(macBytes(from), 6)
  bytes.set((packet[0] ?? 0) >> 4 === 4 ? [0x08, 0x00] : [0x86, 0xdd], 12)
  bytes.set(packet, 14)
  return bytes
}

/** How long what should arrive is waited for, and how long what should not may still come late. */
const patienceMs = 1000
const quietMs = 12

const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Builds it; needs root. */
export async function buildRack(label: string): Promise<Rack> {
  const lab = new Lab(label)
  const node = await buildNode(lab)
  const taps: Tap[] = []
  const frames = new Map<Outlet, number>()
  for (const guest of [...actors.values()].filter(({ kind }) => kind === 'workload')) {
    const tap = await tapFrames(await wireUp(lab, node, guest), guest.name)
    taps.push(tap)
    frames.set(guest.name, tap.file)
  }
  const wire = await tapFrames(await wireUp(lab, node, actor('outside')), 'wire')
  taps.push(wire, ...tapDeliveries(node))
  await plugUplink(node)
  const senders = {
    ipv4: inPlace(node, () => openSender('ipv4')),
    ipv6: inPlace(node, () => openSender('ipv6')),
  }

  const send = ({ from, packet }: Shot): void => {
    const bytes = encodePacket(packet)
    const { kind } = actor(from)
    if (kind === 'host') {
      sendPacket(packet.destination.includes(':') ? senders.ipv6 : senders.ipv4, bytes, packet.destination)
    } else if (kind === 'wire') {
      sendFrame(wire.file, frame(bytes, uplinkMac, wireMac))
    } else {
      sendFrame(frames.get(from) ?? -1, frame(bytes, hostEndMac, guestMac))
    }
  }
  const listen = (heard: Map<number, Heard[]>): boolean => {
    let any = false
    for (const { at, file, read } of taps) {
      for (const bytes of receiveAll(file)) {
        const arrival = read(bytes)
        if (arrival === undefined) continue
        any = true
        const known = heard.get(arrival.tag) ?? []
        // Several sockets of the host may hear one delivery.
        if (!known.some((other) => other.at === at)) known.push({ ...arrival, at })
        heard.set(arrival.tag, known)
      }
    }
    return any
  }

  return {
    lab,
    node,
    exec: execIn(node),
    shoot: async (shots) => {
      const heard = new Map<number, Heard[]>()
      listen(heard)
      if (heard.size > 0) throw new Error(`${String(heard.size)} packets came out after they were given up`)
      shots.forEach((shot, index) => {
        send(shot)
        if (index % 64 === 63) listen(heard)
      })
      const end = performance.now() + patienceMs
      const waited = shots.filter(({ expected }) => expected)
      listen(heard)
      while (performance.now() < end && waited.some(({ packet }) => !heard.has(packet.tag))) {
        await rest(2)
        listen(heard)
      }
      do await rest(quietMs)
      while (listen(heard))
      return heard
    },
    forgetConnections: async () => {
      await node.attempt('conntrack', ['-F'])
    },
    destroy: () => {
      for (const { file } of taps) closeSocket(file)
      closeSocket(senders.ipv4)
      closeSocket(senders.ipv6)
      lab.destroy()
    },
  }
}
