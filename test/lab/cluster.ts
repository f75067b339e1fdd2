/**
 * A whole cluster in a lab: the switch with BIRD and the machine outside, a host with etcd, and nodes with agents that are
 * started as in production: the bundled program, its flags, its own folders.
 */
import { existsSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import type { AttachResult, DetachResult } from '@network/agent/client'
import { type Lab, type LabProcess, type Output, type Place, until } from './lab.ts'
import { type Switch, buildSwitch, rack } from './switch.ts'

/** The bundled program; `npm run build` makes it. Absolute: a lab host's programs start in its own root folder. */
export const droverProgram = path.resolve(import.meta.dirname, '..', '..', 'dist', 'drover.js')
const etcdNumber = 250

/** etcd on its own host of the rack. */
export interface LabEtcd {
  readonly place: Place
  readonly endpoint: string
  start(): Promise<void>
  /** Ends it; its data stays for the next start. */
  stop(signal?: NodeJS.Signals): Promise<void>
  ctl(...words: string[]): Promise<string>
}

export interface Workload {
  readonly name: string
  readonly place: Place
  readonly addresses: string[]
  readonly result: AttachResult
}

/** A node of the rack and its agent. */
export interface LabNode {
  readonly name: string
  readonly number: number
  readonly place: Place
  /** The running agent; replaced at each start. */
  agent(): LabProcess
  startAgent(options?: AgentStart): Promise<void>
  /** The command line on this node; rejects when it exits other than 0. */
  drover(...words: string[]): Promise<string>
  attempt(words: readonly string[], options?: { input?: string; timeoutMs?: number }): Promise<Output>
  /** A new namespace, attached by the agent. */
  attach(workload: string, ...words: string[]): Promise<Workload>
  detach(workload: string, ...words: string[]): Promise<DetachResult>
}

export interface AgentStart {
  /** Further flags. */
  flags?: readonly string[]
  /** Wait until the agent says it is ready; default true. */
  ready?: boolean
}

export interface Cluster {
  readonly lab: Lab
  readonly switch: Switch
  readonly outside: Place
  readonly etcd: LabEtcd
  readonly nodes: readonly LabNode[]
  /** Writes resources from YAML, by the command line of the first node. */
  apply(yaml: string): Promise<void>
}

export interface ClusterOptions {
  nodes?: number
  ipv4Pool?: string
  ipv6Pool?: string
  /** Nodes get a default route by the switch; default true. */
  defaultRoute?: boolean
  /** Further flags of every agent, at each of its starts. */
  agentFlags?: (node: string) => readonly string[]
  /** Told what is being done, for people who wait. */
  progress?: (step: string) => void
}

/** The pools and the session with the switch that every lab cluster begins with. */
export function clusterResources(options: ClusterOptions): string {
  const pool = (name: string, cidr: string): string => `
apiVersion: drover.network/v1
kind: IPPool
metadata: { name: ${name} }
spec: { cidr: ${cidr} }
---`
  const peer = (name: string, address: string): string => `
apiVersion: drover.network/v1
kind: BGPPeer
metadata: { name: ${name} }
spec: { peerIP: "${address}", asNumber: ${String(rack.switchAs)}, nodeSelector: all() }
---`
  return [
    pool('containers-ipv4', options.ipv4Pool ?? '10.65.0.0/16'),
    pool('containers-ipv6', options.ipv6Pool ?? 'fd65::/48'),
    peer('switch-ipv4', rack.ipv4.gateway),
    peer('switch-ipv6', rack.ipv6.gateway),
  ].join('')
}

/** Starts etcd on a host of its own. */
export async function startEtcd(lab: Lab, wire: Switch): Promise<LabEtcd> {
  const place = await lab.namespace('etcd')
  await wire.plug(place, etcdNumber)
  const endpoint = `http://${rack.ipv4.address(etcdNumber)}:2379`
  const data = path.join(lab.folder, 'etcd-data')
  let running: LabProcess | undefined
  const ctl = async (...words: string[]): Promise<string> =>
    (await place.run('etcdctl', ['--endpoints', endpoint, ...words], { env: { ETCDCTL_API: '3' } })).stdout
  const etcd: LabEtcd = {
    place,
    endpoint,
    ctl,
    start: async () => {
      mkdirSync(data, { recursive: true, mode: 0o700 })
      running = place.start('etcd', 'etcd', [
        '--data-dir',
        data,
        '--listen-client-urls',
        'http://0.0.0.0:2379',
        '--advertise-client-urls',
        endpoint,
        '--listen-peer-urls',
        'http://127.0.0.1:2380',
        '--log-level',
        'warn',
      ])
      await until('etcd answers', async () => {
        const health = await place.attempt('etcdctl', ['--endpoints', endpoint, 'endpoint', 'health'], {
          env: { ETCDCTL_API: '3' },
        })
        return health.exitCode === 0
      })
    },
    stop: async (signal = 'SIGTERM') => {
      running?.signal(signal)
      await running?.ended
    },
  }
  await etcd.start()
  return etcd
}

/** Builds the cluster; its agents are running and ready. `npm run build` must have made the program. */
export async function buildCluster(lab: Lab, options: ClusterOptions = {}): Promise<Cluster> {
  if (!existsSync(droverProgram)) throw new Error('dist/drover.js is missing: npm run build makes it.')
  const progress = options.progress ?? (() => undefined)
  progress('the wire, a BIRD switch and a machine outside')
  const { switch: wire, outside } = await buildSwitch(lab)
  progress('etcd')
  const etcd = await startEtcd(lab, wire)
  const nodes: LabNode[] = []
  for (let number = 1; number <= (options.nodes ?? 3); number++) {
    progress(`node${String(number)}: a host on the wire`)
    nodes.push(await buildNode(lab, wire, etcd, number, options))
  }
  const apply = async (yaml: string): Promise<void> => {
    const done = await nodes[0]?.attempt(['apply', '-f', '-'], { input: yaml })
    if (done?.exitCode !== 0) throw new Error(`apply failed: ${done?.stderr ?? 'there is no node'}`)
  }
  progress('address pools and the sessions with the switch')
  await apply(clusterResources(options))
  progress('agents')
  await Promise.all(nodes.map((node) => node.startAgent()))
  return { lab, switch: wire, outside, etcd, nodes, apply }
}

async function buildNode(
  lab: Lab,
  wire: Switch,
  etcd: LabEtcd,
  number: number,
  { defaultRoute = true, agentFlags = () => [] }: ClusterOptions,
): Promise<LabNode> {
  const name = `node${String(number)}`
  const place = await lab.host(name)
  await wire.plug(place, number, { defaultRoute })
  const env = { DROVER_ETCD_ENDPOINTS: etcd.endpoint, DROVER_NODE_NAME: name }
  const workloads = new Map<string, Place>()
  let agent: LabProcess | undefined

  const attempt: LabNode['attempt'] = (words, attemptOptions) =>
    place.attempt(process.execPath, [droverProgram, ...words], { ...attemptOptions, env })
  const drover = async (...words: string[]): Promise<string> => {
    const done = await attempt(words, { timeoutMs: 90_000 })
    if (done.exitCode !== 0)
      throw new Error(`on ${name}: drover ${words.join(' ')}: ${done.stderr || done.stdout}`)
    return done.stdout
  }
  const namespaceOf = async (workload: string): Promise<Place> => {
    const known = workloads.get(workload)
    if (known !== undefined) return known
    const made = await lab.namespace(`${name}-${workload}`)
    workloads.set(workload, made)
    return made
  }

  return {
    name,
    number,
    place,
    attempt,
    drover,
    agent: () => {
      if (agent === undefined) throw new Error(`the agent of ${name} was never started`)
      return agent
    },
    startAgent: async (start = {}) => {
      const started = place.start(
        'agent',
        process.execPath,
        [droverProgram, 'agent', ...agentFlags(name), ...(start.flags ?? [])],
        {
          env,
        },
      )
      agent = started
      if (start.ready === false) return
      await until(
        `the agent of ${name} is ready`,
        async () => {
          if (!started.running()) throw new Error(`the agent of ${name} ended: ${started.log().slice(-2000)}`)
          return (await attempt(['node', 'status', '-o', 'json'])).exitCode === 0
        },
        { timeoutMs: 30_000, intervalMs: 250 },
      )
    },
    attach: async (workload, ...words) => {
      const namespace = await namespaceOf(workload)
      const patience = words.includes('--timeout') ? [] : ['--timeout', '60']
      const target = ['--netns', namespace.netns, '--id', workload]
      const text = await drover('attach', ...target, '-o', 'json', ...patience, ...words)
      const result = JSON.parse(text) as AttachResult
      const addresses = result.addresses.map((each) => each.address.replace(/\/\d+$/, ''))
      return { name: workload, place: namespace, addresses, result }
    },
    detach: async (workload, ...words) => {
      const namespace = workloads.get(workload)
      const where = namespace === undefined ? [] : ['--netns', namespace.netns]
      return JSON.parse(
        await drover('detach', ...where, '--id', workload, '-o', 'json', ...words),
      ) as DetachResult
    },
  }
}
