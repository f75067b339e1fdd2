/*
 * BIRD 2 in a namespace: its configuration from plain data, its life, and its client.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Family } from '@network/net'
import { type Place, until } from '../../lab/index.ts'
import { requireProgram } from './program.ts'
import { type PeerRoute, familyOf } from './route.ts'
import { type PeerSession } from './session.ts'

export interface BirdSession extends PeerSession {
  readonly name: string
  readonly local: string
  readonly neighbor: string
  readonly neighborAs: number
  readonly routeReflectorClient?: boolean
  /** Port that BIRD dials; it listens on 179. */
  readonly neighborPort?: number
  /** Further lines for the protocol, as BIRD has them. */
  readonly extra?: readonly string[]
  /** Further lines for each channel. */
  readonly channelExtra?: readonly string[]
}

export interface BirdOptions {
  readonly asn: number
  readonly routerId: string
  readonly sessions: readonly BirdSession[]
  /** Originated as blackholes and exported to every session. */
  readonly routes?: readonly (string | PeerRoute)[]
  /** Put BGP routes into the kernel. */
  readonly kernel?: boolean
}

export interface BirdProtocol {
  readonly state: string
  readonly info: string
  /** Lines of `show protocols all`. */
  readonly text: string
}

export interface Bird {
  /** Runs a command of BIRD's client and gives its output. */
  birdc(...words: readonly string[]): Promise<string>
  protocol(name: string): Promise<BirdProtocol>
  established(name: string): Promise<boolean>
  /** Prefixes that a session has brought. */
  learned(name: string): Promise<readonly string[]>
  /** One prefix with all that BIRD knows of it. */
  route(prefix: string): Promise<string>
  /** Ends BIRD as asked and, once `whileDown` is over, starts it again; after SIGKILL it recovers as a restarting speaker does. */
  restart(signal?: NodeJS.Signals, whileDown?: () => Promise<void>): Promise<void>
  configure(options: BirdOptions): Promise<void>
  log(): string
  stop(): Promise<void>
}

export function birdConfiguration(options: BirdOptions): string {
  const statics = (family: Family): string =>
    (options.routes ?? [])
      .map((route) => (typeof route === 'string' ? { prefix: route } : route))
      .filter(({ prefix }) => familyOf(prefix) === family)
      .map(staticRoute)
      .join(' ')
  const kernel = (family: Family): string =>
    `protocol kernel kernel_${family} { ${family} { export where source = RTS_BGP; import none; }; merge paths on; persist; graceful restart on; }`
  return [
    'log stderr all;',
    'debug protocols { states, events };',
    `router id ${options.routerId};`,
    'protocol device { scan time 1; }',
    'protocol direct { ipv4; ipv6; }',
    ...(options.kernel === true ? [kernel('ipv4'), kernel('ipv6')] : []),
    `protocol static own4 { ipv4; ${statics('ipv4')} }`,
    `protocol static own6 { ipv6; ${statics('ipv6')} }`,
    ...options.sessions.map((session) => protocol(options.asn, session)),
    '',
  ].join('\n')
}

function staticRoute({ prefix, communities = [], largeCommunities = [] }: PeerRoute): string {
  const set = [
    ...communities.map((community) => `bgp_community.add((${community.replaceAll(':', ', ')}));`),
    ...largeCommunities.map((community) => `bgp_large_community.add((${community.replaceAll(':', ', ')}));`),
  ]
  return `route ${prefix} blackhole${set.length === 0 ? '' : ` { ${set.join(' ')} }`};`
}

function protocol(asn: number, session: BirdSession): string {
  const channels = session.families.map((family) =>
    [
      `  ${family} { import all; export where source ~ [ RTS_STATIC, RTS_BGP ];`,
      ...(session.channelExtra ?? []),
      '};',
    ].join(' '),
  )
  const internal = session.neighborAs === asn
  return [
    `protocol bgp ${session.name} {`,
    `  local ${session.local} as ${String(asn)};`,
    `  neighbor ${session.neighbor}${session.neighborPort === undefined ? '' : ` port ${String(session.neighborPort)}`} as ${String(session.neighborAs)};`,
    ...(internal && session.routeReflectorClient === true ? ['  rr client;'] : []),
    ...(session.password === undefined ? [] : [`  password "${session.password}";`]),
    ...(session.passive === true ? ['  passive;'] : []),
    ...(session.ttlSecurity === true ? ['  ttl security on;'] : []),
    `  hold time ${String(session.holdTimeSeconds ?? 90)};`,
    '  connect delay time 1; connect retry time 2; error wait time 1, 4;',
    '  graceful restart on;',
    ...(session.extra ?? []).map((line) => `  ${line}`),
    ...channels,
    '}',
  ].join('\n')
}

/** Starts BIRD in a place; resolves when its client answers. `folder` keeps its files and is the caller's to remove. */
export async function startBird(place: Place, folder: string, options: BirdOptions): Promise<Bird> {
  requireProgram('bird', 'bird2')
  mkdirSync(folder, { recursive: true })
  const files = {
    conf: path.join(folder, 'bird.conf'),
    control: path.join(folder, 'bird.ctl'),
    pid: path.join(folder, 'bird.pid'),
  }
  writeFileSync(files.conf, birdConfiguration(options))
  const birdc = async (...words: readonly string[]): Promise<string> =>
    (await place.attempt('birdc', ['-s', files.control, ...words])).stdout
  const launch = async (recover: boolean): Promise<ReturnType<Place['start']>> => {
    const args = ['-f', '-c', files.conf, '-s', files.control, '-P', files.pid, ...(recover ? ['-R'] : [])]
    const started = place.start('bird', 'bird', args)
    await until('BIRD answers', async () => {
      if (!started.running()) throw new Error(`BIRD did not start: ${started.log()}`)
      return (await birdc('show', 'status')).includes('Daemon is up')
    })
    return started
  }
  let bird = await launch(false)
  const protocolOf = async (name: string): Promise<BirdProtocol> => {
    const text = await birdc('show', 'protocols', 'all', name)
    return {
      state: /BGP state:\s+(\S+)/.exec(text)?.[1] ?? 'unknown',
      info: new RegExp(`^${name}\\s+BGP\\s+\\S+\\s+\\S+\\s+\\S+\\s*(.*)$`, 'm').exec(text)?.[1] ?? '',
      text,
    }
  }
  return {
    birdc,
    protocol: protocolOf,
    established: async (name) => (await protocolOf(name)).state === 'Established',
    learned: async (name) => {
      const text = await birdc('show', 'route', 'protocol', name)
      return [...text.matchAll(/^(\S+\/\d+)\s/gm)].map((match) => match[1] ?? '').sort()
    },
    route: (prefix) => birdc('show', 'route', 'for', prefix, 'all'),
    restart: async (signal = 'SIGKILL', whileDown) => {
      bird.signal(signal)
      await bird.ended
      await whileDown?.()
      bird = await launch(true)
    },
    configure: async (changed) => {
      writeFileSync(files.conf, birdConfiguration(changed))
      const answer = await birdc('configure')
      if (!/Reconfigur/.test(answer)) throw new Error(`BIRD refuses its configuration: ${answer}`)
    },
    log: () => bird.log(),
    stop: () => bird.stop(),
  }
}
