/**
 * What does one change cost calculation as the cluster grows? One node with 250 endpoints under 1,000 policies, in clusters
 * of 1,000, 10,000 and 100,000 endpoints: the time to take in everything, the memory that it keeps, and the time
 * from one update to what changed in the node's active policy. One process for each size.
 *
 *   node --expose-gc --import=tsx --conditions=@network/source benchmarks/policy/calc.ts
 */
import { spawnSync } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { type Calculator, createCalculator, type PolicyUpdate } from '@network/policy'
import { markdown, surroundings } from '../node/timings.ts'

const SIZES = [1_000, 10_000, 100_000] as const
const LOCAL = 250
const POLICIES = 1_000
const APPS = 500
const NAMESPACES = 50
const ROUNDS = 3_000
/** Before those that count: a function is compiled when it has run often. */
const WARM_UP = 600

interface Row {
  readonly endpoints: number
  readonly loadMs: number
  readonly heapMiB: number
  readonly sets: number
  /** Microseconds, by what changed. */
  readonly changes: Readonly<Record<string, { readonly p50: number; readonly p99: number }>>
}

const app = (number: number): string => `app-${String(number % APPS)}`

function endpoint(number: number, labels: Record<string, string> = {}): PolicyUpdate {
  const name = `w${String(number)}`
  const node = number < LOCAL ? 'here' : `node-${String(number % 400)}`
  return {
    kind: 'WorkloadEndpoint',
    name: `/drover/v1/endpoints/${node}/cni/${name}/eth0`,
    resource: {
      metadata: {
        name,
        labels: { app: app(number), pod: name, tier: number % 2 === 0 ? 'front' : 'back', ...labels },
      },
      spec: {
        node,
        orchestrator: 'cni',
        workload: name,
        endpoint: 'eth0',
        namespace: `ns-${String(number % NAMESPACES)}`,
        interfaceName: `drv${String(number)}`,
        ipNetworks: [`10.${String(number >> 16)}.${String((number >> 8) & 255)}.${String(number & 255)}/32`],
        profiles: [`kns.ns-${String(number % NAMESPACES)}`],
      },
    },
  }
}

function policy(number: number, port = 443): PolicyUpdate {
  const name = `p${String(number)}`
  const peers = [
    `app == '${app(number + 1)}' && tier == 'back'`,
    `app in {'${app(number + 2)}', '${app(number + 3)}'}`,
    number % 100 === 0 ? '!has(app)' : `app == '${app(number + 4)}'`,
  ]
  return {
    kind: 'GlobalNetworkPolicy',
    name,
    resource: {
      metadata: { name },
      spec: {
        tier: 'default',
        order: number,
        selector: `app == '${app(number)}'`,
        ingress: peers.map((selector) => ({
          action: 'Allow',
          protocol: 'TCP',
          source: { selector },
          destination: { ports: [80, port] },
        })),
      },
    },
  }
}

function profile(number: number, stage: string): PolicyUpdate {
  const name = `kns.ns-${String(number)}`
  return {
    kind: 'Profile',
    name,
    resource: {
      metadata: { name },
      spec: { egress: [{ action: 'Allow' }], labelsToApply: { 'pcns.stage': stage } },
    },
  }
}

function time(
  calculator: Calculator,
  updateOf: (round: number) => PolicyUpdate,
): { p50: number; p99: number } {
  const micros: number[] = []
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    const update = updateOf(round)
    const begin = performance.now()
    calculator.onUpdate(update)
    calculator.drain()
    if (round >= WARM_UP) micros.push((performance.now() - begin) * 1000)
  }
  micros.sort((a, b) => a - b)
  return { p50: micros[ROUNDS >> 1] ?? 0, p99: micros[Math.floor(ROUNDS * 0.99)] ?? 0 }
}

function measure(endpoints: number): Row {
  const collect =
    globalThis.gc ??
    ((): never => {
      throw new Error('Node needs --expose-gc.')
    })
  collect()
  const before = process.memoryUsage().heapUsed
  const begin = performance.now()
  const calculator = createCalculator({ node: 'here' })
  for (let number = 0; number < NAMESPACES; number++) calculator.onUpdate(profile(number, 'test'))
  for (let number = 0; number < endpoints; number++) calculator.onUpdate(endpoint(number))
  for (let number = 0; number < POLICIES; number++) calculator.onUpdate(policy(number))
  const sets = calculator.drain().sets.size
  const loadMs = performance.now() - begin
  collect()
  const heapMiB = (process.memoryUsage().heapUsed - before) / 2 ** 20
  if (sets === 0) throw new Error('The node has no policy: nothing would be measured.')
  const remote = LOCAL + 7
  const changes = {
    'label of a remote endpoint': time(calculator, (round) =>
      endpoint(remote, { app: app(round % 2 === 0 ? 3 : 4) }),
    ),
    'label of a local endpoint': time(calculator, (round) =>
      endpoint(7, { app: app(round % 2 === 0 ? 3 : 4) }),
    ),
    'label that nobody asks for': time(calculator, (round) => endpoint(remote, { build: String(round) })),
    'an endpoint comes or goes': time(calculator, (round) => {
      const update = endpoint(endpoints + 1)
      return round % 2 === 0 ? update : { ...update, resource: undefined }
    }),
    'a port in a policy': time(calculator, (round) => policy(5, 1_000 + round)),
  }
  return { endpoints, loadMs, heapMiB, sets, changes }
}

function report(rows: readonly Row[]): void {
  const kinds = Object.keys(rows[0]?.changes ?? {})
  const sizes = rows.map(({ endpoints }) => endpoints.toLocaleString('en'))
  const us = (one: { p50: number; p99: number } | undefined): string =>
    one === undefined ? '–' : `${one.p50.toFixed(0)} / ${one.p99.toFixed(0)}`
  const first = rows[0]
  const last = rows.at(-1)
  const growth = (kind: string): string => {
    const [small, great] = [first?.changes[kind]?.p50 ?? 0, last?.changes[kind]?.p50 ?? 0]
    return `${(great / small).toFixed(2)} ×`
  }
  process.stdout.write(
    `${surroundings()}\n\n${markdown(
      ['endpoints in the cluster', ...sizes, 'growth'],
      [
        ['everything taken in, ms', ...rows.map(({ loadMs }) => loadMs.toFixed(0)), ''],
        ['heap kept, MiB', ...rows.map(({ heapMiB }) => heapMiB.toFixed(1)), ''],
        ['sets of the node', ...rows.map(({ sets }) => String(sets)), ''],
        ...kinds.map((kind) => [
          `${kind}, µs p50 / p99`,
          ...rows.map(({ changes }) => us(changes[kind])),
          growth(kind),
        ]),
      ],
    )}\n`,
  )
}

const size = process.argv[2]
if (size === undefined) {
  const rows = SIZES.map((endpoints) => {
    const args = ['--expose-gc', ...process.execArgv, import.meta.filename, String(endpoints)]
    const done = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
    if (done.status !== 0) throw new Error(`The measurement of ${String(endpoints)} endpoints failed.`)
    return JSON.parse(done.stdout) as Row
  })
  report(rows)
} else process.stdout.write(JSON.stringify(measure(Number(size))))
