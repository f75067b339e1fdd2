/*
 * How the two ends of a link without configured addresses find each other: each sends router advertisements
 * (RFC 4861) and takes the link-local address that it hears one from for its neighbour's. Ours have a router lifetime
 * of 0, so that no host on the link takes us for its default router. Node has no raw sockets: advertisements are sent
 * through libc, and what has come is looked for when a timer rings.
 */
import { type Clock, type Log, type Timer } from '@network/net'
import { type AdvertisementSocket, openAdvertisementSocket } from './libc-icmpv6.ts'

/** Who tells of routers on a link; a fake stands for it in tests. */
export interface RouterDiscovery {
  /** Advertises this host on a device, also one that comes later, and tells the link-local address of each other router heard there. */
  watch(device: string, heard: (address: string) => void): { close(): void }
}

/** How often the socket is looked at. */
const listenMs = 250
/** Between advertisements at first, and after a send that failed: the link may just have come up. */
const eagerMs = 1000
const eagerTimes = 10
/** RFC 4861 section 6.2.1 lets MinRtrAdvInterval be 3 s. */
const restfulMs = 5000

/** Router discovery by ICMPv6 sockets of the operating system; needs CAP_NET_RAW. */
export function icmpv6Discovery(clock: Clock, log: Log): RouterDiscovery {
  return { watch: (device, heard) => new Watch(clock, log, device, heard) }
}

class Watch {
  readonly #clock: Clock
  readonly #log: Log
  readonly #device: string
  readonly #heard: (address: string) => void
  #socket: AdvertisementSocket | undefined
  #timer: Timer | undefined
  #nextSend = 0
  #sent = 0
  #complained = ''

  constructor(clock: Clock, log: Log, device: string, heard: (address: string) => void) {
    this.#clock = clock
    this.#log = log
    this.#device = device
    this.#heard = heard
    this.#timer = clock.setTimeout(() => this.#ring(), 0)
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#socket?.close()
    this.#socket = undefined
  }

  #ring(): void {
    if (this.#clock.monotonic() >= this.#nextSend) this.#advertise()
    this.#timer = this.#clock.setTimeout(() => this.#ring(), listenMs)
    for (const address of this.#socket?.receive() ?? []) this.#heard(address)
  }

  #advertise(): void {
    const failed = this.#send()
    if (failed === undefined) {
      this.#complained = ''
      this.#sent++
    } else {
      this.#sent = 0
      // A socket is bound to a device's index: one that went and came back is another.
      this.#socket?.close()
      this.#socket = undefined
      if (failed !== this.#complained) {
        this.#log.warn(
          { device: this.#device },
          `No router advertisement leaves by ${this.#device}: ${failed}.`,
        )
      }
      this.#complained = failed
    }
    this.#nextSend = this.#clock.monotonic() + (this.#sent < eagerTimes ? eagerMs : restfulMs)
  }

  #send(): string | undefined {
    if (this.#socket === undefined) {
      const opened = openAdvertisementSocket(this.#device)
      if (!opened.ok) return opened.error.text
      this.#socket = opened.value
    }
    const sent = this.#socket.advertise()
    return sent.ok ? undefined : sent.error.text
  }
}
