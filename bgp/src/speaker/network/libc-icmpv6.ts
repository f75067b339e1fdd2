/** ICMPv6 through libc: router advertisements of one device, out and in. */
import { type Result, addressFromBytes, failure, formatAddress, success } from '@network/net'
import {
  AF_INET6,
  IPPROTO_IPV6,
  IPV6_UNICAST_HOPS,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  bindToDevice,
  fault,
  integer,
  libc,
  littleEndian,
} from './libc.ts'
import { type SocketFault } from './sockets.ts'

export interface AdvertisementSocket {
  /** Sends one router advertisement to every node on the link. */
  advertise(): Result<undefined, SocketFault>
  /** Link-local addresses from which advertisements have come since the last call. */
  receive(): readonly string[]
  close(): void
}

interface DatagramCalls {
  readonly sendto: (
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    to: Uint8Array,
    toLength: number,
  ) => number
  readonly recvfrom: (
    fd: number,
    into: Uint8Array,
    length: number,
    flags: number,
    from: Uint8Array,
    fromLength: Uint8Array,
  ) => number
  readonly attachFilter: (
    fd: number,
    level: number,
    name: number,
    program: { readonly len: number; readonly filter: Uint8Array },
    length: number,
  ) => number
}

let loaded: DatagramCalls | undefined

function datagramCalls(): DatagramCalls {
  if (loaded !== undefined) return loaded
  const { func, struct } = libc()
  const program = struct('sock_fprog', { len: 'uint16_t', filter: 'uint8_t *' })
  loaded = {
    sendto: func(
      'long sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)',
    ) as DatagramCalls['sendto'],
    recvfrom: func(
      'long recvfrom(int, _Out_ uint8_t *, size_t, int, _Out_ uint8_t *, _Inout_ uint8_t *)',
    ) as DatagramCalls['recvfrom'],
    attachFilter: func(
      `int setsockopt(int, int, int, const ${program} *, uint32_t)`,
    ) as DatagramCalls['attachFilter'],
  }
  return loaded
}

// <bits/socket.h>, <linux/in6.h>, <linux/icmpv6.h> on Linux.
const SOCK_RAW = 3
const IPPROTO_ICMPV6 = 58
const IPV6_MULTICAST_HOPS = 18
const IPV6_MULTICAST_LOOP = 19
const ICMPV6_FILTER = 1
const SO_ATTACH_FILTER = 26
const routerAdvertisementType = 134

/** Advertisements read at a time: whoever floods the link is read no faster than the timer rings. */
const readLimit = 64
const addressLength = 28
const needsRaw = 'unnumbered peers take CAP_NET_RAW'

/**
 * RFC 4861 section 4.2, all zero but the type: no hop limit, no flags, router lifetime 0, no timers. The kernel fills
 * the checksum in (RFC 3542 section 3.1).
 */
const advertisement = Uint8Array.of(routerAdvertisementType, ...new Uint8Array(15))

/** Opens a socket for the advertisements of a device; fails if there is no such device or it is not permitted. */
export function openAdvertisementSocket(device: string): Result<AdvertisementSocket, SocketFault> {
  const { socket, setsockopt, close, ifIndex } = libc()
  const { attachFilter, sendto } = datagramCalls()
  const index = ifIndex(device)
  if (index === 0)
    return failure({ code: 'ENODEV', call: 'if_nametoindex', text: `there is no device ${device}` })
  const fd = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6)
  if (fd < 0) return fault('socket', 'cannot make an ICMPv6 socket', { EPERM: needsRaw, EACCES: needsRaw })
  const bound = bindToDevice(fd, device)
  if (!bound.ok) {
    close(fd)
    return bound
  }
  // RFC 4861 section 6.1.2: receivers demand 255. Our own advertisements don't come back to us.
  setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, integer(255), 4)
  setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, integer(255), 4)
  setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, integer(0), 4)
  setsockopt(fd, IPPROTO_ICMPV6, ICMPV6_FILTER, advertisementsOnly(), 32)
  // The same demand on what is heard: what comes from beyond the link has been forwarded, and has a smaller one.
  const filter = fromThisLinkOnly()
  const attached = attachFilter(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, 16)
  if (attached !== 0) {
    const refused = fault('setsockopt SO_ATTACH_FILTER', `cannot demand a hop limit of 255 on ${device}`)
    close(fd)
    return refused
  }
  const everyNode = allNodes(index)
  return success({
    advertise: () => {
      const sent = sendto(fd, advertisement, advertisement.length, 0, everyNode, everyNode.length)
      return sent < 0 ? fault('sendto', `cannot send by ${device}`) : success(undefined)
    },
    receive: () => receive(fd),
    close: () => void close(fd),
  })
}

function receive(fd: number): readonly string[] {
  const { recvfrom } = datagramCalls()
  const heard = new Set<string>()
  const bytes = new Uint8Array(256)
  const from = new Uint8Array(addressLength)
  const fromLength = integer(addressLength)
  for (let i = 0; i < readLimit; i++) {
    const length = recvfrom(fd, bytes, bytes.length, 0, from, fromLength)
    if (length < 0) break
    // RFC 4861 section 6.1.2: 16 octets at least, code 0, from a link-local address.
    const linkLocal = from[8] === 0xfe && ((from[9] ?? 0) & 0xc0) === 0x80
    if (length < 16 || bytes[0] !== routerAdvertisementType || bytes[1] !== 0 || !linkLocal) continue
    heard.add(formatAddress(addressFromBytes(from, 8, 'ipv6')))
  }
  return [...heard]
}

/** struct icmp6_filter: a set bit keeps a type out. */
function advertisementsOnly(): Uint8Array {
  const words = new Uint32Array(8).fill(0xffffffff)
  words[routerAdvertisementType >>> 5] = ~(1 << (routerAdvertisementType & 31)) >>> 0
  return new Uint8Array(words.buffer)
}

/**
 * <linux/filter.h>, a program of struct sock_filter { u16 code; u8 jt; u8 jf; u32 k; }: the octet at 7 in the network
 * header is the hop limit, and a packet of which another than 255 is there is cut to nothing.
 */
function fromThisLinkOnly(): { readonly len: number; readonly filter: Uint8Array } {
  const [loadByte, jumpIfEqual, give] = [0x30, 0x15, 0x06]
  const networkHeader = -0x100000
  const program = [
    [loadByte, 0, 0, networkHeader + 7],
    [jumpIfEqual, 0, 1, 255],
    [give, 0, 0, 0xffff],
    [give, 0, 0, 0],
  ] as const
  const filter = new Uint8Array(program.length * 8)
  const view = new DataView(filter.buffer)
  for (const [at, [code, jumpTrue, jumpFalse, operand]] of program.entries()) {
    view.setUint16(at * 8, code, littleEndian)
    view.setUint8(at * 8 + 2, jumpTrue)
    view.setUint8(at * 8 + 3, jumpFalse)
    view.setInt32(at * 8 + 4, operand, littleEndian)
  }
  return { len: program.length, filter }
}

/** struct sockaddr_in6 of ff02::1 on a device. */
function allNodes(index: number): Uint8Array {
  const bytes = new Uint8Array(addressLength)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, AF_INET6, littleEndian)
  bytes.set([0xff, 0x02], 8)
  bytes[23] = 1
  view.setUint32(24, index, littleEndian)
  return bytes
}
