/** TCP sockets through libc, with the options that are set before they connect or listen. */
import { type Result, addressToBytes, parseAddress, success } from '@network/net'
import {
  AF_INET6,
  IPPROTO_IPV6,
  IPV6_UNICAST_HOPS,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  fault,
  integer,
  libc,
  littleEndian,
} from './libc.ts'
import { type SocketFault } from './sockets.ts'

interface ListeningCalls {
  readonly bind: (fd: number, address: Uint8Array, length: number) => number
  readonly listen: (fd: number, backlog: number) => number
}

let loaded: ListeningCalls | undefined

function listeningCalls(): ListeningCalls {
  return (loaded ??= {
    bind: libc().func('int bind(int, const uint8_t *, uint32_t)') as ListeningCalls['bind'],
    listen: libc().func('int listen(int, int)') as ListeningCalls['listen'],
  })
}

// <bits/socket.h>, <netinet/in.h>, <netinet/tcp.h>, <linux/tcp.h> on Linux, the same on every architecture
// that Node runs on.
const AF_INET = 2
const SOCK_STREAM = 1
const IPPROTO_IP = 0
const IPPROTO_TCP = 6
const SO_REUSEADDR = 2
const IP_TTL = 2
const IP_MINTTL = 21
const IPV6_V6ONLY = 26
const IPV6_MINHOPCOUNT = 73
const TCP_MD5SIG = 14
const TCP_MD5SIG_EXT = 32
const TCP_MD5SIG_FLAG_PREFIX = 1

/** A TCP socket that blocks nobody. The caller closes it, or hands it to somebody who does. */
export function openSocket(address: string): Result<number, SocketFault> {
  const fd = libc().socket(
    address.includes(':') ? AF_INET6 : AF_INET,
    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
    IPPROTO_TCP,
  )
  return fd < 0 ? fault('socket', 'cannot make a socket') : success(fd)
}

export function closeSocket(fd: number): void {
  libc().close(fd)
}

/** Connections that wait to be accepted: the kernel allows net.core.somaxconn. A SYN beyond it comes again after 1 s. */
export const listenBacklog = 4096

/** Binds and listens. An IPv6 socket takes IPv6 only: IPv4 has its own. */
export function listenOn(fd: number, address: string, port: number): Result<undefined, SocketFault> {
  const { setsockopt } = libc()
  const { bind, listen } = listeningCalls()
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, integer(1), 4)
  if (address.includes(':')) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, integer(1), 4)
  const bytes = socketAddress(address, port)
  if (bind(fd, bytes, bytes.length) !== 0) return fault('bind', `cannot bind ${address} port ${port}`)
  if (listen(fd, listenBacklog) !== 0) return fault('listen', `cannot listen on ${address} port ${port}`)
  return success(undefined)
}

/** ip(7), ipv6(7): the TTL of what is sent. */
export function setTtl(fd: number, ipv6: boolean, ttl: number): Result<undefined, SocketFault> {
  const status = ipv6
    ? libc().setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, integer(ttl), 4)
    : libc().setsockopt(fd, IPPROTO_IP, IP_TTL, integer(ttl), 4)
  return status === 0 ? success(undefined) : fault('setsockopt IP_TTL', `cannot set a TTL of ${ttl}`)
}

/** RFC 5082: segments that arrive with a smaller TTL are dropped by the kernel. */
export function setMinimumTtl(fd: number, ipv6: boolean, ttl: number): Result<undefined, SocketFault> {
  const status = ipv6
    ? libc().setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, integer(ttl), 4)
    : libc().setsockopt(fd, IPPROTO_IP, IP_MINTTL, integer(ttl), 4)
  return status === 0 ? success(undefined) : fault('setsockopt IP_MINTTL', `cannot demand a TTL of ${ttl}`)
}

/**
 * tcp(7) TCP_MD5SIG: the key for one peer ('10.0.0.1', 'fe80::1%eth0') or for a range of them ('10.0.0.0/24');
 * undefined removes it.
 *
 *   struct tcp_md5sig { sockaddr_storage addr (128); u8 flags; u8 prefixlen; u16 keylen; int ifindex; u8 key[80]; }
 */
export function setMd5Key(fd: number, peer: string, key: string | undefined): Result<undefined, SocketFault> {
  const [address = '', length] = peer.split('/')
  const keyBytes = new TextEncoder().encode(key ?? '')
  const value = new Uint8Array(216)
  const view = new DataView(value.buffer)
  value.set(socketAddress(address, 0))
  view.setUint8(128, length === undefined ? 0 : TCP_MD5SIG_FLAG_PREFIX)
  view.setUint8(129, length === undefined ? 0 : Number(length))
  view.setUint16(130, keyBytes.length, littleEndian)
  value.set(keyBytes.subarray(0, 80), 136)
  const option = length === undefined ? TCP_MD5SIG : TCP_MD5SIG_EXT
  const status = libc().setsockopt(fd, IPPROTO_TCP, option, value, value.length)
  if (status === 0) return success(undefined)
  const refused = fault('setsockopt TCP_MD5SIG', `cannot set the TCP MD5 key of ${peer}`, {
    ENOMEM:
      'the socket has no room for more keys: raise net.core.optmem_max, or give a range of peers one key',
    ENOPROTOOPT: 'this kernel is built without CONFIG_TCP_MD5SIG',
    EPERM: 'give the process CAP_NET_ADMIN',
  })
  // Removing a key that is not there is what was wanted.
  return key === undefined && refused.error.code === 'ENOENT' ? success(undefined) : refused
}

/** struct sockaddr_in or sockaddr_in6; the zone of a link-local address is its scope id. */
function socketAddress(text: string, port: number): Uint8Array {
  const [address = '', zone] = text.split('%')
  const parsed = parseAddress(address)
  if (!parsed.ok) throw new TypeError(`${text} is not an address`)
  const ipv4 = parsed.value.family === 'ipv4'
  const bytes = new Uint8Array(ipv4 ? 16 : 28)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, ipv4 ? AF_INET : AF_INET6, littleEndian)
  view.setUint16(2, port)
  bytes.set(addressToBytes(parsed.value), ipv4 ? 4 : 8)
  if (!ipv4 && zone !== undefined) view.setUint32(24, libc().ifIndex(zone), littleEndian)
  return bytes
}
