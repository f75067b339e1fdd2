/*
 * Segments that the kernel drops without a word: with a wrong TCP MD5 signature (RFC 2385), or with a TTL below what is
 * demanded (RFC 5082). All that is to be seen of them is that it counts them, and that nobody answers.
 */
import { type Clock } from '@network/net'
import { Deadline } from './deadline.ts'
import { type PeerSettings } from './options/settings.ts'
import { type SocketFactory } from './network/sockets.ts'

/** How often the counters are looked at while a peer does not answer. */
const watchMs = 2000

type Watched = Pick<PeerSettings, 'password' | 'minimumTtl'>

export interface DropWatchModules {
  readonly clock: Clock
  readonly sockets: SocketFactory
}

/** What an unanswered call may come from, as further sentences. */
export function unansweredHint({ password, minimumTtl }: Watched): string {
  const key =
    password === undefined
      ? ' If the peer expects a password (TCP MD5), one must be configured.'
      : ' A wrong or missing password (TCP MD5) on either side looks like this.'
  if (minimumTtl === undefined) return key
  return `${key} What comes with a TTL below ${minimumTtl} is dropped (RFC 5082): the peer must send 255.`
}

/** Tells when the kernel has dropped such segments while a peer was waited for. */
export class DropWatch {
  readonly #sockets: SocketFactory
  readonly #tell: (text: string) => void
  readonly #deadline: Deadline
  #watched: Watched = { password: undefined, minimumTtl: undefined }
  #md5Failures: number | undefined
  #ttlDrops: number | undefined

  constructor({ clock, sockets }: DropWatchModules, tell: (text: string) => void) {
    this.#sockets = sockets
    this.#tell = tell
    this.#deadline = new Deadline(clock, () => this.#look())
  }

  /** From now on, if the peer's settings make the kernel drop anything. */
  start(watched: Watched): void {
    const { password, minimumTtl } = watched
    if (password === undefined && minimumTtl === undefined) return
    this.#watched = watched
    this.#md5Failures = password === undefined ? undefined : this.#sockets.md5Failures()
    this.#ttlDrops = minimumTtl === undefined ? undefined : this.#sockets.ttlDrops()
    this.#deadline.start(watchMs)
  }

  stop(): void {
    this.#deadline.stop()
  }

  #look(): void {
    const [md5Before, ttlBefore] = [this.#md5Failures, this.#ttlDrops]
    this.start(this.#watched)
    if (grew(md5Before, this.#md5Failures)) {
      this.#tell(
        'Segments with a wrong or missing TCP MD5 signature arrive: the password here and the one at the peer differ.',
      )
    }
    if (grew(ttlBefore, this.#ttlDrops)) {
      this.#tell(
        `Segments with a TTL below ${this.#watched.minimumTtl} arrive and are dropped (RFC 5082): ` +
          'the peer must send 255, and be no more hops away than ttlSecurityHops says.',
      )
    }
  }
}

function grew(before: number | undefined, now: number | undefined): boolean {
  return before !== undefined && now !== undefined && now > before
}
