/*
 * The speaker puts the parts together: listeners and peers (sessions) on one side, the RIB and its readers on the
 * other. Everything that happens asks for a turn of the event loop (turns.ts), and what is waited for in the beginning is
 * settling.ts's; here is what an application asks for and what peers ask of their speaker.
 */
import { type Clock, type Family, type Log, formatPrefix } from '@network/net'
import { CeaseSubcode } from '../codec/iana.ts'
import { type PeerIndex, localPeer } from '../rib/peer.ts'
import { createRib } from '../rib/create-rib.ts'
import { type Rib, type RibRoute } from '../rib/rib.ts'
import { BestStream } from './best.ts'
import { type Convergence } from './convergence.ts'
import { SpeakerError } from './error.ts'
import { type HostAddress, OwnAddresses, hostAddresses } from './network/host-addresses.ts'
import { Listeners } from './listeners.ts'
import { type Handle, type PeerHandle, type Speaker, type SpeakerModules, type StopOptions } from './face.ts'
import {
  type DesiredState,
  type OriginateAttributes,
  type PeerOptions,
  type SpeakerOptions,
} from './options/options.ts'
import {
  type ApplyReport,
  type BestBatch,
  type PeerStatus,
  type ExportExplanation,
  type RouteExplanation,
  type RouteQuery,
  type RouteStatus,
} from './reports.ts'
import { ownRoute } from './options/originate.ts'
import { type PeerRoutes, type PeerRoutesHost } from './peer-routes.ts'
import { deepEqual, planPeers } from './options/plan.ts'
import { afiSafiOf } from './families.ts'
import { readPrefix } from './options/option-values.ts'
import { checkAgainst, resolveDesired } from './options/resolve-desired.ts'
import { resolvePeer } from './options/resolve-peer.ts'
import { resolveSpeaker } from './options/resolve-speaker.ts'
import { type LocalSettings, type PeerSettings } from './options/settings.ts'
import { type SocketFactory } from './network/sockets.ts'
import { type Entry, Roster } from './roster.ts'
import { Settling } from './settling.ts'
import { icmpv6Discovery } from './network/router-discovery.ts'
import { peerStatus, routeStatus } from './status.ts'
import { silentLog, systemClock } from '@network/net/system'
import { tcpSockets } from './network/tcp.ts'
import { TimerQueue } from './timer-queue.ts'
import { Turns } from './turns.ts'

/**
 * Makes a speaker, which begins to listen at once. Nothing of it is global; after `stop` nothing of it is left.
 * Throws a SpeakerError if the options make no sense.
 */
export function createSpeaker(options: SpeakerOptions, modules: SpeakerModules = {}): Speaker {
  return new BgpSpeaker(options, modules)
}

class BgpSpeaker implements Speaker, PeerRoutesHost {
  readonly options: SpeakerOptions
  readonly clock: Clock
  readonly log: Log
  readonly rib: Rib
  readonly #local: LocalSettings
  readonly #sockets: SocketFactory
  readonly #interfaces: () => readonly HostAddress[]
  readonly #listeners: Listeners
  readonly #roster: Roster
  readonly #listening: Promise<void>
  readonly #originated = new Map<string, OriginateAttributes | undefined>()
  readonly #streams = new Set<BestStream>()
  readonly #peerListeners = new Set<(status: PeerStatus) => void>()
  readonly ownAddresses: OwnAddresses
  readonly #settling: Settling
  readonly #turns: Turns
  #stopped = false
  #stopping: Promise<void> | undefined

