/*
 * From the first peers on: whether all that can be reached have told what they know. Convergence (convergence.ts) counts
 * who is waited for; here is how long, and what follows when nobody is: routes are selected after a restart, and
 * consumers are told that nothing is missing any more.
 */
import { type Clock, type Log, type Timer } from '@network/net'
import { type Rib } from '../rib/rib.ts'
import { Convergence } from './convergence.ts'
import { type Peer } from './peer.ts'

/** How long a peer that only dials us is waited for before its routes count as not coming. */
const passiveWaitMs = 15_000
/** After a restart: how long peers that refuse us are waited for. They hold off for a second or two at first. */
const refusedWaitMs = 10_000

export interface SettlingModules {
  readonly clock: Clock
  readonly log: Log
  readonly rib: Rib
  /** Every peer that runs. */
  readonly peers: () => Iterable<Peer>
  /** Something has changed in what is waited for. */
  readonly wake: () => void
}

export interface SettlingOptions {
  readonly restarting: boolean
  readonly selectionDeferralSeconds: number
}

export class Settling {
  readonly convergence = new Convergence()
  readonly #modules: SettlingModules
  readonly #options: SettlingOptions
  readonly #timers = new Set<Timer>()
  #begun = false
  #patient = false
  #converged = false
  #settled = false

  constructor(modules: SettlingModules, options: SettlingOptions) {
    this.#modules = modules
    this.#options = options
    modules.rib.deferSelection(options.restarting)
  }

  /** We come back from a restart, and have not selected routes yet. */
  get restarting(): boolean {
    return this.#options.restarting && !this.#converged
  }

  /** Every change that convergence brought has gone through the decision process. */
  get settled(): boolean {
    return this.#settled
  }

  /** There are peers: from now on they are waited for. */
  begin(): void {
    if (this.#begun) return
    this.#begun = true
    this.#patient = this.#options.restarting
    const { convergence } = this
    this.#after(refusedWaitMs, () => {
      this.#patient = false
      for (const peer of this.#modules.peers()) {
        const failing = peer.lastError !== undefined && !peer.settings.passive
        if (failing && (peer.state === 'Idle' || peer.state === 'Connect' || peer.state === 'Active'))
          convergence.giveUp(peer.settings.name)
      }
    })
    this.#after(this.#options.selectionDeferralSeconds * 1000, () => convergence.close())
    this.#after(passiveWaitMs, () => {
      for (const peer of this.#modules.peers()) {
        if (peer.state === 'Active' || peer.settings.address === undefined)
          convergence.giveUp(peer.settings.name)
      }
    })
    this.#modules.wake()
  }

  /** A peer that cannot be reached is not waited for. */
  peerChanged(peer: Peer): void {
    const reachable =
      peer.lastError === undefined || peer.state === 'OpenSent' || peer.state === 'OpenConfirm'
    // Right after a restart a peer may still refuse us for having left it: there the next attempts count as well.
    if (!reachable && peer.state !== 'Established' && !peer.settings.passive && !this.#patient)
      this.convergence.giveUp(peer.settings.name)
  }

  /** The decision process has run; `unfinished`: not to its end. */
  decided(unfinished: boolean): void {
    if (!this.#begun || this.#settled) return
    if (!this.#converged) {
      if (!this.convergence.selectable) return
      this.#converged = true
      this.convergence.select()
      if (this.#options.restarting) this.#modules.rib.deferSelection(false)
      this.#modules.wake()
    } else if (!unfinished && this.convergence.complete) {
      this.#settled = true
      this.convergence.close()
      this.#modules.log.info({}, 'Every reachable peer has told its routes.')
    }
  }

  /** Nothing is waited for any more, and nothing follows. */
  close(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  #after(ms: number, call: () => void): void {
    const timer = this.#modules.clock.setTimeout(() => {
      this.#timers.delete(timer)
      call()
      this.#modules.wake()
    }, ms)
    this.#timers.add(timer)
  }
}
