/*
 * ExaBGP in a namespace. It has no table: two of its API processes are plain programs that tie it to files, one that
 * tails the commands written here, one that keeps the JSON it tells of what it hears; the table is kept from that.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Family } from '@network/net'
import { type Place, until } from '../../lab/index.ts'
import { requireProgram } from './program.ts'
import { type PeerRoute, familyOf } from './route.ts'
import { type PeerNeighbor } from './session.ts'

export interface ExabgpNeighbor extends PeerNeighbor {
  readonly local: string
  /** Further lines for the neighbour. */
  readonly extra?: readonly string[]
  /** Further lines among the capabilities: `add-path send/receive`. */
  readonly capabilities?: readonly string[]
}

export interface ExabgpRoute extends PeerRoute {
  readonly nextHop: string
  /** Further words of ExaBGP's: `attribute [ 0x63 0xe0 0x0102 ]`. */
  readonly extra?: string
}

export interface ExabgpOptions {
  readonly asn: number
  readonly routerId: string
  readonly neighbor: ExabgpNeighbor
  readonly routes?: readonly ExabgpRoute[]
}

/** What ExaBGP has heard of a prefix: the next hop and the attributes as it names them. */
export interface ExabgpHeard {
  readonly nextHop: string
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface Exabgp {
  /** Gives ExaBGP a command of its API: `announce route 10.0.0.0/24 next-hop self`. */
  command(line: string): void
  announce(route: ExabgpRoute): void
  withdraw(prefix: string, nextHop: string): void
  established(): boolean
  /** Prefixes of a family that the neighbour has announced and not withdrawn. */
  learned(family: Family): readonly string[]
  heard(prefix: string): ExabgpHeard | undefined
  /** Every event told, a line of JSON each. */
  events(): readonly string[]
  log(): string
  stop(): Promise<void>
}

interface ExabgpEvent {
  readonly type: string
  readonly neighbor?: {
    readonly state?: string
    readonly message?: {
      readonly update?: {
        readonly attribute?: Readonly<Record<string, unknown>>
        readonly announce?: Readonly<Record<string, Readonly<Record<string, readonly { nlri: string }[]>>>>
        readonly withdraw?: Readonly<Record<string, readonly { nlri: string }[]>>
      }
    }
  }
}

const routeWords = ({ prefix, nextHop, communities, largeCommunities, extra }: ExabgpRoute): string =>
  [
    `${prefix} next-hop ${nextHop}`,
    ...(communities === undefined ? [] : [`community [ ${communities.join(' ')} ]`]),
    ...(largeCommunities === undefined ? [] : [`large-community [ ${largeCommunities.join(' ')} ]`]),
    ...(extra === undefined ? [] : [extra]),
  ].join(' ')

export function exabgpConfiguration(
  { asn, routerId, neighbor, routes = [] }: ExabgpOptions,
  files: { readonly commands: string; readonly events: string },
  programs: { readonly tail: string; readonly sed: string },
): string {
  return [
    `process said { run ${programs.tail} -n +1 -F ${files.commands}; encoder text; }`,
    `process heard { run ${programs.sed} -u -n -e w${files.events}; encoder json; }`,
    `neighbor ${neighbor.address} {`,
    `  router-id ${routerId};`,
    `  local-address ${neighbor.local};`,
    `  local-as ${String(asn)};`,
    `  peer-as ${String(neighbor.asn)};`,
    `  hold-time ${String(neighbor.holdTimeSeconds ?? 90)};`,
    ...(neighbor.passive === true ? ['  passive true;', '  listen 179;'] : []),
    ...(neighbor.password === undefined
      ? []
      : [`  md5-password "${neighbor.password}";`, '  md5-base64 false;']),
    ...(neighbor.ttlSecurity === true ? ['  outgoing-ttl 255;', '  incoming-ttl 255;'] : []),
    ...(neighbor.extra ?? []).map((line) => `  ${line}`),
    `  family { ${neighbor.families.map((family) => `${family} unicast;`).join(' ')} }`,
    `  capability { route-refresh enable; ${(neighbor.capabilities ?? []).map((line) => `${line};`).join(' ')} }`,
    '  api { processes [ said heard ]; neighbor-changes; receive { parsed; update; refresh; } }',
    '  static {',
    ...routes
      .filter(({ prefix }) => neighbor.families.includes(familyOf(prefix)))
      .map((route) => `    route ${routeWords(route)};`),
    '  }',
    '}',
    '',
  ].join('\n')
}

/** Starts ExaBGP in a place; resolves when its processes run. `folder` keeps its files and is the caller's to remove. */
export async function startExabgp(place: Place, folder: string, options: ExabgpOptions): Promise<Exabgp> {
  const program = requireProgram('exabgp', 'exabgp')
  const programs = { tail: requireProgram('tail', 'coreutils'), sed: requireProgram('sed', 'sed') }
  mkdirSync(folder, { recursive: true })
  const files = { commands: path.join(folder, 'commands'), events: path.join(folder, 'events') }
  const file = path.join(folder, 'exabgp.conf')
  writeFileSync(files.commands, '')
  writeFileSync(file, exabgpConfiguration(options, files, programs))
  const exabgp = place.start('exabgp', program, [file], {
    env: {
      exabgp_daemon_user: 'root',
      exabgp_daemon_drop: 'false',
      exabgp_api_cli: 'false',
      exabgp_api_ack: 'false',
      exabgp_cache_attributes: 'false',
    },
  })
  await until('ExaBGP runs its processes', () => {
    if (!exabgp.running()) throw new Error(`ExaBGP did not start: ${exabgp.log()}`)
    return existsSync(files.events)
  })
  const events = (): readonly string[] => readFileSync(files.events, 'utf8').split('\n').slice(0, -1)
  const table = (): { up: boolean; routes: Map<string, ExabgpHeard> } => {
    const routes = new Map<string, ExabgpHeard>()
    let up = false
    for (const line of events()) {
      const { type, neighbor } = JSON.parse(line) as ExabgpEvent
      if (type === 'state') {
        up = neighbor?.state === 'up'
        if (neighbor?.state === 'down') routes.clear()
      }
      const update = neighbor?.message?.update
      for (const gone of Object.values(update?.withdraw ?? {}).flat()) routes.delete(gone.nlri)
      for (const family of Object.values(update?.announce ?? {})) {
        for (const [nextHop, prefixes] of Object.entries(family)) {
          for (const { nlri } of prefixes) routes.set(nlri, { nextHop, attributes: update?.attribute ?? {} })
        }
      }
    }
    return { up, routes }
  }
  const command = (line: string): void => appendFileSync(files.commands, `${line}\n`)
  return {
    command,
    announce: (route) => command(`announce route ${routeWords(route)}`),
    withdraw: (prefix, nextHop) => command(`withdraw route ${prefix} next-hop ${nextHop}`),
    established: () => table().up,
    learned: (family) => [...table().routes.keys()].filter((prefix) => familyOf(prefix) === family).sort(),
    heard: (prefix) => table().routes.get(prefix),
    events,
    log: () => exabgp.log(),
    stop: () => exabgp.stop(),
  }
}
