/*
 * GoBGP in a namespace: its configuration as JSON from plain data, its life, and its client.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Family } from '@network/net'
import { type Place, until } from '../../lab/index.ts'
import { requireProgram } from './program.ts'
import { type PeerRoute, familyOf } from './route.ts'
import { type PeerNeighbor } from './session.ts'

export interface GobgpNeighbor extends PeerNeighbor {
  readonly routeReflectorClient?: boolean
  readonly addPath?: { readonly receive: boolean; readonly sendMax: number }
  readonly restartTimeSeconds?: number
  readonly prefixLimit?: number
}

export interface GobgpOptions {
  readonly asn: number
  readonly routerId: string
  readonly neighbors: readonly GobgpNeighbor[]
  readonly routes?: readonly PeerRoute[]
}

/** The parts of GoBGP's own JSON that tests look at. */
export interface GobgpPath {
  readonly nlri: { readonly prefix: string }
  readonly stale?: boolean
  readonly 'source-id'?: string
  readonly attrs: readonly Readonly<Record<string, unknown>>[]
}

export interface Gobgp {
  /** Runs a command of GoBGP's client and gives its output. */
  gobgp(...words: readonly string[]): Promise<string>
  /** Everything that GoBGP tells of a neighbour. */
  neighbor(address: string): Promise<string>
  established(address: string): Promise<boolean>
  /** Prefixes of a family that a neighbour has brought. */
  learned(address: string, family: Family): Promise<readonly string[]>
  /** Paths of a family that a neighbour has brought. */
  received(address: string, family: Family): Promise<readonly GobgpPath[]>
  /** One prefix with all that GoBGP knows of it. */
  route(prefix: string): Promise<string>
  announce(route: PeerRoute): Promise<void>
  withdraw(prefix: string): Promise<void>
  /** Ends GoBGP in the midst of its work. */
  crash(): Promise<void>
  /** Starts it again as a restarting speaker; resolves when its own routes have been announced anew. */
  recover(): Promise<void>
  log(): string
  stop(): Promise<void>
}

export function gobgpConfiguration(options: GobgpOptions): object {
  return {
    global: { config: { as: options.asn, 'router-id': options.routerId, port: 179 } },
    neighbors: options.neighbors.map((neighbor) => ({
      config: {
        'neighbor-address': neighbor.address,
        'peer-as': neighbor.asn,
        ...(neighbor.password === undefined ? {} : { 'auth-password': neighbor.password }),
      },
      transport: { config: { 'passive-mode': neighbor.passive === true } },
      timers: {
        config: {
          'connect-retry': 1,
          'hold-time': neighbor.holdTimeSeconds ?? 90,
          'idle-hold-time-after-reset': 1,
        },
      },
      ...(neighbor.ttlSecurity === true
        ? { 'ttl-security': { config: { enabled: true, 'ttl-min': 255 } } }
        : {}),
      ...(neighbor.routeReflectorClient === true
        ? {
            'route-reflector': {
              config: {
                'route-reflector-client': true,
                'route-reflector-cluster-id': options.routerId,
              },
            },
          }
        : {}),
      'graceful-restart': {
        config: {
          enabled: true,
          'restart-time': neighbor.restartTimeSeconds ?? 60,
          'deferral-time': 10,
          'notification-enabled': true,
        },
      },
      'afi-safis': neighbor.families.map((family) => ({
        config: { 'afi-safi-name': `${family}-unicast` },
        'mp-graceful-restart': { config: { enabled: true } },
        ...(neighbor.addPath === undefined
          ? {}
          : {
              'add-paths': {
                config: { receive: neighbor.addPath.receive, 'send-max': neighbor.addPath.sendMax },
              },
            }),
        ...(neighbor.prefixLimit === undefined
          ? {}
          : { 'prefix-limit': { config: { 'max-prefixes': neighbor.prefixLimit } } }),
      })),
    })),
  }
}

/** Starts GoBGP in a place; resolves when its client answers. `folder` keeps its files and is the caller's to remove. */
export async function startGobgp(place: Place, folder: string, options: GobgpOptions): Promise<Gobgp> {
  const daemonProgram = requireProgram('gobgpd', 'gobgpd')
  const clientProgram = requireProgram('gobgp', 'gobgpd')
  mkdirSync(folder, { recursive: true })
  const file = path.join(folder, 'gobgpd.json')
  writeFileSync(file, JSON.stringify(gobgpConfiguration(options)))
  const client = async (...words: readonly string[]): Promise<string> => {
    const { stdout, stderr } = await place.attempt(clientProgram, ['--host', '127.0.0.1', ...words])
    return stdout + stderr
  }
  const change = async (...words: readonly string[]): Promise<void> => {
    await place.run(clientProgram, ['--host', '127.0.0.1', ...words])
  }
  const announce = async (route: PeerRoute): Promise<void> => {
    await change(
      ...['global', 'rib', 'add', route.prefix, '-a', familyOf(route.prefix), 'origin', 'igp'],
      ...(route.nextHop === undefined ? [] : ['nexthop', route.nextHop]),
      ...(route.communities === undefined ? [] : ['community', route.communities.join(',')]),
      ...(route.largeCommunities === undefined ? [] : ['large-community', route.largeCommunities.join(',')]),
    )
  }
  const launch = async (restarting: boolean): Promise<ReturnType<Place['start']>> => {
    const started = place.start('gobgpd', daemonProgram, [
      ...['-t', 'json', '-f', file, '-p', '--pprof-disable', '--api-hosts', '127.0.0.1:50051'],
      ...(restarting ? ['-r'] : []),
    ])
    await until('GoBGP answers', async () => {
      if (!started.running()) throw new Error(`GoBGP did not start: ${started.log()}`)
      return (await client('global')).includes(options.routerId)
    })
    for (const route of options.routes ?? []) await announce(route)
    return started
  }
  let gobgpd = await launch(false)
  const received = async (address: string, family: Family): Promise<readonly GobgpPath[]> => {
    const text = await client('neighbor', address, 'adj-in', '-a', family, '-j')
    if (!text.startsWith('{') && !text.startsWith('[')) return []
    // While a session comes up it answers with an object that says why it can't, in the same place.
    const answer = JSON.parse(text) as Record<string, (GobgpPath | undefined)[] | string>
    return Object.values(answer)
      .flatMap((paths) => (typeof paths === 'string' ? [] : paths))
      .filter((path): path is GobgpPath => path?.nlri !== undefined)
  }
  const neighbor = (address: string): Promise<string> => client('neighbor', address)
  return {
    gobgp: client,
    neighbor,
    established: async (address) => /BGP state = ESTABLISHED/i.test(await neighbor(address)),
    learned: async (address, family) => [
      ...new Set((await received(address, family)).map(({ nlri }) => nlri.prefix).sort()),
    ],
    received,
    route: (prefix) => client('global', 'rib', prefix, '-a', familyOf(prefix)),
    announce,
    withdraw: (prefix) => change('global', 'rib', 'del', prefix, '-a', familyOf(prefix)),
    crash: async () => {
      gobgpd.signal('SIGKILL')
      await gobgpd.ended
    },
    recover: async () => {
      gobgpd = await launch(true)
    },
    log: () => gobgpd.log(),
    stop: () => gobgpd.stop(),
  }
}
