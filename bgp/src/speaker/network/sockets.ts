import type { Result } from '@network/net'

/**
 * The speaker's only way to the network. Addresses are text, IPv6 link-local ones carry their zone (`fe80::1%eth0`).
 * Every call below answers later, never before it has returned.
 */
export interface SocketFactory {
  /** Opens a TCP connection; the handlers learn what becomes of it. */
  connect(target: ConnectTarget, handlers: ConnectionHandlers): Connection
  /** `md5Keys`: keys by address or range that hold from the first connection on. */
  listen(
    address: string,
    port: number,
    handlers: ListenerHandlers,
    md5Keys?: ReadonlyMap<string, string>,
  ): Promise<Result<Listener, SocketFault>>
  /** Lets everything leave that connections hold because more was to follow. */
  flush(): void
  /** Resolves when every connection is gone, also those whose last words were still leaving. */
  drained(): Promise<void>
  /** Segments that this host dropped for their MD5 signature so far, or undefined where nobody counts them. */
  md5Failures(): number | undefined
  /** Segments that this host dropped for a TTL below the minimum so far, or undefined where nobody counts them. */
  ttlDrops(): number | undefined
}

export interface ConnectTarget {
  readonly address: string
  readonly port: number
  readonly options: ConnectionOptions
}

export interface ConnectionOptions {
  readonly sourceAddress?: string | undefined
  /** SO_BINDTODEVICE. */
  readonly device?: string | undefined
  /** RFC 2385. */
  readonly md5Key?: string | undefined
  /** IP_TTL or IPV6_UNICAST_HOPS of what we send. */
  readonly ttl?: number | undefined
  /** RFC 5082: IP_MINTTL or IPV6_MINHOPCOUNT. */
  readonly minimumTtl?: number | undefined
}

export interface ConnectionHandlers {
  /** TCP is up. Not called on accepted connections: they are. */
  connected(): void
  /** Bytes that are the receiver's to keep only until it returns. */
  data(bytes: Uint8Array): void
  /** What was held back by `write` answering false has left. */
  drained(): void
  /** The connection is gone; called once, nothing after it. Not called after `end` or `destroy`. */
  closed(fault: SocketFault | undefined): void
}

export interface Connection {
  readonly localAddress: string
  readonly localPort: number
  readonly remoteAddress: string
  readonly remotePort: number
  /**
   * Everything written in one callback of the event loop leaves in one system call, and with it what was written
   * before as something that more follows: that is held until then, or until the factory's `flush`. The bytes are not
   * copied: they must not change any more. False: more is held back than the high-water mark, wait for `drained`.
   */
  write(bytes: Uint8Array, moreFollows?: boolean): boolean
  /** Bytes that the kernel has not taken yet, or not been given. */
  readonly backlog: number
  /** Sets what can still be set on an accepted connection: ttl and minimumTtl. */
  configure(options: ConnectionOptions): Result<undefined, SocketFault>
  /** What was written leaves first, then FIN. The handlers hear nothing more. */
  end(): void
  destroy(): void
}

export interface ListenerHandlers {
  /** An accepted connection: answer its handlers, or undefined to turn it away; what was written still leaves. */
  accepted(connection: Connection): ConnectionHandlers | undefined
}

export interface Listener {
  readonly address: string
  readonly port: number
  /** Sets or (key undefined) removes the MD5 key of one address ('10.0.0.1') or range ('10.0.0.0/24'). */
  setMd5Key(peer: string, key: string | undefined): Result<undefined, SocketFault>
  close(): Promise<void>
}

export interface SocketFault {
  /** errno's name: 'ECONNREFUSED'. */
  readonly code: string
  /** The call that failed: 'connect', 'setsockopt TCP_MD5SIG'. */
  readonly call: string
  readonly text: string
}
