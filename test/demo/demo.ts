/**
 * `npm run demo`: a rack on this machine, shown to a person. Three nodes as network namespaces with real agents, etcd, a BIRD
 * switch and a machine outside; two workloads on each node; a picture; a ping from each to each. It stays until Ctrl-C, or
 * ends by itself with `--once`: exit status 0 if every ping was answered.
 */
import type { BgpPeerReport, NodeReport } from '@network/agent/client'
import {
  type Cluster,
  type LabNode,
  Lab,
  type Place,
  type Workload,
  buildCluster,
  droverProgram,
  rack,
  reaches,
  until,
} from '../lab/index.ts'
import { type PicturedNode, drawCluster } from './picture.ts'

const once = process.argv.includes('--once')
const terminal = process.stdout.isTTY
const started = performance.now()

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function paint(code: number, text: string): string {
  return terminal ? `\u001b[${String(code)}m${text}\u001b[0m` : text
}

let step: { text: string; since: number } | undefined

/** Says that the step before is done and which one begins. */
function progress(text: string | undefined): void {
  const now = performance.now()
  if (step !== undefined) {
    const seconds = ((now - step.since) / 1000).toFixed(1)
    say(`${terminal ? '\r' : ''}${paint(32, '✓')} ${step.text} ${paint(2, `(${seconds} s)`)}`)
  }
  step = text === undefined ? undefined : { text, since: now }
  if (terminal && text !== undefined) process.stdout.write(`  ${text} …`)
}

interface Status {
  node: NodeReport
  peers: BgpPeerReport[]
}

async function statusOf(node: LabNode): Promise<Status> {
  return JSON.parse(await node.drover('node', 'status', '-o', 'json')) as Status
}

async function pictured(cluster: Cluster, workloads: readonly Workload[]): Promise<string> {
  const nodes = await Promise.all(
    cluster.nodes.map(async (node): Promise<PicturedNode> => {
      const status = await statusOf(node)
      return {
        name: node.name,
        address: rack.ipv4.address(node.number),
        asNumber: status.node.asNumber,
        sessions: {
          up: status.peers.filter((peer) => peer.state === 'Established').length,
          all: status.peers.length,
        },
        blocks: status.node.blocks.map((block) => block.cidr),
        clusterRoutes: status.node.routes.cluster,
        workloads: workloads
          .filter((workload) => workload.name.startsWith(`${node.name}-`))
          .map(({ name, addresses }) => ({ name: name.slice(node.name.length + 1), addresses })),
      }
    }),
  )
  return drawCluster(
    {
      outside: [rack.outside.ipv4, rack.outside.ipv6],
      switchAs: rack.switchAs,
      learned: await cluster.switch.learned(),
      nodes,
    },
    process.stdout.columns || 110,
  )
}

interface Probe {
  from: string
  place: Place
  to: string
  address: string
}

async function pingAll(cluster: Cluster, workloads: readonly Workload[]): Promise<string[]> {
  const sources = [
    ...workloads.map(({ name, place }) => ({ name, place })),
    { name: 'outside', place: cluster.outside },
  ]
  const probes = sources.flatMap((from): Probe[] =>
    workloads
      .filter((to) => to.name !== from.name)
      .flatMap((to) =>
        to.addresses.map((address) => ({ from: from.name, place: from.place, to: to.name, address })),
      ),
  )
  const lost: string[] = []
  let answered = 0
  const queue = [...probes]
  const worker = async (): Promise<void> => {
    for (let probe = queue.shift(); probe !== undefined; probe = queue.shift()) {
      if (await reaches(probe.place, probe.address)) answered++
      else lost.push(`${probe.from} → ${probe.to} (${probe.address})`)
    }
  }
  await Promise.all([worker(), worker(), worker(), worker()])
  say(
    `  ${String(answered)} of ${String(probes.length)} pings answered, over IPv4 and IPv6, from every workload and from outside`,
  )
  return lost
}

function whatNext(cluster: Cluster, workloads: readonly Workload[]): string {
  const [node] = cluster.nodes
  const inside = `nsenter --net=${node?.place.netns ?? ''} --mount=${cluster.lab.folder}/node1/ns/mnt --`
  const first = workloads[0]
  const far = workloads.at(-1)
  return `
What you can try from another terminal:

  ${paint(2, '# what the first node says of itself')}
  ${inside} node ${droverProgram} node status
  ${paint(2, '# the routes that it has programmed')}
  ${inside} ip route show proto 98
  ${paint(2, '# who holds which address')}
  ${inside} node ${droverProgram} ipam show --blocks --etcd-endpoints ${cluster.etcd.endpoint}
  ${paint(2, "# a packet's way from one node's workload to another's")}
  nsenter --net=${first?.place.netns ?? ''} ping ${far?.addresses[0] ?? ''}
  ${paint(2, '# what the switch has learned')}
  nsenter --net=${cluster.switch.place.netns} birdc -s ${cluster.lab.folder}/bird/bird.ctl show route
`
}

const lab = new Lab('demo')
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    say('\nTaking everything down …')
    lab.destroy()
    process.exit(signal === 'SIGINT' && exitCode === 0 ? 0 : 1)
  })
}
let exitCode = 0

try {
  say('Three nodes, one rack switch: every workload gets a routable address.\n')
  const cluster = await buildCluster(lab, { progress })
  const workloads: Workload[] = []
  for (const node of cluster.nodes) {
    progress(`${node.name}: two workloads`)
    for (const name of ['web', 'db']) workloads.push(await node.attach(`${node.name}-${name}`))
  }
  progress('routes reach the switch and the other nodes')
  await until(
    'every node has a session with every other and with the switch',
    async () => {
      const peers = (await Promise.all(cluster.nodes.map(statusOf))).flatMap((status) => status.peers)
      return peers.length > 0 && peers.every((peer) => peer.state === 'Established')
    },
    { timeoutMs: 30_000 },
  )
  await until(
    'every workload reaches the last one',
    async () => {
      const target = workloads.at(-1)?.addresses ?? []
      const answers = await Promise.all(
        [cluster.outside, ...workloads.slice(0, 1).map(({ place }) => place)].flatMap((place) =>
          target.map((address) => reaches(place, address, 1)),
        ),
      )
      return answers.every(Boolean)
    },
    { timeoutMs: 30_000 },
  )
  progress(undefined)
  say(`\n${await pictured(cluster, workloads)}`)
  progress('a ping from each to each')
  const lost = await pingAll(cluster, workloads)
  progress(undefined)
  if (lost.length > 0) {
    exitCode = 1
    say(`${paint(31, 'Not answered:')}\n${lost.map((line) => `  ${line}`).join('\n')}`)
  }
  say(`\nReady after ${((performance.now() - started) / 1000).toFixed(1)} s.`)
  if (once) {
    lab.destroy()
    process.exit(exitCode)
  }
  say(whatNext(cluster, workloads))
  say('Ctrl-C takes it all down.')
} catch (error) {
  process.stderr.write(`\nerror: ${error instanceof Error ? error.message : String(error)}\n`)
  lab.destroy()
  process.exit(1)
}
