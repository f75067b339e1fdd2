/*
 * The speaker puts the parts together: listeners and peers (sessions) on one side, the RIB and its readers on the
 * other. Everything that happens ends in `wake`: one turn then runs the decision process for a few milliseconds and
 * offers batches to the readers of best routes. Once a turn has found nothing new from the sockets, or after some
 * milliseconds, it feeds the peers whose sockets have room. What is left waits for the next turn of the event loop,
 * so that timers and sockets are never held up.
 */
import {
  type Clock,
  type Family,
  type Log,
  type Timer,
  addressFromBytes,
  formatAddress,
  formatPrefix,
} from '@network/net'
import { CeaseSubcode } from '../codec/iana.ts'
import { localPeer } from '../rib/peer.ts'
import { createRib } from '../rib/create-rib.ts'
import { type Rib, type RibRoute } from '../rib/rib.ts'
import { BestStream } from './best.ts'
import { Convergence } from './convergence.ts'
import { SpeakerError } from './error.ts'
import { hostAddresses } from './host-addresses.ts'
import { Listeners } from './listeners.ts'
import {
  type ApplyReport,
  type BestBatch,
  type DesiredState,
  type Handle,
  type HostAddress,
  type OriginateAttributes,
  type PeerHandle,
  type PeerOptions,
  type PeerStatus,
  type RouteExplanation,
  type RouteQuery,
  type RouteStatus,
  type Speaker,
  type SpeakerModules,
  type SpeakerOptions,
  type StopOptions,
} from './options.ts'
import { ownRoute } from './originate.ts'
import { PeerRoutes, type PeerRoutesHost } from './peer-routes.ts'
import { Peer } from './peer.ts'
import { deepEqual, planPeers } from './plan.ts'
import {
  type LocalSettings,
  type PeerSettings,
  afiSafiOf,
  checkAgainst,
  isLinkLocal,
  plainAddress,
  rangeAdmits,
  readPrefix,
  resolveDesired,
  resolvePeer,
  resolveSpeaker,
  sameAddress,
} from './resolve.ts'
import { type Connection, type ConnectionHandlers, type SocketFactory } from './sockets.ts'
import { type RouterDiscovery, icmpv6Discovery } from './router-discovery.ts'
import { peerStatus, routeStatus } from './status.ts'
import { systemClock } from './system-clock.ts'
import { tcpSockets } from './tcp.ts'
import { TurnedAway } from './turned-away.ts'

/**
 * Makes a speaker, which begins to listen at once. Nothing of it is global; after `stop` nothing of it is left.
 * Throws a SpeakerError if the options make no sense.
 */
export function createSpeaker(options: SpeakerOptions, modules: SpeakerModules = {}): Speaker {
  return new BgpSpeaker(options, modules)
}

/** How long changes are gathered at most while more keep coming in, so that what is sent is few and full messages. */
const gatherMs = 10

/** How long a peer that only dials us is waited for before its routes count as not coming. */
const passiveWaitMs = 15_000

/** How long peers that go are kept for those that come. */
const makeBeforeBreakMs = 30_000

interface Entry {
  readonly peer: Peer
  readonly routes: PeerRoutes
  /** Name of the range that admitted it. */
  readonly range: string | undefined
}

class BgpSpeaker implements Speaker, PeerRoutesHost {
  readonly options: SpeakerOptions
  readonly clock: Clock
  readonly log: Log
  readonly rib: Rib
  readonly convergence = new Convergence()
  readonly #local: LocalSettings
  readonly #sockets: SocketFactory
  readonly #random: () => number
  readonly #interfaces: () => readonly HostAddress[]
  readonly #listeners: Listeners
  readonly #turnedAway: TurnedAway
  readonly #discovery: RouterDiscovery
  /** Of unnumbered peers, by their name. */
  readonly #watches = new Map<string, { close(): void }>()
  readonly #listening: Promise<void>
  /** What was asked for, ranges too. */
  readonly #declared = new Map<string, PeerSettings>()
  readonly #entries = new Map<string, Entry>()
  /** By the RIB's index. */
  readonly #byIndex = new Map<number, Entry>()
  /** Peers that stay until others have come. */
  readonly #leaving = new Map<string, Entry>()
  readonly #originated = new Map<string, OriginateAttributes | undefined>()
  readonly #streams = new Set<BestStream>()
  readonly #peerListeners = new Set<(status: PeerStatus) => void>()
  readonly #timers = new Set<Timer>()
  #ownAddresses: ReadonlySet<string> | undefined
  #immediate: NodeJS.Immediate | undefined
  /** Entries in the order in which they are fed; turned so that each is first at some time. */
  #feedFrom = 0
  /** An UPDATE has come since the last turn. */
  #taken = false
  #gatheringSince: number | undefined
  readonly #monotonic = (): number => this.clock.monotonic()
  #begun = false
  #converged = false
  #settled = false
  #stopped = false
  #stopping: Promise<void> | undefined

