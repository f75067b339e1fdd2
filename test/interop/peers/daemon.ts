/*
 * One face for the foreign daemons, so that a case is written once and runs against each of them.
 */
import { type Family } from '@network/net'
import { type Seat } from '../bench.ts'
import { startBird } from './bird.ts'
import { startExabgp } from './exabgp.ts'
import { startFrr } from './frr.ts'
import { startGobgp } from './gobgp.ts'
import { startOpenbgpd } from './openbgpd.ts'
import { type PeerRoute, familyOf } from './route.ts'
import { type PeerSession } from './session.ts'

export const daemonNames = ['bird', 'frr', 'gobgp', 'openbgpd', 'exabgp'] as const
export type DaemonName = (typeof daemonNames)[number]

/** What every daemon can do: one session with us, by default for both families. */
export interface DaemonOptions extends Partial<PeerSession> {
  readonly asn: number
  readonly ourAsn: number
  readonly routes?: readonly PeerRoute[]
  /** The session's own addresses are IPv6. */
  readonly overIpv6?: boolean
}

export interface Daemon {
  readonly name: DaemonName
  established(): Promise<boolean>
  /** Prefixes of a family that it has learned from us. */
  learned(family: Family): Promise<readonly string[]>
  /** One prefix with all that the daemon knows of it. */
  route(prefix: string): Promise<string>
  /** All that the daemon tells of its session with us, now and in its log. */
  session(): Promise<string>
  stop(): Promise<void>
}

let runs = 0

/** Starts a daemon at its seat with one session to us. */
export async function startDaemon(name: DaemonName, seat: Seat, options: DaemonOptions): Promise<Daemon> {
  const { here, there } = seat
  const transport = options.overIpv6 === true ? 'ipv6' : 'ipv4'
  const local = there[transport]
  const address = here[transport]
  const folder = `${seat.folder}${String(runs++)}`
  const { asn, ourAsn, routes = [], overIpv6: _, families = ['ipv4', 'ipv6'], ...terms } = options
  const routerId = there.ipv4
  const session = { families, ...terms }
  const neighbor = { ...session, address, asn: ourAsn }
  switch (name) {
    case 'bird': {
      const bird = await startBird(seat.place, folder, {
        asn,
        routerId,
        routes,
        sessions: [{ ...session, name: 'drover', local, neighbor: address, neighborAs: ourAsn }],
      })
      return {
        name,
        established: () => bird.established('drover'),
        learned: async (family) => ofFamily(await bird.learned('drover'), family),
        route: (prefix) => bird.route(prefix),
        session: async () => (await bird.protocol('drover')).text + bird.log(),
        stop: () => bird.stop(),
      }
    }
    case 'frr': {
      const frr = await startFrr(seat.place, folder, {
        asn,
        routerId,
        routes: routes.map(({ prefix }) => prefix),
        neighbors: [neighbor],
      })
      return {
        name,
        established: () => frr.established(address),
        learned: (family) => frr.learned(address, family),
        route: (prefix) => frr.route(prefix),
        session: async () => (await frr.neighbor(address)).text + frr.log(),
        stop: () => frr.stop(),
      }
    }
    case 'gobgp': {
      const gobgp = await startGobgp(seat.place, folder, { asn, routerId, routes, neighbors: [neighbor] })
      return {
        name,
        established: () => gobgp.established(address),
        learned: (family) => gobgp.learned(address, family),
        route: (prefix) => gobgp.route(prefix),
        session: async () => (await gobgp.neighbor(address)) + gobgp.log(),
        stop: () => gobgp.stop(),
      }
    }
    case 'openbgpd': {
      const bgpd = await startOpenbgpd(seat.place, folder, {
        asn,
        routerId,
        routes,
        neighbors: [neighbor],
      })
      return {
        name,
        established: () => bgpd.established(address),
        learned: (family) => bgpd.learned(address, family),
        route: (prefix) => bgpd.route(prefix),
        session: async () => (await bgpd.neighbor(address)) + bgpd.log(),
        stop: () => bgpd.stop(),
      }
    }
    case 'exabgp': {
      const exabgp = await startExabgp(seat.place, folder, {
        asn,
        routerId,
        neighbor: { ...neighbor, local },
        routes: routes.map((route) => ({
          ...route,
          nextHop: route.nextHop ?? there[familyOf(route.prefix)],
        })),
      })
      return {
        name,
        established: () => Promise.resolve(exabgp.established()),
        learned: (family) => Promise.resolve(exabgp.learned(family)),
        route: (prefix) => Promise.resolve(JSON.stringify(exabgp.heard(prefix) ?? {})),
        session: () => Promise.resolve([...exabgp.events(), exabgp.log()].join('\n')),
        stop: () => exabgp.stop(),
      }
    }
  }
}

const ofFamily = (prefixes: readonly string[], family: Family): readonly string[] =>
  prefixes.filter((prefix) => familyOf(prefix) === family)
