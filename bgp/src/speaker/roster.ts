/*
 * The peers that there are: as they were declared, ranges among them, and as they run, each with its sessions and its
 * routes. Incoming connections find their peer here, unnumbered peers get their address when they are heard, and peers
 * that go are kept until those that come have sent their routes.
 */
import { PrefixTrie } from '@network/net'
import { CeaseSubcode } from '../codec/iana.ts'
import { type PeerIndex } from '../rib/peer.ts'
import { AddressIndex } from './address-index.ts'
import { Deadline } from './deadline.ts'
import { FormerFaults } from './former-faults.ts'
import { type Listeners } from './listeners.ts'
import { type HostAddress } from './network/host-addresses.ts'
import { OpenMessages } from './open-messages.ts'
import { PeerRoutes, type PeerRoutesHost } from './peer-routes.ts'
import { Peer } from './peer.ts'
import { type PeerSettings } from './options/settings.ts'
import { type RouterDiscovery } from './network/router-discovery.ts'
import { type Connection, type ConnectionHandlers, type SocketFactory } from './network/sockets.ts'
import { TurnedAway } from './turned-away.ts'
import { canonicalAddress, isLinkLocal, plainAddress, zoneOf } from './network/zoned-address.ts'

/** How long peers that go are kept for those that come. */
const makeBeforeBreakMs = 30_000

export interface Entry {
  readonly peer: Peer
  readonly routes: PeerRoutes
  /** Name of the range that admitted it. */
  readonly range: string | undefined
}

export interface RosterModules {
  readonly sockets: SocketFactory
  readonly random: () => number
  readonly listeners: Listeners
  readonly discovery: RouterDiscovery
  readonly interfaces: () => readonly HostAddress[]
}

/** Peers that go, and whom they wait for. */
interface Departure {
  readonly names: readonly string[]
  readonly coming: readonly string[]
  readonly deadline: Deadline
}

export class Roster {
  /** What was asked for, ranges too. */
  readonly declared = new Map<string, PeerSettings>()
  /** What runs: also who came from a range, and who is about to leave. */
  readonly entries = new Map<string, Entry>()
  readonly byIndex = new Map<PeerIndex, Entry>()
  readonly #byAddress = new AddressIndex<Entry>()
  /** Unnumbered peers by their device. */
  readonly #byDevice = new Map<string, Entry>()
  /** Names of the declared ranges. */
  readonly #ranges = new PrefixTrie<string>()
  /** Peers of ranges that something has happened to: their session may be over. */
  readonly #toSweep = new Set<Entry>()
  readonly #host: PeerRoutesHost
  readonly #modules: RosterModules
  readonly #routerId: number
  readonly #turnedAway: TurnedAway
  #isNew = true
  readonly #opens = new OpenMessages()
  readonly #formerFaults = new FormerFaults()
  /** Router discovery of unnumbered peers, by their name. */
  readonly #watches = new Map<string, { close(): void }>()
  readonly #leaving = new Map<string, Entry>()
  readonly #departures = new Set<Departure>()

  constructor(host: PeerRoutesHost, modules: RosterModules, routerId: number) {
    this.#host = host
    this.#modules = modules
    this.#routerId = routerId
    this.#turnedAway = new TurnedAway(host.clock, host.log)
  }

