/*
 * A peer's routes through the life of its sessions: taken in while it is up, kept stale while it restarts
 * (RFC 4724 and 8538 as helper), limited, refreshed, and sent whenever its socket has room.
 */
import { type Clock, type Log } from '@network/net'
import { type AfiSafi, CeaseSubcode, RefreshSubtype, formatAfiSafi } from '../codec/iana.ts'
import { encodeRouteRefresh } from '../codec/message.ts'
import { type RouteRefresh, type Update, type UpdateFault } from '../codec/messages.ts'
import { unwrapHardReset } from '../codec/notification.ts'
import { type Negotiated, type OpenOptions } from '../fsm/negotiate.ts'
import { type Ending } from '../fsm/session.ts'
import { type PeerIndex } from '../rib/peer.ts'
import { type Rib } from '../rib/rib.ts'
import { type Convergence } from './convergence.ts'
import { Deadline } from './deadline.ts'
import { FaultLog } from './fault-log.ts'
import { type OwnAddresses } from './network/host-addresses.ts'
import { type Peer, type PeerEvents } from './peer.ts'
import { familyOf } from './families.ts'
import { type PeerSettings } from './options/settings.ts'
import { ribPeer, ribSession } from './rib-session.ts'
import { type Connection } from './network/sockets.ts'

/** What a peer's routes need of the speaker. */
export interface PeerRoutesHost {
  readonly clock: Clock
  readonly log: Log
  readonly rib: Rib
  readonly convergence: Convergence
  /** We come back from a restart ourselves, and have not converged yet. */
  readonly restarting: boolean
  /** This speaker began with its forwarding state preserved: true for as long as it lives. */
  readonly preservedForwarding: boolean
  readonly ownAddresses: OwnAddresses
  /** There is work for the RIB, or something to send to anybody. */
  wake(): void
  /** There may be something to send to this peer alone. */
  wakeFor(peer: PeerRoutes): void
  /** An UPDATE has been taken in, and others may follow on its heels. */
  updateTaken(): void
  peerChanged(peer: PeerRoutes): void
  /** No routes are kept for it any more. */
  keptNoLonger(peer: PeerRoutes): void
}

/** Octets encoded for a peer at a time. */
const pullOctets = 32768

const noFamilies: ReadonlySet<AfiSafi> = new Set()

/** How long a peer that is back may take to its End-of-RIB before its stale routes go. */
const staleSeconds = 360

export class PeerRoutes implements PeerEvents {
  readonly index: PeerIndex
  readonly faults: FaultLog
  readonly #host: PeerRoutesHost
  readonly #staleTimer: Deadline
  #peer: Peer | undefined
  #settings: PeerSettings
  #stale = noFamilies
  #endsToCome = noFamilies
  #wasUp = false
  #up = false
  #device: string | undefined

  /** `faults`: those of the same peer before, which are counted on. */
  constructor(host: PeerRoutesHost, settings: PeerSettings, faults?: FaultLog) {
    this.#host = host
    this.#settings = settings
    this.index = host.rib.addPeer(ribPeer(settings))
    this.faults = faults ?? new FaultLog(host.clock, host.log, settings.name)
    this.#staleTimer = new Deadline(host.clock, () => this.#dropStale(this.#stale))
  }

  /** Ties the routes to the sessions that bring them. */
  attach(peer: Peer): void {
    this.#peer = peer
  }

