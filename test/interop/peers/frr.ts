/*
 * FRR's bgpd (with zebra, which tells it of interfaces) in a namespace: configuration from plain data, life, client.
 */
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Family } from '@network/net'
import { execa } from 'execa'
import { type LabProcess, type Place, until } from '../../lab/index.ts'
import { requireProgram } from './program.ts'
import { familyOf } from './route.ts'
import { type PeerNeighbor } from './session.ts'

export interface FrrNeighbor extends PeerNeighbor {
  readonly routeReflectorClient?: boolean
  readonly port?: number
  /** Further lines for the neighbour: `description a peer`. */
  readonly extra?: readonly string[]
  /** Further lines in each address family: `addpath-tx-all-paths`. */
  readonly familyExtra?: readonly string[]
}

export interface FrrOptions {
  readonly asn: number
  readonly routerId: string
  readonly neighbors: readonly FrrNeighbor[]
  readonly routes?: readonly string[]
  readonly extra?: readonly string[]
  /** Put BGP routes into the kernel. */
  readonly kernel?: boolean
}

export interface FrrNeighborState {
  readonly state: string
  readonly text: string
}

export interface Frr {
  /** Runs a command of bgpd. */
  vtysh(command: string): Promise<string>
  neighbor(address: string): Promise<FrrNeighborState>
  established(address: string): Promise<boolean>
  /** Prefixes of a family that bgpd has learned from a neighbour. */
  learned(address: string, family: Family): Promise<readonly string[]>
  route(prefix: string): Promise<string>
  /** Commands of the configuration, from its top. */
  configure(...lines: readonly string[]): Promise<void>
  /** Ends bgpd, zebra stays, and starts it again as a restarting speaker, once `whileDown` is over. */
  restart(signal?: NodeJS.Signals, whileDown?: () => Promise<void>): Promise<void>
  log(): string
  stop(): Promise<void>
}

export function frrConfiguration(options: FrrOptions): string {
  const family = (name: Family): readonly string[] => [
    ` address-family ${name} unicast`,
    ...(options.routes ?? [])
      .filter((prefix) => familyOf(prefix) === name)
      .map((prefix) => `  network ${prefix}`),
    ...options.neighbors.flatMap((neighbor) =>
      neighbor.families.includes(name)
        ? [
            `  neighbor ${neighbor.address} activate`,
            ...(neighbor.routeReflectorClient === true
              ? [`  neighbor ${neighbor.address} route-reflector-client`]
              : []),
            ...(neighbor.familyExtra ?? []).map((line) => `  neighbor ${neighbor.address} ${line}`),
          ]
        : [`  no neighbor ${neighbor.address} activate`],
    ),
    ' exit-address-family',
  ]
  return [
    'log stdout debugging',
    'debug bgp neighbor-events',
    `router bgp ${String(options.asn)}`,
    ` bgp router-id ${options.routerId}`,
    ' no bgp ebgp-requires-policy',
    ' no bgp network import-check',
    ' no bgp default ipv4-unicast',
    ' bgp graceful-restart',
    ...(options.extra ?? []).map((line) => ` ${line}`),
    ...options.neighbors.flatMap((neighbor) =>
      neighborLines(neighbor).map((line) => ` neighbor ${neighbor.address} ${line}`),
    ),
    ...family('ipv4'),
    ...family('ipv6'),
    '',
  ].join('\n')
}

function neighborLines(neighbor: FrrNeighbor): readonly string[] {
  const { asn, password, passive, port, ttlSecurity, holdTimeSeconds, extra = [] } = neighbor
  return [
    `remote-as ${String(asn)}`,
    'timers connect 2',
    ...(password === undefined ? [] : [`password ${password}`]),
    ...(passive === true ? ['passive'] : []),
    ...(port === undefined ? [] : [`port ${String(port)}`]),
    ...(ttlSecurity === true ? ['ttl-security hops 1'] : []),
    ...(holdTimeSeconds === undefined ? [] : [`timers 1 ${String(holdTimeSeconds)}`]),
    ...extra,
  ]
}

