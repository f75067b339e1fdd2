/**
 * What does a routed network cost Docker's users? From `docker run` to the first packet of the container at a machine
 * outside, beside Docker's bridge, one by one and ten at once; then throughput and round trips between containers of two
 * hosts beside plain routes, a published port on the bridge, and VXLAN. All take turns in one run.
 */
import path from 'node:path'
import {
  type DockerHost,
  Lab,
  type LabProcess,
  type Place,
  buildCluster,
  busybox,
  dockerFlags,
  rack,
  startDocker,
  until,
} from '@network/test/lab'
import { type Path, containerPaths, plainPaths, publishedPorts } from './docker/paths.ts'
import { debianVersion } from './node/inside.ts'
import { Series, type Timings, markdown, quantile, surroundings } from './node/timings.ts'

const oneByOne = 15
const atOnce = 10
const atOnceRounds = 3
const pathRounds = 7
const seconds = 1
const roundTrips = 2_500
const arrivalPort = 9000
const networks = { bridge: "Docker's bridge", web: 'drover' }
const [throughputPort, echoPort] = publishedPorts

interface Outcome {
  readonly starts: Readonly<Record<string, { single: Timings; many: Timings }>>
  readonly paths: readonly {
    name: string
    /** Of the round in the middle, and of the best: the one that other programs disturbed least. */
    bitsPerSecond: { p50: number; greatest: number }
    p50: number
    p99: number
  }[]
}

function inside(place: Place, label: string, [first = '', ...rest]: readonly string[]): LabProcess {
  return place.start(label, first, rest)
}

function program(
  place: Place,
  label: string,
  file: string,
  before: readonly string[],
  ...args: string[]
): LabProcess {
  return inside(place, label, [...before, process.execPath, ...words(file), ...args])
}

function words(file: string): string[] {
  return [`--import=${import.meta.resolve('tsx')}`, path.join(import.meta.dirname, 'docker', file)]
}

/** ms from the call of `docker run` until the container's first connection arrives outside, for each at once. */
async function starts(
  host: DockerHost,
  network: string,
  count: number,
  outside: LabProcess,
  round: string,
): Promise<number[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const mark = `${network}-${round}-${String(index)}`
      const say = `echo ${mark} | nc -w 5 ${rack.outside.ipv4} ${String(arrivalPort)}`
      const began = performance.timeOrigin + performance.now()
      await host.docker('run', '--rm', '--network', network, busybox, 'sh', '-c', say)
      const arrived = await until(`${mark} arrives`, () =>
        outside
          .log()
          .split('\n')
          .find((line) => line.startsWith(`${mark} `)),
      )
      return Number(arrived.split(' ')[1]) - began
    }),
  )
}

async function measureStarts(host: DockerHost, outside: LabProcess): Promise<Outcome['starts']> {
  const series = Object.keys(networks).map((network) => ({
    network,
    single: new Series(),
    many: new Series(),
  }))
  for (const { network } of series) await starts(host, network, 1, outside, 'warm')
  for (let round = 0; round < oneByOne; round++) {
    for (const { network, single } of series) {
      for (const ms of await starts(host, network, 1, outside, `one${String(round)}`)) single.add(ms)
    }
  }
  for (let round = 0; round < atOnceRounds; round++) {
    for (const { network, many } of series) {
      for (const ms of await starts(host, network, atOnce, outside, `many${String(round)}`)) many.add(ms)
    }
  }
  return Object.fromEntries(
    series.map(({ network, single, many }) => [network, { single: single.timings(), many: many.timings() }]),
  )
}