  get peer(): Peer {
    if (this.#peer === undefined) throw new Error('PeerRoutes without a peer')
    return this.#peer
  }

  get up(): boolean {
    return this.#up
  }

  /** Routes are being kept for the peer while it restarts. */
  get restarting(): boolean {
    return this.#stale.size > 0
  }

  /** The session is up and every End-of-RIB that is to come has come. */
  get synchronized(): boolean {
    return this.#up && this.#endsToCome.size === 0
  }

  /** Device of the session: where a link-local next hop is. */
  get device(): string | undefined {
    return this.#device
  }

  update(settings: PeerSettings): void {
    this.#settings = settings
    this.#host.rib.updatePeer(this.index, ribPeer(settings))
    this.#host.wake()
  }

  /** Forgets the peer's routes. */
  dispose(): void {
    this.#staleTimer.stop()
    this.faults.close()
    this.#up = false
    this.#host.rib.removePeer(this.index)
    this.#host.wake()
  }

  offeredRestart(): OpenOptions['gracefulRestart'] {
    const { gracefulRestart, families } = this.#settings
    if (gracefulRestart === undefined) return undefined
    return {
      restartTimeSeconds: gracefulRestart.restartTimeSeconds,
      notification: gracefulRestart.notification,
      restarting: this.#host.restarting,
      // After a first start there was nothing to preserve; later the kernel forwards whatever this session does. A peer
      // that comes late to a restart, after the others have told all, must not drop our routes either.
      forwardingPreserved: this.#host.preservedForwarding || this.#wasUp,
      families,
    }
  }

  established(negotiated: Negotiated, socket: Connection): void {
    const { rib, convergence } = this.#host
    this.#up = true
    this.#wasUp = true
    const preserved = new Set(
      negotiated.gracefulRestart?.families.flatMap(({ afiSafi, forwarding }) =>
        forwarding ? [afiSafi] : [],
      ),
    )
    const lost = [...this.#stale].filter(
      (family) => !preserved.has(family) || !negotiated.families.includes(family),
    )
    this.#dropStale(lost)
    if (this.#stale.size > 0) this.#staleTimer.start(staleSeconds * 1000)
    else this.#staleTimer.stop()
    const session = ribSession(negotiated, socket, this.#settings, this.#host.ownAddresses)
    this.#device = session.interface
    rib.peerUp(this.index, session)
    const announcesEnd = negotiated.gracefulRestart !== undefined && !negotiated.gracefulRestart.restarting
    this.#endsToCome = new Set(announcesEnd ? negotiated.families : [])
    const endsAtAll = negotiated.gracefulRestart === undefined ? [] : negotiated.families
    convergence.established(this.#settings.name, endsAtAll, !announcesEnd)
    this.#host.wakeFor(this)
  }

  down(ending: Ending, negotiated: Negotiated): boolean {
    this.#up = false
    const kept = this.#keptFamilies(ending, negotiated)
    this.#stale = kept
    this.#host.rib.peerDown(this.index, { stale: kept })
    if (kept.size > 0) this.#host.convergence.lost(this.#settings.name)
    else this.#host.convergence.giveUp(this.#settings.name)
    if (kept.size > 0) {
      const seconds = negotiated.gracefulRestart?.restartTimeSeconds ?? 0
      this.#host.log.info(
        { peer: this.#settings.name, seconds },
        `The routes of ${this.#settings.name} are kept for ${seconds} s: it may be restarting.`,
      )
      this.#staleTimer.start(seconds * 1000)
    } else {
      this.#staleTimer.stop()
    }
    this.#host.wake()
    return kept.size > 0
  }

  updateReceived(update: Update): void {
    this.faults.add(update.faults)
    const { rib, convergence } = this.#host
    const { overLimit } = rib.receive(this.index, update)
    if (update.endOfRib !== undefined) {
      rib.endOfRib(this.index, update.endOfRib)
      this.#forgetStale([update.endOfRib])
      this.#endOfRib(update.endOfRib)
      convergence.endOfRib(this.#settings.name, update.endOfRib)
    }
    if (overLimit.length > 0) this.#overLimit(overLimit)
    this.#host.updateTaken()
  }

  updateRefused(faults: readonly UpdateFault[]): void {
    this.faults.add(faults)
  }

  refreshReceived({ afiSafi, subtype }: RouteRefresh): void {
    const { rib } = this.#host
    const negotiated = this.peer.negotiated
    if (negotiated?.families.includes(afiSafi) !== true) {
      this.#host.log.debug(
        { peer: this.#settings.name, family: formatAfiSafi(afiSafi) },
        'A refresh of a family that was not negotiated is ignored.',
      )
      return
    }
    if (subtype === RefreshSubtype.request)
      rib.refreshOut(this.index, afiSafi, negotiated.enhancedRouteRefresh)
    else if (subtype === RefreshSubtype.begin) rib.refreshInBegin(this.index, afiSafi)
    else if (subtype === RefreshSubtype.end) rib.refreshInEnd(this.index, afiSafi)
    this.#host.wake()
  }

  flushSoon(): void {
    this.#host.wakeFor(this)
  }

  writable(): void {
    this.#host.wakeFor(this)
  }

  stateChanged(): void {
    this.#host.peerChanged(this)
  }

  /** Asks for everything again (RFC 2918). */
  requestRefresh(families: readonly AfiSafi[]): boolean {
    const negotiated = this.peer.negotiated
    if (!this.#up || negotiated?.routeRefresh !== true) return false
    for (const afiSafi of families) {
      if (!negotiated.families.includes(afiSafi)) continue
      this.peer.send(encodeRouteRefresh({ afiSafi, subtype: RefreshSubtype.request }), 1, 0)
    }
    return true
  }

  /** Sends what is waiting, for the sockets to be flushed, until the socket is full or `until` (monotonic) has come. True: there is more to send now. */
  flush(until: number): boolean {
    if (!this.#up) return false
    const { rib, clock } = this.#host
    while (rib.hasPending(this.index)) {
      if (!this.peer.hasRoom) return false
      if (clock.monotonic() >= until) return true
      const bytes = rib.pull(this.index, pullOctets)
      if (bytes === undefined) return false
      const messages = countMessages(bytes)
      this.peer.send(bytes, messages, messages, true)
    }
    return false
  }

  /** RFC 4724 section 4.2, RFC 8538 section 4: which families outlive this ending. */
  #keptFamilies(ending: Ending, negotiated: Negotiated): ReadonlySet<AfiSafi> {
    const theirs = negotiated.gracefulRestart
    if (theirs === undefined || this.#settings.gracefulRestart?.helper !== true || this.peer.stopped) {
      return new Set()
    }
    const { notification } = ending
    if (notification !== undefined) {
      const hard = unwrapHardReset(notification.content) !== undefined
      if (hard || !negotiated.gracefulNotification) return new Set()
    }
    return new Set(
      theirs.families.flatMap(({ afiSafi }) => (negotiated.families.includes(afiSafi) ? [afiSafi] : [])),
    )
  }

  #dropStale(families: Iterable<AfiSafi>): void {
    const dropped = [...families]
    for (const family of dropped) this.#host.rib.dropStale(this.index, family)
    if (dropped.length === 0) return
    this.#forgetStale(dropped)
    this.#host.log.info(
      { peer: this.#settings.name, families: dropped.map(formatAfiSafi) },
      `What was kept of ${this.#settings.name} is dropped: it has not kept it, or has not come back in time.`,
    )
    this.#host.wake()
  }

  #endOfRib(family: AfiSafi): void {
    if (!this.#endsToCome.has(family)) return
    this.#endsToCome = new Set([...this.#endsToCome].filter((one) => one !== family))
    if (this.#endsToCome.size === 0) this.#host.peerChanged(this)
  }

  #forgetStale(families: readonly AfiSafi[]): void {
    if (this.#stale.size === 0) return
    this.#stale = new Set([...this.#stale].filter((family) => !families.includes(family)))
    if (this.#stale.size > 0) return
    this.#staleTimer.stop()
    this.#host.keptNoLonger(this)
  }

  #overLimit(families: readonly AfiSafi[]): void {
    const limit = this.#settings.options.prefixLimit?.in
    if (limit?.action === 'ignore') {
      this.#host.log.warn(
        { peer: this.#settings.name, families: families.map(formatAfiSafi) },
        `${this.#settings.name} announces more prefixes than its limit: the rest is left out.`,
      )
      return
    }
    const which = families.map((family) => `${limit?.[familyOf(family)] ?? 0} ${familyOf(family)} prefixes`)
    this.#host.log.error(
      { peer: this.#settings.name, limit: which },
      `${this.#settings.name} announces more than ${which.join(' and ')}: the session is ended.`,
    )
    const restart = limit?.restartSeconds === undefined ? Infinity : limit.restartSeconds * 1000
    this.peer.reset({ subcode: CeaseSubcode.maximumPrefixes, hard: true }, restart)
  }
}

function countMessages(bytes: Uint8Array): number {
  let count = 0
  for (let at = 0; at + 19 <= bytes.length; count++) {
    at += Math.max(19, ((bytes[at + 16] ?? 0) << 8) | (bytes[at + 17] ?? 0))
  }
  return count
}