/** Starts zebra and bgpd in a place; resolves when bgpd answers. `folder` keeps their files; all above it must be open to user frr. */
export async function startFrr(place: Place, folder: string, options: FrrOptions): Promise<Frr> {
  const bgpdProgram = requireProgram('/usr/lib/frr/bgpd', 'frr')
  const zebraProgram = requireProgram('/usr/lib/frr/zebra', 'frr')
  requireProgram('vtysh', 'frr')
  mkdirSync(folder, { recursive: true })
  const uid = Number((await execa('id', ['-u', 'frr'])).stdout)
  const gid = Number((await execa('id', ['-g', 'frr'])).stdout)
  chownSync(folder, uid, gid)
  chmodSync(folder, 0o755)
  const own = (name: string, text: string): string => {
    const file = path.join(folder, name)
    writeFileSync(file, text)
    chownSync(file, uid, gid)
    return file
  }
  const socket = path.join(folder, 'zserv.api')
  const bgpdConfig = own('bgpd.conf', frrConfiguration(options))
  const zebraConfig = own('zebra.conf', 'log stdout\n')
  own('vtysh.conf', 'no service integrated-vtysh-config\n')
  const daemon = (name: string, program: string, args: readonly string[]): LabProcess =>
    place.start(name, program, [
      '-i',
      path.join(folder, `${name}.pid`),
      '-z',
      socket,
      '--vty_socket',
      folder,
      '-A',
      '127.0.0.1',
      ...args,
    ])
  // Without it zebra takes an IPv6 route away before it puts its like there.
  const semantics = options.kernel === true ? ['--v6-rr-semantics'] : []
  const zebra = daemon('zebra', zebraProgram, ['-f', zebraConfig, ...semantics])
  const vtysh = async (command: string): Promise<string> =>
    (await place.attempt('vtysh', ['--vty_socket', folder, '--config_dir', folder, '-c', command])).stdout
  await until('zebra answers', async () => {
    if (!zebra.running()) throw new Error(`zebra did not start: ${zebra.log()}`)
    return (await vtysh('show interface brief')).includes('lo')
  })
  const launch = async (): Promise<LabProcess> => {
    const started = daemon('bgpd', bgpdProgram, [
      ...['-f', bgpdConfig, '-l', '0.0.0.0', '-l', '::'],
      ...(options.kernel === true ? [] : ['-n']),
    ])
    await until('bgpd answers', async () => {
      if (!started.running()) throw new Error(`bgpd did not start: ${started.log()}`)
      return (await vtysh('show bgp summary')).includes(options.routerId)
    })
    return started
  }
  let bgpd = await launch()
  const neighbor = async (address: string): Promise<FrrNeighborState> => {
    const text = await vtysh(`show bgp neighbors ${address}`)
    return { state: /BGP state = (\w+)/.exec(text)?.[1] ?? 'unknown', text }
  }
  return {
    vtysh,
    neighbor,
    established: async (address) => (await neighbor(address)).state === 'Established',
    learned: async (address, family) => {
      const text = await vtysh(`show bgp ${family} unicast neighbors ${address} routes json`)
      const parsed: unknown = JSON.parse(text === '' ? '{}' : text)
      const routes: unknown =
        typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, 'routes') : undefined
      return typeof routes === 'object' && routes !== null ? Object.keys(routes).sort() : []
    },
    route: (prefix) => vtysh(`show bgp ${familyOf(prefix)} unicast ${prefix}`),
    configure: async (...lines) => {
      const words = ['configure terminal', ...lines].flatMap((line) => ['-c', line])
      await place.run('vtysh', ['--vty_socket', folder, '--config_dir', folder, ...words])
    },
    restart: async (signal = 'SIGKILL', whileDown) => {
      bgpd.signal(signal)
      await bgpd.ended
      await whileDown?.()
      bgpd = await launch()
    },
    log: () => bgpd.log(),
    stop: async () => {
      await bgpd.stop()
      await zebra.stop()
    },
  }
}
