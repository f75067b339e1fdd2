/**
 * The calls of libc that Node has no way to make: sockets of netlink(7) and setns(2). Loaded when first used. What may
 * wait in the kernel is done on a thread of libuv's pool.
 */
import { createRequire } from 'node:module'
import type * as Koffi from 'koffi'
import { littleEndian, viewOf } from './codec/attribute.ts'

/** Bytes that came, or why none did (`EAGAIN`: there are none yet). */
export type Received =
  | { readonly ok: true; readonly length: number; readonly fromKernel: boolean }
  | { readonly ok: false; readonly code: string }

/** What a socket needs of the system. */
export interface NetlinkCalls {
  /** A socket of rtnetlink in the namespace of the calling thread; an error's name if there is none to be had. */
  open(): { readonly ok: true; readonly file: number } | { readonly ok: false; readonly code: string }
  /** Returns when the kernel has done what was asked; false if it took nothing. */
  send(file: number, bytes: Uint8Array): boolean
  /** The same on another thread. */
  sendLater(file: number, bytes: Uint8Array): Promise<boolean>
  /** Never waits. `length` is that of the datagram, also if the buffer was shorter. */
  receive(file: number, buffer: Uint8Array): Received
  /** Waits on another thread, at most two seconds; any failure is `EAGAIN`. */
  receiveLater(file: number, buffer: Uint8Array): Promise<Received>
  close(file: number): void
  /** Milliseconds of a clock that is never set. */
  monotonic(): number
  describe(errno: number): { readonly code: string; readonly words: string }
}

/** What entering a namespace needs. */
export interface NamespaceCalls {
  /** Moves the calling thread; an error's name if it stays. */
  setns(file: number): string | undefined
}

type Send = (fd: number, bytes: Uint8Array, length: number, flags: number) => number | bigint
type ReceiveFrom = (
  fd: number,
  buffer: Uint8Array,
  length: number,
  flags: number,
  address: Uint8Array,
  addressLength: Uint8Array,
) => number | bigint

/** What sockets need of the libc that Node itself runs with; `func` gives any other function by its C prototype. */
export interface Libc {
  readonly socket: (family: number, type: number, protocol: number) => number
  readonly setsockopt: (fd: number, level: number, name: number, value: Uint8Array, length: number) => number
  readonly send: Koffi.KoffiFunc<Send>
  readonly recvfrom: Koffi.KoffiFunc<ReceiveFrom>
  readonly close: (fd: number) => number
  readonly setns: (fd: number, type: number) => number
  readonly strerror: (errno: number) => string
  readonly errno: () => number
  readonly func: (prototype: string) => unknown
  readonly names: ReadonlyMap<number, string>
}

// <bits/socket.h>, <linux/netlink.h>, <linux/sched.h>: the same on every architecture that Node runs on.
const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const NETLINK_ROUTE = 0
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11
const NETLINK_GET_STRICT_CHK = 12
const MSG_DONTWAIT = 0x40
const MSG_TRUNC = 0x20
const CLONE_NEWNET = 0x40000000
const receiveSeconds = 2n
/** struct sockaddr_nl { u16 family; u16 pad; u32 port; u32 groups } */
const addressLength = 12

let loaded: Libc | undefined

export function libc(): Libc {
  if (loaded !== undefined) return loaded
  const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
  const library = koffi.load(null)
  loaded = {
    socket: library.func('int socket(int, int, int)') as Libc['socket'],
    setsockopt: library.func(
      'int setsockopt(int, int, int, const uint8_t *, uint32_t)',
    ) as Libc['setsockopt'],
    send: library.func('intptr_t send(int, const uint8_t *, size_t, int)') as Libc['send'],
    recvfrom: library.func(
      'intptr_t recvfrom(int, uint8_t *, size_t, int, uint8_t *, uint8_t *)',
    ) as Libc['recvfrom'],
    close: library.func('int close(int)') as Libc['close'],
    setns: library.func('int setns(int, int)') as Libc['setns'],
    strerror: library.func('const char *strerror(int)') as Libc['strerror'],
    errno: () => koffi.errno(),
    func: (prototype) => library.func(prototype),
    names: new Map(Object.entries(koffi.os.errno).map(([name, value]) => [value, name])),
  }
  return loaded
}

function errorName(errno: number): string {
  return libc().names.get(errno) ?? `errno ${String(errno)}`
}

/** What the last call of this thread failed with: 'EPERM'. */
export function lastError(): string {
  return errorName(libc().errno())
}

function integer(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  viewOf(bytes).setInt32(0, value, littleEndian)
  return bytes
}

/** struct timeval of 64-bit machines. */
function receiveTimeout(): Uint8Array {
  const bytes = new Uint8Array(16)
  viewOf(bytes).setBigInt64(0, receiveSeconds, littleEndian)
  return bytes
}

/** Runs an asynchronous call; errno belongs to the thread that made it and is not to be had. */
function onPool(start: (done: (error: unknown, result: number | bigint) => void) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      if (error === null || error === undefined) resolve(Number(result))
      else reject(error instanceof Error ? error : new Error('a call of libc could not be started'))
    })
  })
}

function senderBuffers(): { address: Uint8Array; length: Uint8Array } {
  return { address: new Uint8Array(addressLength), length: integer(addressLength) }
}

/** Port 0 is the kernel's. */
function isKernel(address: Uint8Array): boolean {
  const view = viewOf(address)
  return view.getUint16(0, littleEndian) === AF_NETLINK && view.getUint32(4, littleEndian) === 0
}

export const netlinkCalls: NetlinkCalls = {
  open() {
    const { socket, setsockopt, close } = libc()
    const file = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)
    if (file < 0) return { ok: false, code: lastError() }
    const timeout = receiveTimeout()
    if (setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length) !== 0) {
      const code = lastError()
      close(file)
      return { ok: false, code }
    }
    // Kernels without one of these answer with less; nothing is wrong for that.
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
      setsockopt(file, SOL_NETLINK, option, integer(1), 4)
    }
    return { ok: true, file }
  },

  send: (file, bytes) => Number(libc().send(file, bytes, bytes.length, 0)) === bytes.length,

  async sendLater(file, bytes) {
    const sent = await onPool((done) => {
      libc().send.async(file, bytes, bytes.length, 0, done)
    })
    return sent === bytes.length
  },

  receive(file, buffer) {
    const { address, length } = senderBuffers()
    const flags = MSG_DONTWAIT | MSG_TRUNC
    const got = Number(libc().recvfrom(file, buffer, buffer.length, flags, address, length))
    if (got < 0) return { ok: false, code: lastError() }
    return { ok: true, length: got, fromKernel: isKernel(address) }
  },

  async receiveLater(file, buffer) {
    const { address, length } = senderBuffers()
    const got = await onPool((done) => {
      libc().recvfrom.async(file, buffer, buffer.length, MSG_TRUNC, address, length, done)
    })
    if (got < 0) return { ok: false, code: 'EAGAIN' }
    return { ok: true, length: got, fromKernel: isKernel(address) }
  },

  close(file) {
    libc().close(file)
  },

  monotonic: () => performance.now(),

  describe: (errno) => ({ code: errorName(errno), words: libc().strerror(errno) }),
}

export const namespaceCalls: NamespaceCalls = {
  setns: (file) => (libc().setns(file, CLONE_NEWNET) === 0 ? undefined : lastError()),
}