  /** A connection that somebody opened: what its socket shall tell, or undefined if it is turned away. */
  accept(connection: Connection): ConnectionHandlers | undefined {
    const { remoteAddress } = connection
    const known = this.#byAddress.find(remoteAddress)
    if (known !== undefined) return known.peer.accept(connection)
    const plain = plainAddress(remoteAddress)
    // The neighbour of a link may have heard us before we have heard it. Not with a password: no key holds for an address
    // that we have not heard, so that whoever comes from it has shown none.
    const neighbour = this.#byDevice.get(zoneOf(remoteAddress) ?? '')
    if (neighbour !== undefined && plain !== undefined && isLinkLocal(plain)) {
      const { peer } = neighbour
      if (peer.state !== 'Established' && peer.settings.password === undefined) {
        this.#found(peer.settings.name, remoteAddress)
        return peer.accept(connection)
      }
    }
    const range = plain === undefined ? undefined : this.#ranges.longestMatch(plain)?.[1]
    const settings = range === undefined ? undefined : this.declared.get(range)
    if (settings !== undefined && settings.shutdown === undefined) {
      const entry = this.#start({ ...settings, name: remoteAddress, address: remoteAddress }, settings.name)
      return entry.peer.accept(connection)
    }
    // Before the first peers are declared nobody knows who is one: who is left without a word dials again soon.
    if (this.#isNew) connection.destroy()
    else this.#turnedAway.add(connection)
    return undefined
  }

  /** Every peer that runs. */
  *peers(): Iterable<Peer> {
    for (const { peer } of this.entries.values()) yield peer
  }

  /** Routes of those whose session is up. */
  *up(): Iterable<PeerRoutes> {
    for (const { routes } of this.byIndex.values()) if (routes.up) yield routes
  }

  /** Declares a peer, and starts it if it is one and no range. */
  add(settings: PeerSettings): void {
    const leaving = this.#leaving.get(settings.name)
    if (leaving !== undefined) this.#finish(settings.name, leaving)
    this.#isNew = false
    this.declared.set(settings.name, settings)
    this.#modules.listeners.setKey(settings)
    if (settings.range !== undefined) {
      this.#ranges.set(settings.range, settings.name)
      return
    }
    if (settings.shutdown === undefined) this.#host.convergence.expect(settings.name)
    this.#start(settings, undefined)
  }

  #start(settings: PeerSettings, range: string | undefined): Entry {
    const before = range === undefined ? undefined : this.#formerFaults.take(range, settings.name)
    const routes = new PeerRoutes(this.#host, settings, before)
    const log = this.#host.log.child({ peer: settings.name })
    const peer = new Peer(
      {
        clock: this.#host.clock,
        log,
        sockets: this.#modules.sockets,
        random: this.#modules.random,
        opens: this.#opens,
      },
      routes,
      settings,
      this.#routerId,
    )
    routes.attach(peer)
    const entry: Entry = { peer, routes, range }
    this.entries.set(settings.name, entry)
    this.byIndex.set(routes.index, entry)
    const { address, device } = settings
    if (address !== undefined) this.#byAddress.add(address, entry)
    if (settings.unnumbered && device !== undefined) this.#byDevice.set(device, entry)
    if (settings.shutdown !== undefined) return entry
    if (settings.unnumbered && device !== undefined) {
      const watch = this.#modules.discovery.watch(device, (address) =>
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
    const entry = this.entries.get(name)
    if (entry === undefined) return
    const { peer, routes } = entry
    const before = peer.settings
    if (before.address === address || before.shutdown !== undefined || peer.state === 'Established') return
    const own = this.#modules
      .interfaces()
      .some((one) => canonicalAddress(`${one.address}%${one.device}`) === canonicalAddress(address))
    if (own) return
    const settings = { ...before, address }
    this.#modules.listeners.removeKey(before)
    this.#modules.listeners.setKey(settings)
    this.#host.log.info({ peer: name, address }, `The neighbour of ${name} is ${address}.`)
    if (before.address !== undefined) this.#byAddress.delete(before.address, entry)
    this.#byAddress.add(address, entry)
    peer.update(settings)
    routes.update(settings)
    if (before.address === undefined) peer.start()
  }

  /** Takes settings that need a new session. */
  replace(settings: PeerSettings, because: readonly string[]): void {
    this.#host.log.info(
      { peer: settings.name, because },
      `The session with ${settings.name} is reset for a new configuration.`,
    )
    const before = this.declared.get(settings.name)
    const text = settings.shutdown
    const cease =
      text === undefined
        ? { subcode: CeaseSubcode.otherConfigurationChange, hard: true }
        : { subcode: CeaseSubcode.administrativeShutdown, text, hard: true }
    for (const [name, entry] of [...this.entries]) {
      if (name === settings.name || entry.range === settings.name) this.#end(name, entry, cease)
    }
    if (before !== undefined) this.#forget(before)
    this.add(settings)
  }

  /** Takes settings that need none. */
  update(settings: PeerSettings): void {
    this.declared.set(settings.name, settings)
    for (const [name, { peer, routes, range }] of this.entries) {
      if (name !== settings.name && range !== settings.name) continue
      const own = { ...settings, name, address: settings.address ?? peer.settings.address }
      peer.update(own)
      routes.update(own)
    }
  }

  /** Ends a peer, or all who came from a range. */
  remove(name: string): void {
    const settings = this.declared.get(name)
    this.declared.delete(name)
    for (const [entryName, entry] of [...this.entries]) {
      if (entryName === name || entry.range === name) this.#finish(entryName, entry)
    }
    if (settings !== undefined) this.#forget(settings)
  }

  /** What was declared holds no longer. */
  #forget(settings: PeerSettings): void {
    this.#modules.listeners.removeKey(settings)
    if (settings.range === undefined) return
    this.#ranges.delete(settings.range)
    this.#formerFaults.forget(settings.name)
  }

