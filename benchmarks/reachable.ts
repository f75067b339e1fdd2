/**
 * How long after an attach on one node is called does the first packet from another node arrive? On three nodes, for
 * an address within a block that the node holds (its route is known everywhere), for the first address of a new
 * block, and for an address borrowed from a third node's block (both are announced by BGP first).
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { type AttachResult, createAgentClient } from '@network/agent/client'
import { Lab, type LabNode, buildCluster, until } from '@network/test/lab'
import { agentSocket, workloadNamespaces } from './node/inside.ts'
import { Series, type Timings, markdown, quantile, surroundings } from './node/timings.ts'

const attaches = 100
/** Namespaces that are used again and again, each detached before the next is attached. */
const workloads = 20
const targetMs = 150

/** A pool whose blocks are single addresses: every attach from it takes a new block. */
const resources = `
apiVersion: drover.network/v1
kind: IPPool
metadata: { name: single-addresses }
spec: { cidr: 10.66.0.0/22, blockSize: 32, assignmentMode: Manual }
`

interface Watcher {
  /** When a packet from there first arrived at the address, in ns of the machine's monotonic clock. */
  arrival(address: string): Promise<bigint>
  stop(): void
}

function watchFrom(node: LabNode): Watcher {
  const child: ChildProcessWithoutNullStreams = spawn(
    'nsenter',
    [
      `--net=${node.place.netns}`,
      '--',
      process.execPath,
      `--import=${import.meta.resolve('tsx')}`,
      path.join(import.meta.dirname, 'node', 'arrivals.ts'),
    ],
    { stdio: 'pipe' },
  )
  const waiting = new Map<string, (at: bigint) => void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [address = '', at = '0'] = line.split(' ')
    waiting.get(address)?.(BigInt(at))
    waiting.delete(address)
  })
  child.stderr.pipe(process.stderr)
  return {
    arrival: (address) =>
      new Promise((resolve) => {
        waiting.set(address, resolve)
        child.stdin.write(`${address}\n`)
      }),
    stop: () => child.kill(),
  }
}

interface Way {
  title: string
  /** What the attach asks for beside its namespace. */
  request: (index: number) => { addresses?: string[]; ipv4Pools?: string[] }
  /** Stays attached in a namespace of its own: a block that was given up would be taken again. */
  stays?: boolean
}

interface Row {
  title: string
  answered: Timings
  arrived: Timings
}

async function measure(): Promise<Row[]> {
  const lab = new Lab('bench-reach')
  const watchers: Watcher[] = []
  try {
    const cluster = await buildCluster(lab, { nodes: 3 })
    await cluster.apply(resources)
    const [here, there, third] = cluster.nodes
    if (here === undefined || there === undefined || third === undefined) throw new Error('three nodes')
    const namespaces = await workloadNamespaces(lab, 'w', workloads)
    const lasting = await workloadNamespaces(lab, 'l', attaches)
    const client = createAgentClient({ socketPath: agentSocket(lab, here) })
    const watcher = watchFrom(there)
    watchers.push(watcher)

    const attach = (netns: string, id: string, more: object): Promise<AttachResult> =>
      client.attach({
        netns,
        containerId: id,
        interfaceName: 'eth0',
        orchestrator: 'bench',
        workload: id,
        endpoint: 'eth0',
        families: ['ipv4'],
        ...more,
      })
    const addressOf = ({ addresses }: AttachResult): string => addresses[0]?.address.split('/')[0] ?? ''

    // A workload on the third node makes it hold a block, of which addresses are then borrowed.
    const lender = await third.attach('lender')
    const block = (lender.addresses.find((address) => !address.includes(':')) ?? '').split('.')
    const first = Number(block[3]) & 0xc0
    await until('sessions are up', async () => {
      const peers = await client.bgpPeers()
      return peers.length >= 6 && peers.every(({ state }) => state === 'Established')
    })

    const ways: Way[] = [
      { title: 'address of a held block', request: () => ({}) },
      {
        title: 'first address of a new block',
        request: () => ({ ipv4Pools: ['single-addresses'] }),
        stays: true,
      },
      {
        title: "address borrowed from another node's block",
        request: (index) => ({
          addresses: [[...block.slice(0, 3), String(first + 2 + (index % 60))].join('.')],
        }),
      },
    ]
    const series = ways.map(() => ({ answered: new Series(), arrived: new Series() }))
    for (let index = 0; index < attaches; index++) {
      for (const [number, way] of ways.entries()) {
        const netns = (way.stays === true ? lasting[index] : namespaces[index % workloads]) ?? ''
        const id = `w${String(number)}-${String(index)}`
        const begin = process.hrtime.bigint()
        const address = addressOf(await attach(netns, id, way.request(index)))
        series[number]?.answered.add(Number(process.hrtime.bigint() - begin) / 1e6)
        const at = await watcher.arrival(address)
        series[number]?.arrived.add(Number(at - begin) / 1e6)
        if (way.stays !== true) await client.detach({ containerId: id, interfaceName: 'eth0', netns })
      }
    }
    return ways.flatMap(({ title }, number) => {
      const of = series[number]
      return of === undefined
        ? []
        : [{ title, answered: of.answered.timings(), arrived: of.arrived.timings() }]
    })
  } finally {
    for (const watcher of watchers) watcher.stop()
    lab.destroy()
  }
}

const rows = await measure()
const ms = (timings: Timings, share: number): string => quantile(timings, share).toFixed(1)
console.log(surroundings())
console.log(
  `\n${markdown(
    ['', 'answered p50 ms', 'p99 ms', 'reachable p50 ms', 'p99 ms', 'greatest ms'],
    rows.map(({ title, answered, arrived }) => [
      title,
      ms(answered, 0.5),
      ms(answered, 0.99),
      ms(arrived, 0.5),
      ms(arrived, 0.99),
      ms(arrived, 1),
    ]),
  )}\n`,
)
const missed = rows.filter(({ arrived }) => quantile(arrived, 0.99) > targetMs)
console.log(
  missed.length === 0
    ? `target reached: p99 at most ${String(targetMs)} ms`
    : `target missed: p99 at most ${String(targetMs)} ms`,
)
if (missed.length > 0) process.exitCode = 1
