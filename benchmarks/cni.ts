/**
 * What do ADD and DEL cost a container runtime, from exec to exit? The plugin in its three forms (compiled; a script with
 * curl; a script with Node) beside Debian's ptp with host-local, one after another and ten at once, in one run; then 250
 * pods on one node. IPv4 only, as host-local assigns.
 */
import { mkdirSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { Lab, buildCluster } from '@network/test/lab'
import type { CniRoundsOutcome, CniRoundsTask, Contestant } from './node/cni-rounds.ts'
import { debianVersion, runInside, workloadNamespaces } from './node/inside.ts'
import { markdown, perSecond, quantile, surroundings } from './node/timings.ts'

const pods = 250
const rounds = 5
const atOnce = 10
const reference = 'ptp + host-local'
const ours = {
  binary: 'drover, compiled',
  curl: 'drover, script with curl',
  node: 'drover, script with Node',
}

async function measure(): Promise<CniRoundsOutcome> {
  const lab = new Lab('bench-cni')
  try {
    const cluster = await buildCluster(lab, { nodes: 1, ipv6Pool: 'fd65::/48' })
    const [node] = cluster.nodes
    if (node === undefined) throw new Error('the cluster has no node')
    const folder = (name: string): string => {
      const made = path.join(lab.folder, name)
      mkdirSync(made)
      return made
    }
    const [binary, script, tools] = [folder('binary'), folder('script'), folder('tools')]
    const conf = folder('conf')
    await node.drover('install', 'cni', '--bin', binary, '--conf', conf, '--executable', 'binary')
    await node.drover('install', 'cni', '--bin', script, '--conf', conf, '--executable', 'script')
    for (const tool of ['cat', 'mkdir', 'sync']) symlinkSync(`/bin/${tool}`, path.join(tools, tool))
    const configuration = { cniVersion: '1.0.0', name: 'bench', type: 'drover', assignIPv4: true }
    const usual = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
    const contestants: Contestant[] = [
      {
        name: reference,
        file: '/usr/lib/cni/ptp',
        configuration: {
          cniVersion: '1.0.0',
          name: 'bench',
          type: 'ptp',
          ipam: { type: 'host-local', ranges: [[{ subnet: '10.99.0.0/16' }]], dataDir: folder('host-local') },
        },
        env: usual,
        share: 20,
        atOnce: true,
      },
      {
        name: ours.binary,
        file: path.join(binary, 'drover'),
        configuration,
        env: usual,
        share: 20,
        atOnce: true,
      },
      {
        name: ours.curl,
        file: path.join(script, 'drover'),
        configuration,
        env: usual,
        share: 20,
        atOnce: true,
      },
      {
        name: ours.node,
        file: path.join(script, 'drover'),
        configuration,
        env: { PATH: tools },
        share: 5,
        atOnce: false,
      },
    ]
    const task: CniRoundsTask = {
      contestants,
      namespaces: await workloadNamespaces(lab, 'w', pods),
      rounds,
      atOnce,
      filler: ours.binary,
      agentPid: agentProcess(await node.drover('node', 'status', '-o', 'json')),
    }
    return await runInside<CniRoundsOutcome>(node.place, 'cni-rounds.ts', task)
  } finally {
    lab.destroy()
  }
}

function agentProcess(status: string): number {
  const { node } = JSON.parse(status) as { node: { pid: number } }
  return node.pid
}

const version = await debianVersion('containernetworking-plugins')
const { timings, filled, memory } = await measure()
const ms = (value: number): string => value.toFixed(1)

function row(name: string, command: 'ADD' | 'DEL', suffix: string): string[] {
  const own = timings[`${name} ${command}${suffix}`]
  const other = timings[`${reference} ${command}${suffix}`]
  if (own === undefined || other === undefined) throw new Error(`nothing was measured of ${name}`)
  const title = name === reference ? `${reference} (containernetworking-plugins ${version})` : name
  return [
    `${title}: ${command}`,
    ms(quantile(own, 0.5)),
    ms(quantile(own, 0.99)),
    perSecond(own).toFixed(0),
    (quantile(own, 0.5) / quantile(other, 0.5)).toFixed(2),
    (perSecond(own) / perSecond(other)).toFixed(2),
  ]
}
const head = ['', 'p50 ms', 'p99 ms', 'per second', '× p50', '× rate']

console.log(surroundings())
console.log('\n### ADD and DEL, one after another\n')
const serial = [reference, ours.binary, ours.curl, ours.node]
console.log(
  markdown(
    head,
    (['ADD', 'DEL'] as const).flatMap((command) => serial.map((name) => row(name, command, ''))),
  ),
)
console.log('\n### Ten at once\n')
const parallel = [reference, ours.binary, ours.curl]
console.log(
  markdown(
    head,
    (['ADD', 'DEL'] as const).flatMap((command) => parallel.map((name) => row(name, command, ' at once'))),
  ),
)
console.log(`\n### ${String(pods)} pods on a node, ten at once\n`)
const total = ({ wallMs }: { wallMs: number }): string => (wallMs / 1000).toFixed(1)
console.log(
  markdown(
    ['', 'seconds', 'per second', 'p99 ms', "agent's CPU, ms a pod"],
    [
      [
        'ADD',
        total(filled.add),
        perSecond(filled.add).toFixed(0),
        ms(quantile(filled.add, 0.99)),
        ms(filled.addCpuMs / pods),
      ],
      [
        'DEL',
        total(filled.del),
        perSecond(filled.del).toFixed(0),
        ms(quantile(filled.del, 0.99)),
        ms(filled.delCpuMs / pods),
      ],
    ],
  ),
)
const mib = (kib: number): string => (kib / 1024).toFixed(1)
console.log(
  `\nAgent, resident: ${mib(memory.beforeKiB)} MiB before, ${mib(memory.filledKiB)} MiB with ${String(pods)} pods.`,
)
console.log(surroundings())