  /** A peer that another takes the place of at the same address cannot stay beside it. */
  mustLeaveNow(name: string, coming: readonly PeerSettings[]): boolean {
    const settings = this.declared.get(name)
    const entry = this.entries.get(name)
    if (settings?.address === undefined || entry?.peer.state !== 'Established') return true
    return coming.some(({ address }) => address === settings.address)
  }

  /** Make before break: these peers go when those have sent their routes, or after a while. */
  leave(names: readonly string[], coming: readonly string[]): void {
    const going = names.filter((name) => this.entries.has(name))
    if (going.length === 0) return
    for (const name of going) {
      const entry = this.entries.get(name)
      this.declared.delete(name)
      if (entry !== undefined) this.#leaving.set(name, entry)
    }
    const deadline = new Deadline(this.#host.clock, () => this.#depart(departure))
    const departure: Departure = { names: going, coming, deadline }
    this.#departures.add(departure)
    deadline.start(makeBeforeBreakMs)
  }

  /** A peer's session or its routes have changed: those that waited for it may go. */
  peerChanged(entry: Entry): void {
    if (entry.range !== undefined) this.#toSweep.add(entry)
    for (const departure of [...this.#departures]) {
      const here = departure.coming.every((name) => this.entries.get(name)?.routes.synchronized !== false)
      if (here) this.#depart(departure)
    }
  }

  /** Forgets everything; the sessions have been ended. */
  close(): void {
    this.#turnedAway.close()
    for (const { deadline } of this.#departures) deadline.stop()
    this.#departures.clear()
    for (const watch of this.#watches.values()) watch.close()
    this.#watches.clear()
    for (const { routes } of this.entries.values()) routes.dispose()
    this.entries.clear()
    this.byIndex.clear()
    this.#byAddress.clear()
    this.#byDevice.clear()
    this.#toSweep.clear()
  }

  #depart(departure: Departure): void {
    this.#departures.delete(departure)
    departure.deadline.stop()
    for (const name of departure.names) {
      const entry = this.#leaving.get(name)
      if (entry !== undefined) this.#finish(name, entry)
    }
  }

  #finish(name: string, entry: Entry): void {
    this.#leaving.delete(name)
    this.#modules.listeners.removeKey(entry.peer.settings)
    this.#end(name, entry, { subcode: CeaseSubcode.peerDeconfigured, hard: true })
  }

  #end(name: string, entry: Entry, cease: Parameters<Peer['stop']>[0]): void {
    const { peer, routes } = entry
    this.#watches.get(name)?.close()
    this.#watches.delete(name)
    peer.stop(cease)
    routes.dispose()
    if (entry.range !== undefined) this.#formerFaults.keep(entry.range, name, routes.faults)
    this.#host.convergence.giveUp(name)
    this.entries.delete(name)
    this.byIndex.delete(routes.index)
    this.#toSweep.delete(entry)
    const { address, device, unnumbered } = peer.settings
    if (address !== undefined) this.#byAddress.delete(address, entry)
    if (unnumbered && device !== undefined && this.#byDevice.get(device) === entry)
      this.#byDevice.delete(device)
  }

  /** Peers of ranges live as long as their session, or their stale routes. */
  sweepRanges(): void {
    for (const entry of this.#toSweep) {
      this.#toSweep.delete(entry)
      if (entry.routes.restarting) continue
      const { state, socket, settings } = entry.peer
      if (state === 'Idle' || (state === 'Active' && socket === undefined)) {
        this.#end(settings.name, entry, undefined)
      }
    }
  }
}
