import { type Log, formatPrefix } from '@network/net'
import { SpeakerError } from './error.ts'
import { type LocalSettings, type PeerSettings } from './options/settings.ts'
import {
  type ConnectionHandlers,
  type Connection,
  type Listener,
  type SocketFactory,
  type SocketFault,
} from './network/sockets.ts'

/** The addresses that a speaker listens on, and the MD5 keys that hold there. */
export class Listeners {
  readonly #sockets: SocketFactory
  readonly #log: Log
  readonly #accepted: (connection: Connection) => ConnectionHandlers | undefined
  readonly #keys = new Map<string, string>()
  #open: Listener[] = []
  #closed = false

  constructor(
    sockets: SocketFactory,
    log: Log,
    accepted: (connection: Connection) => ConnectionHandlers | undefined,
  ) {
    this.#sockets = sockets
    this.#log = log
    this.#accepted = accepted
  }

  /** Where connections are accepted now; ports that were 0 have their number. */
  get addresses(): readonly { readonly address: string; readonly port: number }[] {
    return this.#open.map(({ address, port }) => ({ address, port }))
  }

  /** Opens all or, with a SpeakerError, none. */
  async open(addresses: LocalSettings['listen']): Promise<void> {
    for (const { address, port } of addresses) {
      if (this.#isClosed()) return
      const keys = new Map([...this.#keys].filter(([peer]) => peer.includes(':') === address.includes(':')))
      const opened = await this.#sockets.listen(address, port, { accepted: this.#accepted }, keys)
      if (!opened.ok) {
        const open = this.#open
        this.#open = []
        await Promise.all(open.map((listener) => listener.close()))
        throw listenError(address, port, opened.error)
      }
      if (this.#isClosed()) await opened.value.close()
      else this.#open.push(opened.value)
    }
    // Keys that came while the listeners were being opened.
    for (const [peer, key] of this.#keys) this.#apply(peer, key)
  }

  /** Holds for connections of this peer or range from now on. */
  setKey(settings: PeerSettings): void {
    const peer = keyAddress(settings)
    if (settings.password === undefined || peer === undefined) return
    this.#keys.set(peer, settings.password)
    this.#apply(peer, settings.password)
  }

  removeKey(settings: PeerSettings): void {
    const peer = keyAddress(settings)
    if (peer === undefined || !this.#keys.delete(peer)) return
    this.#apply(peer, undefined)
  }

  async close(): Promise<void> {
    this.#closed = true
    const open = this.#open
    this.#open = []
    await Promise.all(open.map((listener) => listener.close()))
  }

  #isClosed(): boolean {
    return this.#closed
  }

  #apply(peer: string, key: string | undefined): void {
    for (const listener of this.#open) {
      if (listener.address.includes(':') !== peer.includes(':')) continue
      const set = listener.setMd5Key(peer, key)
      if (!set.ok) this.#log.error({ peer, listener: listener.address }, `${set.error.text}.`)
    }
  }
}

function keyAddress({ address, range }: PeerSettings): string | undefined {
  return address ?? (range === undefined ? undefined : formatPrefix(range))
}

function listenError(address: string, port: number, fault: SocketFault): SpeakerError {
  const where = `${address.includes(':') ? `[${address}]` : address}:${port}`
  const details = { address, port, errno: fault.code }
  switch (fault.code) {
    case 'EADDRINUSE':
      return new SpeakerError(
        'address-in-use',
        `Cannot listen on ${where}: the port is taken by another process.`,
        {
          remedy: `See who has it with 'ss -ltnp sport = :${port}' and stop it, or listen elsewhere.`,
          details,
        },
      )
    case 'EACCES':
    case 'EPERM':
      return new SpeakerError('permission-denied', `Cannot listen on ${where}: not permitted.`, {
        remedy: 'Run as root, give the process CAP_NET_BIND_SERVICE, or listen on a port above 1023.',
        details,
      })
    case 'EADDRNOTAVAIL':
    case 'ENODEV':
      return new SpeakerError(
        'address-not-available',
        `Cannot listen on ${where}: this host has no such address.`,
        {
          remedy: "See the addresses with 'ip address', or listen on every one with ':179'.",
          details,
        },
      )
    default:
      return new SpeakerError('socket-option', `Cannot listen on ${where}: ${fault.text}.`, { details })
  }
}