  constructor(options: SpeakerOptions, modules: SpeakerModules) {
    this.#local = resolveSpeaker(options)
    this.options = options
    this.clock = modules.clock ?? systemClock
    this.log = modules.log ?? silentLog
    this.#sockets = modules.sockets ?? tcpSockets()
    this.#random = modules.random ?? Math.random
    this.#interfaces = modules.interfaces ?? hostAddresses
    this.#turnedAway = new TurnedAway(this.clock, this.log)
    this.#discovery = modules.discovery ?? icmpv6Discovery(this.clock, this.log)
    this.rib = createRib(
      {
        asn: this.#local.asn,
        routerId: this.#local.routerId,
        clusterId: this.#local.clusterId,
        maximumPaths: this.#local.maximumPaths,
        asPathRelax: this.#local.asPathRelax,
      },
      { isOwnAddress: (address) => this.#isOwnAddress(address) },
    )
    this.rib.deferSelection(this.#local.restarting)
    this.#listeners = new Listeners(this.#sockets, this.log, (connection) => this.#accept(connection))
    this.#listening = this.#listeners.open(this.#local.listen)
    this.#listening.catch((error: unknown) => {
      this.log.error({ error }, error instanceof Error ? error.message : 'Cannot listen.')
    })
  }

  get restarting(): boolean {
    return this.#local.restarting && !this.#converged
  }

  get settled(): boolean {
    return this.#settled
  }

  async ready(): Promise<readonly { readonly address: string; readonly port: number }[]> {
    await this.#listening
    return this.#listeners.addresses
  }

  peer(options: PeerOptions): PeerHandle {
    this.#assertRunning()
    const settings = resolvePeer(options, this.#local)
    checkAgainst(settings, this.#declared.values())
    this.#refuseOwn(settings)
    this.#add(settings)
    this.#begin()
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
    const plan = planPeers(this.#declared, peers)
    await this.#listening
    this.#assertRunning()

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

    for (const { settings, because } of plan.reset) this.#replace(settings, because)
    for (const settings of plan.update) this.#update(settings)
    const leaving = plan.remove.filter((name) => !this.#mustLeaveNow(name, plan.add))
    for (const name of plan.remove) if (!leaving.includes(name) || plan.add.length === 0) this.#remove(name)
    for (const settings of plan.add) this.#add(settings)
    if (plan.add.length > 0)
      this.#leave(
        leaving,
        plan.add.map(({ name }) => name),
      )
    this.#begin()
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
          const entry = this.#byIndex.get(index)
          return entry === undefined
            ? undefined
            : { name: entry.peer.settings.name, device: entry.routes.device }
        },
        isSettled: () => this.#settled,
      },
      (closed) => this.#streams.delete(closed),
    )
    this.#streams.add(stream)
    this.wake()
    return stream
  }

