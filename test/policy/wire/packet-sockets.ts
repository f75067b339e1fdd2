/** The calls of libc for packet(7) and raw(7) sockets, which Node has no way to make. */
import { address, addressToBytes } from '@network/net'
import { lastError, libc } from '../../../agent/src/netlink/libc.ts'

const AF_INET = 2
const AF_INET6 = 10
const AF_PACKET = 17
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const ETH_P_ALL = 3
const IPPROTO_RAW = 255
const SOL_SOCKET = 1
const SO_RCVBUF = 8
const SOL_PACKET = 263
const PACKET_IGNORE_OUTGOING = 23
const MSG_DONTWAIT = 0x40

/** Of libc, besides what every socket needs. */
interface PacketFunctions {
  readonly bind: (file: number, address: Uint8Array, length: number) => number
  readonly sendto: (
    file: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    to: Uint8Array,
    toLength: number,
  ) => number | bigint
  readonly recv: (file: number, buffer: Uint8Array, length: number, flags: number) => number | bigint
}

let loaded: PacketFunctions | undefined

function packetFunctions(): PacketFunctions {
  if (loaded !== undefined) return loaded
  const { func } = libc()
  loaded = {
    bind: func('int bind(int, const uint8_t *, uint32_t)') as PacketFunctions['bind'],
    sendto: func(
      'intptr_t sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)',
    ) as PacketFunctions['sendto'],
    recv: func('intptr_t recv(int, uint8_t *, size_t, int)') as PacketFunctions['recv'],
  }
  return loaded
}

function fail(what: string): never {
  throw new Error(`${what}: ${lastError()}`)
}

function integer(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, value, true)
  return bytes
}

function open(family: number, protocol: number): number {
  const file = libc().socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol)
  if (file < 0) fail(`a raw socket of family ${String(family)}, protocol ${String(protocol)}`)
  const room = integer(4 * 1024 * 1024)
  libc().setsockopt(file, SOL_SOCKET, SO_RCVBUF, room, room.length)
  return file
}

/** Frames of one interface, both ways; what the interface itself sends is not heard. */
export function openFrames(interfaceIndex: number): number {
  const file = open(AF_PACKET, 0)
  const one = integer(1)
  if (libc().setsockopt(file, SOL_PACKET, PACKET_IGNORE_OUTGOING, one, one.length) !== 0) {
    fail('PACKET_IGNORE_OUTGOING')
  }
  // struct sockaddr_ll: family in host order, protocol in network order, index in host order.
  const bytes = new Uint8Array(20)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, AF_PACKET, true)
  view.setUint16(2, ETH_P_ALL)
  view.setInt32(4, interfaceIndex, true)
  if (packetFunctions().bind(file, bytes, bytes.length) !== 0) fail('bind of a packet socket')
  return file
}

/** A copy of every packet of one protocol that is delivered to this host, past all filters. */
export function openDeliveries(family: 'ipv4' | 'ipv6', protocol: number): number {
  return open(family === 'ipv4' ? AF_INET : AF_INET6, protocol)
}

/** Sends whole IP packets from this host, through its routing and its OUTPUT chains. */
export function openSender(family: 'ipv4' | 'ipv6'): number {
  return open(family === 'ipv4' ? AF_INET : AF_INET6, IPPROTO_RAW)
}

export function sendFrame(file: number, bytes: Uint8Array): void {
  if (Number(libc().send(file, bytes, bytes.length, 0)) !== bytes.length) fail('send of a frame')
}

/** False if the kernel refused it, which is what a drop in OUTPUT looks like to the sender. */
export function sendPacket(file: number, bytes: Uint8Array, destination: string): boolean {
  const to = address(destination)
  const raw = addressToBytes(to)
  const name = new Uint8Array(to.family === 'ipv4' ? 16 : 28)
  new DataView(name.buffer).setUint16(0, to.family === 'ipv4' ? AF_INET : AF_INET6, true)
  name.set(raw, to.family === 'ipv4' ? 4 : 8)
  return Number(packetFunctions().sendto(file, bytes, bytes.length, 0, name, name.length)) === bytes.length
}

const buffer = new Uint8Array(4096)

/** Everything that waits on a socket; each array is valid until the next call. Never waits itself. */
export function* receiveAll(file: number): Generator<Uint8Array> {
  for (;;) {
    const length = Number(packetFunctions().recv(file, buffer, buffer.length, MSG_DONTWAIT))
    if (length < 0) return
    yield buffer.subarray(0, length)
  }
}

export function closeSocket(file: number): void {
  libc().close(file)
}
