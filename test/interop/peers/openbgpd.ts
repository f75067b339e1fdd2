/*
 * OpenBGPD in a namespace: its configuration from plain data, its life, and its client.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Family } from '@network/net'
import { type Place, until } from '../../lab/index.ts'
import { requireProgram } from './program.ts'
import { type PeerRoute } from './route.ts'
import { type PeerNeighbor } from './session.ts'

export interface OpenbgpdNeighbor extends PeerNeighbor {
  readonly routeReflectorClient?: boolean
  /** Further lines for the neighbour: `announce add-path recv yes`. */
  readonly extra?: readonly string[]
}

export interface OpenbgpdOptions {
  readonly asn: number
  readonly routerId: string
  readonly neighbors: readonly OpenbgpdNeighbor[]
  readonly routes?: readonly PeerRoute[]
}

export interface Openbgpd {
  /** Runs a command of bgpctl and gives its output. */
  bgpctl(...words: readonly string[]): Promise<string>
  /** Everything that bgpd tells of a neighbour. */
  neighbor(address: string): Promise<string>
  established(address: string): Promise<boolean>
  /** Prefixes of a family that a neighbour has brought. */
  learned(address: string, family: Family): Promise<readonly string[]>
  /** One prefix with all that bgpd knows of it. */
  route(prefix: string): Promise<string>
  log(): string
  stop(): Promise<void>
}

export function openbgpdConfiguration(options: OpenbgpdOptions, socket: string): string {
  const network = ({ prefix, communities = [], largeCommunities = [] }: PeerRoute): string => {
    const set = [
      ...communities.map((community) => `community ${community}`),
      ...largeCommunities.map((community) => `large-community ${community}`),
    ]
    return `network ${prefix}${set.length === 0 ? '' : ` set { ${set.join(' ')} }`}`
  }
  return [
    `AS ${String(options.asn)}`,
    `router-id ${options.routerId}`,
    'fib-update no',
    'connect-retry 1',
    `socket "${socket}"`,
    ...(options.routes ?? []).map(network),
    ...options.neighbors.flatMap((neighbor) => [
      `neighbor ${neighbor.address} {`,
      `  remote-as ${String(neighbor.asn)}`,
      `  announce IPv4 ${neighbor.families.includes('ipv4') ? 'unicast' : 'none'}`,
      `  announce IPv6 ${neighbor.families.includes('ipv6') ? 'unicast' : 'none'}`,
      `  holdtime ${String(neighbor.holdTimeSeconds ?? 90)}`,
      ...(neighbor.passive === true ? ['  passive'] : []),
      ...(neighbor.password === undefined ? [] : [`  tcp md5sig password "${neighbor.password}"`]),
      ...(neighbor.routeReflectorClient === true ? ['  route-reflector'] : []),
      ...(neighbor.ttlSecurity === true ? ['  ttl-security yes'] : []),
      ...(neighbor.extra ?? []).map((line) => `  ${line}`),
      '}',
    ]),
    'allow from any',
    'allow to any',
    '',
  ].join('\n')
}

/** Starts OpenBGPD in a place; resolves when its client answers. `folder` keeps its files and is the caller's to remove. */
export async function startOpenbgpd(
  place: Place,
  folder: string,
  options: OpenbgpdOptions,
): Promise<Openbgpd> {
  const daemonProgram = requireProgram('/usr/sbin/bgpd', 'openbgpd')
  const clientProgram = requireProgram('bgpctl', 'openbgpd')
  // Where its unprivileged processes are chrooted.
  mkdirSync('/run/openbgpd', { recursive: true })
  mkdirSync(folder, { recursive: true })
  const file = path.join(folder, 'bgpd.conf')
  const socket = path.join(folder, 'bgpd.sock')
  writeFileSync(file, openbgpdConfiguration(options, socket), { mode: 0o600 })
  const bgpctl = async (...words: readonly string[]): Promise<string> =>
    (await place.attempt(clientProgram, ['-s', socket, ...words])).stdout
  const bgpd = place.start('openbgpd', daemonProgram, ['-d', '-f', file])
  await until('OpenBGPD answers', async () => {
    if (!bgpd.running()) throw new Error(`OpenBGPD did not start: ${bgpd.log()}`)
    return (await bgpctl('show', 'summary')).includes('Neighbor')
  })
  const neighbor = (address: string): Promise<string> => bgpctl('show', 'neighbor', address)
  return {
    bgpctl,
    neighbor,
    established: async (address) => /BGP state = Established/.test(await neighbor(address)),
    learned: async (address, family) => {
      const text = await bgpctl(
        '-j',
        'show',
        'rib',
        family === 'ipv4' ? 'inet' : 'inet6',
        'in',
        'neighbor',
        address,
      )
      if (!text.startsWith('{')) return []
      const { rib = [] } = JSON.parse(text) as { rib?: readonly { prefix: string }[] }
      return [...new Set(rib.map(({ prefix }) => prefix))].sort()
    },
    route: (prefix) => bgpctl('show', 'rib', 'detail', prefix),
    log: () => bgpd.log(),
    stop: () => bgpd.stop(),
  }
}