  peers(): readonly PeerStatus[] {
    return [...this.#entries.values()].map((entry) => this.#status(entry))
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

  onPeerChange(listener: (status: PeerStatus) => void): Handle {
    this.#peerListeners.add(listener)
    return { dispose: () => void this.#peerListeners.delete(listener) }
  }

  stop(options: StopOptions = {}): Promise<void> {
    this.#stopping ??= this.#stop(options)
    return this.#stopping
  }

  // What PeerRoutes ask of their host.

  hostAddresses(): readonly HostAddress[] {
    this.#ownAddresses = undefined
    return this.#interfaces()
  }

  updateTaken(): void {
    this.#taken = true
    this.wake()
  }

  wake(): void {
    if (this.#stopped) return
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined
      this.#turn()
    })
  }

  peerChanged(routes: PeerRoutes): void {
    const { peer } = routes
    const entry = this.#byIndex.get(routes.index)
    if (entry === undefined) return
    const reachable =
      peer.lastError === undefined || peer.state === 'OpenSent' || peer.state === 'OpenConfirm'
    if (!reachable && peer.state !== 'Established' && !peer.settings.passive) {
      this.convergence.giveUp(peer.settings.name)
    }
    for (const listener of this.#peerListeners) listener(this.#status(entry))
    this.wake()
  }

  #turn(): void {
    const taken = this.#taken
    this.#taken = false
    const unfinished = this.rib.work(this.#local.workBudgetMs, this.#monotonic)
    this.#converge(unfinished)
    if (this.#gathers(taken || unfinished)) {
      this.wake()
    } else if (this.#feed() || unfinished) {
      this.wake()
    }
    for (const stream of this.#streams) stream.offer()
    this.#sweepRanges()
  }

  /** Whether to wait with sending for what is still coming: the sockets are read between two turns. */
  #gathers(coming: boolean): boolean {
    const now = this.clock.monotonic()
    if (coming) {
      this.#gatheringSince ??= now
      if (now - this.#gatheringSince < gatherMs) return true
    }
    this.#gatheringSince = undefined
    return false
  }

  /** Feeds the peers whose sockets have room, for a bounded time; true if there is more to send. */
  #feed(): boolean {
    const until = this.clock.monotonic() + this.#local.workBudgetMs
    const entries = [...this.#byIndex.values()]
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[(this.#feedFrom + i) % entries.length]
      if (entry === undefined) continue
      if (entry.routes.flush(until)) {
        // Out of time: the next turn goes on behind the one that was fed last.
        this.#feedFrom = (this.#feedFrom + i + 1) % entries.length
        return true
      }
    }
    return false
  }

  /** From the first peers on: whether all that can be reached have told what they know. */
  #begin(): void {
    if (this.#begun) return
    this.#begun = true
    this.#after(this.#local.selectionDeferralSeconds * 1000, () => this.convergence.close())
    this.#after(passiveWaitMs, () => {
      for (const { peer } of this.#entries.values()) {
        if (peer.state === 'Active' || peer.settings.address === undefined)
          this.convergence.giveUp(peer.settings.name)
      }
    })
    this.wake()
  }

  #converge(unfinished: boolean): void {
    if (!this.#begun || this.#settled) return
    if (!this.#converged) {
      if (!this.convergence.done) return
      this.#converged = true
      this.convergence.close()
      if (this.#local.restarting) this.rib.deferSelection(false)
      this.wake()
    } else if (!unfinished) {
      this.#settled = true
      this.log.info({}, 'Every reachable peer has told its routes.')
    }
  }

  #accept(connection: Connection): ConnectionHandlers | undefined {
    const { remoteAddress } = connection
    for (const { peer } of this.#entries.values()) {
      const { address } = peer.settings
      if (address !== undefined && sameAddress(address, remoteAddress)) return peer.accept(connection)
    }
    const plain = plainAddress(remoteAddress)
    // The neighbour of a link may have heard us before we have heard it.
    for (const { peer } of this.#entries.values()) {
      const { unnumbered, device } = peer.settings
      if (!unnumbered || plain === undefined || !isLinkLocal(plain)) continue
      if (remoteAddress.split('%')[1] !== device || peer.state === 'Established') continue
      this.#found(peer.settings.name, remoteAddress)
      return peer.accept(connection)
    }
    for (const settings of this.#declared.values()) {
      if (plain === undefined || !rangeAdmits(settings, plain) || settings.shutdown !== undefined) continue
      const entry = this.#start({ ...settings, name: remoteAddress, address: remoteAddress }, settings.name)
      return entry.peer.accept(connection)
    }
    this.#turnedAway.add(connection)
    return undefined
  }

  #add(settings: PeerSettings): void {
    const leaving = this.#leaving.get(settings.name)
    if (leaving !== undefined) this.#finish(settings.name, leaving)
    this.#declared.set(settings.name, settings)
    this.#listeners.setKey(settings)
    if (settings.range !== undefined) return
    if (!this.#converged && settings.shutdown === undefined) this.convergence.expect(settings.name)
    this.#start(settings, undefined)
  }

  #start(settings: PeerSettings, range: string | undefined): Entry {
    const routes = new PeerRoutes(this, settings)
    const log = this.log.child({ peer: settings.name })
    const peer = new Peer(
      { clock: this.clock, log, sockets: this.#sockets, random: this.#random },
      routes,
      settings,
      this.#local.routerId,
    )
    routes.attach(peer)
    const entry: Entry = { peer, routes, range }
    this.#entries.set(settings.name, entry)
    this.#byIndex.set(routes.index, entry)
    if (settings.shutdown !== undefined) return entry
    const { device } = settings
    if (settings.unnumbered && device !== undefined) {
      const watch = this.#discovery.watch(device, (address) =>
        this.#found(settings.name, `${address}%${device}`),
      )
      this.#watches.set(settings.name, watch)
    } else {
      peer.start()
    }
    return entry
  }

  /** The neighbour of an unnumbered peer's link is there, or has another address than before. */
  #found(name: string, address: string): void {
    const entry = this.#entries.get(name)
    if (entry === undefined) return
    const { peer, routes } = entry
    const before = peer.settings
    if (before.address === address || peer.state === 'Established') return
    const own = this.#interfaces().some((one) => sameAddress(`${one.address}%${one.device}`, address))
    if (own) return
    const settings = { ...before, address }
    this.#listeners.removeKey(before)
    this.#listeners.setKey(settings)
    this.log.info({ peer: name, address }, `The neighbour of ${name} is ${address}.`)
    peer.update(settings)
    routes.update(settings)
    if (before.address === undefined) peer.start()
  }

  #replace(settings: PeerSettings, because: readonly string[]): void {
    this.log.info(
      { peer: settings.name, because },
      `The session with ${settings.name} is reset for a new configuration.`,
    )
    const before = this.#declared.get(settings.name)
    const text = settings.shutdown
    const cease =
      text === undefined
        ? { subcode: CeaseSubcode.otherConfigurationChange, hard: true }
        : { subcode: CeaseSubcode.administrativeShutdown, text, hard: true }
    for (const [name, entry] of [...this.#entries]) {
      if (name === settings.name || entry.range === settings.name) this.#end(name, entry, cease)
    }
    if (before !== undefined) this.#listeners.removeKey(before)
    this.#add(settings)
  }

  #update(settings: PeerSettings): void {
    this.#declared.set(settings.name, settings)
    for (const [name, { peer, routes, range }] of this.#entries) {
      if (name !== settings.name && range !== settings.name) continue
      const own = { ...settings, name, address: settings.address ?? peer.settings.address }
      peer.update(own)
      routes.update(own)
    }
  }