async function measurePaths(paths: readonly Path[]): Promise<Outcome['paths']> {
  const measured = paths.map((each) => ({ path: each, rates: [] as number[], trips: [] as number[] }))
  for (const [index, { server, serverPlace, name }] of paths.entries()) {
    const label = `server${String(index)}`
    inside(serverPlace, `iperf-${label}`, [...server, 'iperf3', '-s', '-p', String(throughputPort)])
    const echo = program(serverPlace, `echo-${label}`, 'echo.ts', server, 'serve', '', String(echoPort))
    await until(`the server of '${name}' listens`, () => echo.log().includes('listening'))
  }
  for (let round = 0; round < pathRounds; round++) {
    for (const { path: each, rates, trips } of measured) {
      const run = async (...command: string[]): Promise<string> => {
        const [first = '', ...rest] = [...each.client, ...command]
        return (await each.clientPlace.run(first, rest)).stdout
      }
      const client = ['-c', each.address, '-p', String(throughputPort), '-t', String(seconds), '-J']
      const { end } = JSON.parse(await run('iperf3', ...client)) as {
        end: { sum_received: { bits_per_second: number } }
      }
      rates.push(end.sum_received.bits_per_second)
      const ask = ['ask', each.address, String(echoPort), String(roundTrips)]
      trips.push(...(JSON.parse(await run(process.execPath, ...words('echo.ts'), ...ask)) as number[]))
    }
  }
  const ascending = (list: readonly number[]): Timings => ({
    samples: [...list].sort((a, b) => a - b),
    wallMs: 0,
  })
  return measured.map(({ path: { name }, rates, trips }) => ({
    name,
    bitsPerSecond: { p50: quantile(ascending(rates), 0.5), greatest: quantile(ascending(rates), 1) },
    p50: quantile(ascending(trips), 0.5),
    p99: quantile(ascending(trips), 0.99),
  }))
}

async function measure(): Promise<Outcome> {
  const lab = new Lab('bench-docker')
  const hosts: DockerHost[] = []
  try {
    const cluster = await buildCluster(lab, { nodes: 2, agentFlags: (node) => dockerFlags(lab, node) })
    for (const { place } of cluster.nodes) hosts.push(await startDocker(lab, place))
    const [a, b] = hosts
    if (a === undefined || b === undefined) throw new Error('the cluster has no two nodes')
    const subnet = ['--subnet', '10.40.0.0/16']
    await a.docker('network', 'create', '-d', 'drover', '--ipam-driver', 'drover', ...subnet, 'web')
    await until('the network is known on the other host', async () =>
      (await b.docker('network', 'ls', '--format', '{{.Name}}')).split('\n').includes('web'),
    )
    const arrivals = program(cluster.outside, 'arrivals', 'arrivals.ts', [], String(arrivalPort))
    await until('the machine outside listens', () => arrivals.log().includes('listening'))
    const started = await measureStarts(a, arrivals)
    const plain = await plainPaths(lab, cluster.switch)
    const paths = await measurePaths([...plain, ...(await containerPaths(a, b, 2))])
    for (const host of hosts) await host.attempt('rm', '-f', 'routed', 'bridged')
    return { starts: started, paths }
  } finally {
    for (const host of hosts) await host.stop()
    lab.destroy()
  }
}

console.log(surroundings())
const { starts: started, paths } = await measure()
const reference = started['bridge']
if (reference === undefined) throw new Error('nothing was measured of the bridge')
const row = (network: string, title: string, which: 'single' | 'many'): string[] => {
  const own = started[network]?.[which] ?? reference[which]
  const relative = quantile(own, 0.5) / quantile(reference[which], 0.5)
  return [title, quantile(own, 0.5).toFixed(0), quantile(own, 0.99).toFixed(0), relative.toFixed(2)]
}
const head = ['', 'p50 ms', 'greatest ms', '× bridge']
const titles = Object.entries(networks)
console.log(`\n### docker run until the first packet, docker.io ${await debianVersion('docker.io')}\n`)
console.log(
  markdown(head, [
    ...titles.map(([network, title]) => row(network, `${title}: one by one`, 'single')),
    ...titles.map(([network, title]) => row(network, `${title}: ten at once`, 'many')),
  ]),
)
const [plain] = paths
console.log('\n### Between two hosts\n')
console.log(
  markdown(
    ['', 'Gbit/s p50', 'greatest', '× routes', 'round trip p50 µs', 'p99 µs', '× routes'],
    paths.map(({ name, bitsPerSecond, p50, p99 }) => [
      name,
      (bitsPerSecond.p50 / 1e9).toFixed(2),
      (bitsPerSecond.greatest / 1e9).toFixed(2),
      (bitsPerSecond.greatest / (plain?.bitsPerSecond.greatest ?? Number.NaN)).toFixed(2),
      p50.toFixed(0),
      p99.toFixed(0),
      (p50 / (plain?.p50 ?? Number.NaN)).toFixed(2),
    ]),
  ),
)
console.log(surroundings())
