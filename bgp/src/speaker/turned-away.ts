import { type Clock, type Log } from '@network/net'
import { CeaseSubcode, ErrorCode } from '../codec/iana.ts'
import { encodeNotification } from '../codec/notification.ts'
import { Deadline } from './deadline.ts'
import { type Connection } from './network/sockets.ts'

/** From one line in the log to the next. */
const quietMs = 60_000

const rejected = encodeNotification({
  code: ErrorCode.cease,
  subcode: CeaseSubcode.connectionRejected,
  data: new Uint8Array(0),
})

/** Connections that are no peer's: told so (RFC 4486 section 4), and logged at most once a minute. */
export class TurnedAway {
  readonly #log: Log
  readonly #quiet: Deadline
  #heldBack = 0
  #last = ''

  constructor(clock: Clock, log: Log) {
    this.#log = log
    this.#quiet = new Deadline(clock, () => {
      if (this.#heldBack > 0) this.#tell()
    })
  }

  /** Says Cease/5 and closes. */
  add(connection: Connection): void {
    this.#last = connection.remoteAddress
    connection.write(rejected)
    connection.end()
    if (this.#quiet.running) this.#heldBack++
    else this.#tell()
  }

  close(): void {
    this.#quiet.stop()
  }

  #tell(): void {
    const heldBack = this.#heldBack
    this.#heldBack = 0
    this.#quiet.start(quietMs)
    this.#log.info(
      { address: this.#last, heldBack },
      `A connection from ${this.#last} is no peer's: it is turned away.` +
        (heldBack > 1 ? ` It is the last of ${heldBack} in a minute.` : ''),
    )
  }
}