  #remove(name: string): void {
    const settings = this.#declared.get(name)
    this.#declared.delete(name)
    if (settings !== undefined) this.#listeners.removeKey(settings)
    for (const [entryName, entry] of [...this.#entries]) {
      if (entryName === name || entry.range === name) this.#finish(entryName, entry)
    }
  }

  /** A peer that another takes the place of at the same address cannot stay beside it. */
  #mustLeaveNow(name: string, coming: readonly PeerSettings[]): boolean {
    const settings = this.#declared.get(name)
    const entry = this.#entries.get(name)
    if (settings?.address === undefined || entry?.peer.state !== 'Established') return true
    return coming.some(({ address }) => address === settings.address)
  }

  /** Make before break: these peers go when those have sent their routes, or after a while. */
  #leave(names: readonly string[], coming: readonly string[]): void {
    for (const name of names) {
      const entry = this.#entries.get(name)
      if (entry === undefined) continue
      this.#declared.delete(name)
      this.#leaving.set(name, entry)
    }
    if (this.#leaving.size === 0) return
    const finish = (): void => {
      handle.dispose()
      deadline.cancel()
      this.#timers.delete(deadline)
      for (const name of names) {
        const entry = this.#leaving.get(name)
        if (entry !== undefined) this.#finish(name, entry)
      }
    }
    const handle = this.onPeerChange(() => {
      const allUp = coming.every((name) => this.#entries.get(name)?.routes.synchronized !== false)
      if (allUp) finish()
    })
    const deadline = this.#after(makeBeforeBreakMs, finish)
  }

  #finish(name: string, entry: Entry): void {
    this.#leaving.delete(name)
    this.#listeners.removeKey(entry.peer.settings)
    this.#end(name, entry, { subcode: CeaseSubcode.peerDeconfigured, hard: true })
  }

  #end(name: string, { peer, routes }: Entry, cease: Parameters<Peer['stop']>[0]): void {
    this.#watches.get(name)?.close()
    this.#watches.delete(name)
    peer.stop(cease)
    routes.dispose()
    this.convergence.giveUp(name)
    this.#entries.delete(name)
    this.#byIndex.delete(routes.index)
  }

  /** Peers of ranges live as long as their session, or their stale routes. */
  #sweepRanges(): void {
    for (const [name, entry] of this.#entries) {
      if (entry.range === undefined || entry.routes.restarting) continue
      const { state, socket } = entry.peer
      if (state === 'Idle' || (state === 'Active' && socket === undefined)) {
        this.#end(name, entry, undefined)
      }
    }
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

  /** The host's addresses are read once per session that comes up, not once per route. */
  #isOwnAddress(bytes: Uint8Array): boolean {
    this.#ownAddresses ??= new Set(
      this.#interfaces()
        .flatMap((own) => plainAddress(own.address) ?? [])
        .map((address) => formatAddress(address)),
    )
    return this.#ownAddresses.has(
      formatAddress(addressFromBytes(bytes, 0, bytes.length === 4 ? 'ipv4' : 'ipv6')),
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
      dispose: () => this.#remove(name),
    }
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name)
    if (entry !== undefined) return entry
    throw new SpeakerError('unknown-peer', `There is no peer called ${name}.`, {
      remedy: `Peers are: ${[...this.#entries.keys()].join(', ') || 'none'}.`,
    })
  }

  #status({ peer, routes, range }: Entry): PeerStatus {
    return peerStatus(peer, routes, this.rib, range)
  }

  #peerName({ peer }: RibRoute): string | undefined {
    return peer === localPeer ? undefined : this.#byIndex.get(peer)?.peer.settings.name
  }

  #after(ms: number, call: () => void): Timer {
    const timer = this.clock.setTimeout(() => {
      this.#timers.delete(timer)
      call()
      this.wake()
    }, ms)
    this.#timers.add(timer)
    return timer
  }

  #assertRunning(): void {
    if (!this.#stopped) return
    throw new SpeakerError('stopped', 'The speaker has been stopped.', { remedy: 'Make a new one.' })
  }

  async #stop({ graceful = false, reason }: StopOptions): Promise<void> {
    this.#stopped = true
    const text = reason === undefined ? {} : { text: reason }
    const shutdown = { subcode: CeaseSubcode.administrativeShutdown, ...text }
    for (const { peer } of this.#entries.values()) {
      const { negotiated } = peer
      // RFC 4724: a NOTIFICATION would end graceful restart, unless RFC 8538 says otherwise.
      const silent = graceful && negotiated?.gracefulRestart !== undefined && !negotiated.gracefulNotification
      peer.stop(silent ? undefined : { ...shutdown, hard: !graceful })
    }
    this.#turnedAway.close()
    for (const watch of this.#watches.values()) watch.close()
    this.#watches.clear()
    if (this.#immediate !== undefined) clearImmediate(this.#immediate)
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    for (const { routes } of this.#entries.values()) routes.dispose()
    for (const stream of [...this.#streams]) stream.close()
    this.#entries.clear()
    this.#byIndex.clear()
    this.#peerListeners.clear()
    await this.#listening.catch(() => undefined)
    await this.#listeners.close()
    await this.#sockets.drained()
  }
}

const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
}