  constructor(options: SpeakerOptions, modules: SpeakerModules) {
    this.#local = resolveSpeaker(options)
    this.options = options
    this.clock = new TimerQueue(modules.clock ?? systemClock)
    this.log = modules.log ?? silentLog
    this.#sockets = modules.sockets ?? tcpSockets()
    this.#interfaces = modules.interfaces ?? hostAddresses
    this.ownAddresses = new OwnAddresses(this.#interfaces, this.clock)
    this.rib = createRib(
      {
        asn: this.#local.asn,
        routerId: this.#local.routerId,
        clusterId: this.#local.clusterId,
        maximumPaths: this.#local.maximumPaths,
        asPathRelax: this.#local.asPathRelax,
      },
      { isOwnAddress: (address) => this.ownAddresses.has(address) },
    )
    this.#turns = new Turns(
      { clock: this.clock, rib: this.rib, sockets: this.#sockets },
      {
        fed: () => this.#roster.up(),
        decided: (unfinished) => this.#settling.decided(unfinished),
        over: () => this.#turnOver(),
      },
      this.#local.workBudgetMs,
    )
    this.#settling = new Settling(
      {
        clock: this.clock,
        log: this.log,
        rib: this.rib,
        peers: () => this.#roster.peers(),
        wake: () => this.wake(),
      },
      this.#local,
    )
    this.#listeners = new Listeners(this.#sockets, this.log, (connection) => this.#roster.accept(connection))
    this.#roster = new Roster(
      this,
      {
        sockets: this.#sockets,
        random: modules.random ?? Math.random,
        listeners: this.#listeners,
        discovery: modules.discovery ?? icmpv6Discovery(this.clock, this.log),
        interfaces: this.#interfaces,
      },
      this.#local.routerId,
    )
    this.#listening = this.#listeners.open(this.#local.listen)
    this.#listening.catch((error: unknown) => {
      this.log.error({ error }, error instanceof Error ? error.message : 'Cannot listen.')
    })
  }

  get restarting(): boolean {
    return this.#settling.restarting
  }

  get convergence(): Convergence {
    return this.#settling.convergence
  }

  get preservedForwarding(): boolean {
    return this.#local.restarting
  }

  get settled(): boolean {
    return this.#settling.settled
  }

  async ready(): Promise<readonly { readonly address: string; readonly port: number }[]> {
    await this.#listening
    return this.#listeners.addresses
  }

  peer(options: PeerOptions): PeerHandle {
    this.#assertRunning()
    const settings = resolvePeer(options, this.#local)
    checkAgainst(settings, this.#roster.declared.values())
    this.#refuseOwn(settings)
    this.#roster.add(settings)
    this.#settling.begin()
    return this.#handle(settings.name)
  }

  originate(text: string, attributes?: OriginateAttributes): Handle {
    this.#assertRunning()
    const prefix = readPrefix('A route', text)
    const key = formatPrefix(prefix)
    this.rib.originate(prefix, ownRoute(key, attributes))
    this.#originated.set(key, attributes)
    this.wake()
    return {
      dispose: () => {
        if (this.#originated.delete(key) && this.rib.withdraw(prefix)) this.wake()
      },
    }
  }

  async apply(desired: DesiredState): Promise<ApplyReport> {
    this.#assertRunning()
    const { peers, routes } = resolveDesired(desired, this.#local)
    for (const settings of peers.values()) this.#refuseOwn(settings)
    const own = new Map(
      [...routes].map(([key, { prefix, route }]) => [
        key,
        { prefix, route: ownRoute(key, route.attributes), given: route.attributes },
      ]),
    )
    await this.#listening
    this.#assertRunning()
    const plan = planPeers(this.#roster.declared, peers)

    let originated = 0
    let withdrawn = 0
    for (const [key, { prefix, route, given }] of own) {
      if (this.#originated.has(key) && deepEqual(this.#originated.get(key), given)) continue
      this.rib.originate(prefix, route)
      this.#originated.set(key, given)
      originated++
    }
    for (const key of [...this.#originated.keys()]) {
      if (own.has(key)) continue
      this.#originated.delete(key)
      this.rib.withdraw(readPrefix('A route', key))
      withdrawn++
    }

    for (const { settings, because } of plan.reset) this.#roster.replace(settings, because)
    for (const settings of plan.update) this.#roster.update(settings)
    const leaving = plan.remove.filter((name) => !this.#roster.mustLeaveNow(name, plan.add))
    for (const name of plan.remove)
      if (!leaving.includes(name) || plan.add.length === 0) this.#roster.remove(name)
    for (const settings of plan.add) this.#roster.add(settings)
    if (plan.add.length > 0)
      this.#roster.leave(
        leaving,
        plan.add.map(({ name }) => name),
      )
    this.#settling.begin()
    this.wake()
    return {
      added: plan.add.map(({ name }) => name),
      removed: plan.remove,
      reset: plan.reset.map(({ settings, because }) => ({ peer: settings.name, because })),
      updated: plan.update.map(({ name }) => name),
      originated,
      withdrawn,
    }
  }

  best(family: Family): AsyncIterable<BestBatch> {
    this.#assertRunning()
    const stream = new BestStream(
      family,
      this.rib.bestReader(afiSafiOf(family)),
      {
        describePeer: (index) => {
          const entry = this.#roster.byIndex.get(index)
          return entry === undefined
            ? undefined
            : { name: entry.peer.settings.name, device: entry.routes.device }
        },
        isSettled: () => this.#settling.settled,
      },
      (closed) => this.#streams.delete(closed),
    )
    this.#streams.add(stream)
    this.wake()
    return stream
  }

  peers(): readonly PeerStatus[] {
    return [...this.#roster.entries.values()].map((entry) => this.#status(entry))
  }

  refresh(peer: string, family?: Family): boolean {
    const families = family === undefined ? (['ipv4', 'ipv6'] as const) : [family]
    return this.#entry(peer).routes.requestRefresh(families.map(afiSafiOf))
  }

  routes(query: RouteQuery): readonly RouteStatus[] {
    const { family, view = 'best', peer, prefix, match, limit } = query
    return this.rib
      .routes({
        afiSafi: afiSafiOf(family),
        view,
        ...(peer === undefined ? {} : { peer: this.#entry(peer).routes.index }),
        ...(prefix === undefined ? {} : { prefix: readPrefix('The query', prefix) }),
        ...(match === undefined ? {} : { match }),
        ...(limit === undefined ? {} : { limit }),
      })
      .map((route) => routeStatus(route, this.#peerName(route)))
  }

  explain(prefix: string): readonly RouteExplanation[] {
    return this.rib.explain(readPrefix('The query', prefix)).map((path) => ({
      ...routeStatus(path, this.#peerName(path)),
      decidedBy: path.decidedBy,
      why: path.why,
      multipath: path.multipath,
    }))
  }

  explainExports(prefix: string): readonly ExportExplanation[] {
    const nameOf = (index: PeerIndex): string | undefined =>
      index === localPeer ? 'local' : this.#roster.byIndex.get(index)?.peer.settings.name
    return this.rib.explainExports(readPrefix('The query', prefix)).flatMap(({ peer, from, ...rest }) => {
      const name = nameOf(peer)
      return name === undefined
        ? []
        : [{ peer: name, ...rest, from: from === undefined ? from : nameOf(from) }]
    })
  }

  onPeerChange(listener: (status: PeerStatus) => void): Handle {
    this.#peerListeners.add(listener)
    return { dispose: () => void this.#peerListeners.delete(listener) }
  }

  stop(options: StopOptions = {}): Promise<void> {
    this.#stopping ??= this.#stop(options)
    return this.#stopping
  }

  // What PeerRoutes ask of their host.

  updateTaken(): void {
    this.#turns.updateTaken()
  }

  wake(): void {
    this.#turns.ribMoved()
  }

  wakeFor(routes: PeerRoutes): void {
    this.#turns.askFor(routes)
  }

  peerChanged(routes: PeerRoutes): void {
    const entry = this.#roster.byIndex.get(routes.index)
    if (entry === undefined) return
    this.#settling.peerChanged(entry.peer)
    this.#roster.peerChanged(entry)
    for (const listener of this.#peerListeners) listener(this.#status(entry))
    this.#turns.ask()
  }

  keptNoLonger(routes: PeerRoutes): void {
    const entry = this.#roster.byIndex.get(routes.index)
    if (entry === undefined) return
    this.#roster.peerChanged(entry)
    this.#turns.ask()
  }

  #turnOver(): void {
    for (const stream of this.#streams) stream.offer()
    this.#roster.sweepRanges()
  }

  #refuseOwn({ name, address, port }: PeerSettings): void {
    if (address === undefined) return
    const listens = this.#local.listen.some(
      (listen) => listen.port === port && (listen.address === '0.0.0.0' || listen.address === '::'),
    )
    if (!listens || !this.#interfaces().some((own) => own.address === address)) return
    throw new SpeakerError(
      'own-address',
      `Peer ${name} is this speaker itself: ${address} is an address of this host.`,
      {
        remedy: 'Leave the own address out of the peers.',
      },
    )
  }

  #handle(name: string): PeerHandle {
    return {
      name,
      status: () => this.#status(this.#entry(name)),
      refresh: (family) => this.refresh(name, family),
      reset: (text) => {
        const cease = { subcode: CeaseSubcode.administrativeReset, ...(text === undefined ? {} : { text }) }
        this.#entry(name).peer.reset(cease)
      },
      dispose: () => this.#roster.remove(name),
    }
  }

  #entry(name: string): Entry {
    const entry = this.#roster.entries.get(name)
    if (entry !== undefined) return entry
    throw new SpeakerError('unknown-peer', `There is no peer called ${name}.`, {
      remedy: `Peers are: ${[...this.#roster.entries.keys()].join(', ') || 'none'}.`,
    })
  }

  #status({ peer, routes, range }: Entry): PeerStatus {
    return peerStatus(peer, routes, this.rib, range)
  }

  #peerName({ peer }: RibRoute): string | undefined {
    return peer === localPeer ? undefined : this.#roster.byIndex.get(peer)?.peer.settings.name
  }

  #assertRunning(): void {
    if (!this.#stopped) return
    throw new SpeakerError('stopped', 'The speaker has been stopped.', { remedy: 'Make a new one.' })
  }

  async #stop({ graceful = false, reason }: StopOptions): Promise<void> {
    this.#stopped = true
    const text = reason === undefined ? {} : { text: reason }
    const shutdown = { subcode: CeaseSubcode.administrativeShutdown, ...text }
    for (const { peer } of this.#roster.entries.values()) {
      const { negotiated } = peer
      // RFC 4724: a NOTIFICATION would end graceful restart, unless RFC 8538 says otherwise.
      const silent = graceful && negotiated?.gracefulRestart !== undefined && !negotiated.gracefulNotification
      peer.stop(silent ? undefined : { ...shutdown, hard: !graceful })
    }
    this.#turns.close()
    this.#settling.close()
    this.#roster.close()
    for (const stream of [...this.#streams]) stream.close()
    this.#peerListeners.clear()
    await this.#listening.catch(() => undefined)
    await this.#listeners.close()
    await this.#sockets.drained()
  }
}
