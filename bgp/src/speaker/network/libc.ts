/*
 * What Node has no way to do: sockets with options set before they connect, listen or are bound to a port. This is libc
 * as the sockets of libc-tcp.ts and libc-icmpv6.ts use it. Who needs none of that needs no koffi.
 */
import { createRequire } from 'node:module'
import { type Result, failure, success } from '@network/net'
import type * as Koffi from 'koffi'
import { type SocketFault } from './sockets.ts'

export interface Libc {
  readonly socket: (family: number, type: number, protocol: number) => number
  readonly setsockopt: (fd: number, level: number, name: number, value: Uint8Array, length: number) => number
  readonly close: (fd: number) => number
  readonly ifIndex: (name: string) => number
  /** Another function by its C prototype; the caller knows what it is in TypeScript. */
  readonly func: (prototype: string) => unknown
  /** A structure that prototypes can name from now on; returns its name. Types are C's. */
  readonly struct: (name: string, fields: Readonly<Record<string, string>>) => string
  /** errno's name after a call that failed: 'EPERM'. */
  readonly errno: () => string
}

let loaded: Libc | undefined

/** The libc that Node itself runs with; loads koffi with the first call. */
export function libc(): Libc {
  if (loaded !== undefined) return loaded
  const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
  const library = koffi.load(null)
  const names = new Map(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]))
  loaded = {
    socket: library.func('int socket(int, int, int)') as Libc['socket'],
    setsockopt: library.func(
      'int setsockopt(int, int, int, const uint8_t *, uint32_t)',
    ) as Libc['setsockopt'],
    close: library.func('int close(int)') as Libc['close'],
    ifIndex: library.func('unsigned int if_nametoindex(const char *)') as Libc['ifIndex'],
    func: (prototype) => library.func(prototype),
    struct: (name, fields) => {
      koffi.struct(name, fields)
      return name
    },
    errno: () => {
      const number = koffi.errno()
      return names.get(number) ?? `errno ${number}`
    },
  }
  return loaded
}

// <bits/socket.h>, <netinet/in.h> on Linux, the same on every architecture that Node runs on.
export const AF_INET6 = 10
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000
export const IPPROTO_IPV6 = 41
export const IPV6_UNICAST_HOPS = 16
export const SOL_SOCKET = 1
const SO_BINDTODEVICE = 25

/** The byte order of this machine, in which the kernel's structures are. */
export const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** An `int` as the kernel reads it. */
export function integer(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, value, littleEndian)
  return bytes
}

/** The call that has just failed. `remedies`: what to do, by errno. */
export function fault(
  call: string,
  what: string,
  remedies: Readonly<Record<string, string>> = {},
): { ok: false; error: SocketFault } {
  const code = libc().errno()
  const remedy = remedies[code]
  return failure({ code, call, text: `${what}: ${code}${remedy === undefined ? '' : ` (${remedy})`}` })
}

/** socket(7) SO_BINDTODEVICE. */
export function bindToDevice(fd: number, device: string): Result<undefined, SocketFault> {
  const name = new TextEncoder().encode(`${device}\0`)
  const status = libc().setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length)
  return status === 0
    ? success(undefined)
    : fault('setsockopt SO_BINDTODEVICE', `cannot bind to device ${device}`, {
        EPERM: 'before Linux 5.7 it takes CAP_NET_RAW',
        ENODEV: 'there is no such device',
      })
}
