/**
 * What does an attach cost, and a detach? A client of the agent's local socket attaches workloads one after another and
 * ten at once. Beside it: the sum of its parts (one etcd transaction of the same shape, wiring alone) and Debian's CNI
 * plugins ptp and host-local from exec to exit. All of them take turns on one node of a lab, IPv4 only unless said.
 */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { Lab, buildCluster, droverProgram } from '@network/test/lab'
import type { Question, RoundsOutcome, RoundsTask } from './node/attach-rounds.ts'
import { agentSocket, debianVersion, runInside, workloadNamespaces } from './node/inside.ts'
import { markdown, perSecond, quantile, surroundings } from './node/timings.ts'

const pluginPackage = 'containernetworking-plugins'
const workloads = 20
const rounds = 10
const atOnce = 10

async function measure(): Promise<RoundsOutcome> {
  const lab = new Lab('bench-attach')
  try {
    const cluster = await buildCluster(lab, { nodes: 1 })
    const [node] = cluster.nodes
    if (node === undefined) throw new Error('the cluster has no node')
    const pluginData = path.join(lab.folder, 'host-local')
    mkdirSync(pluginData)
    const task: RoundsTask = {
      socket: agentSocket(lab, node),
      etcd: cluster.etcd.endpoint,
      program: droverProgram,
      pluginFolder: '/usr/lib/cni',
      pluginData,
      namespaces: await workloadNamespaces(lab, 'w', workloads),
      rounds,
      atOnce,
    }
    return await runInside<RoundsOutcome>(node.place, 'attach-rounds.ts', task)
  } finally {
    lab.destroy()
  }
}

const pluginVersion = await debianVersion(pluginPackage)
const { timings, written } = await measure()
const p50 = (question: Question): number => quantile(timings[question], 0.5)
const ms = (value: number): string => value.toFixed(1)

function row(title: string, question: Question, reference?: number): string[] {
  return [
    title,
    ms(p50(question)),
    ms(quantile(timings[question], 0.99)),
    perSecond(timings[question]).toFixed(0),
    reference === undefined ? '' : (p50(question) / reference).toFixed(2),
  ]
}
const head = (against: string): string[] => ['', 'p50 ms', 'p99 ms', 'per second', against]
const parts = p50('transaction') + p50('wire')
const plugins = `ptp + host-local (${pluginPackage} ${pluginVersion})`

console.log(surroundings())
console.log('\n### The parts\n')
console.log(
  markdown(head('× its parts'), [
    row(
      `one etcd transaction: ${String(written.keys)} keys, ${String(written.bytes)} bytes`,
      'transaction',
      parts,
    ),
    row('wiring alone', 'wire', parts),
    row('attach', 'attach', parts),
    row('attach, IPv4 and IPv6', 'attach-dual', parts),
    row('unwiring alone', 'unwire', p50('transaction') + p50('unwire')),
    row('detach', 'detach', p50('transaction') + p50('unwire')),
    row('detach, IPv4 and IPv6', 'detach-dual', p50('transaction') + p50('unwire')),
  ]),
)
console.log('\n### One after another\n')
console.log(
  markdown(head('× plugins'), [
    row(`${plugins}: ADD`, 'plugin-add', p50('plugin-add')),
    row('attach by the local socket', 'attach', p50('plugin-add')),
    row('drover attach, exec to exit', 'command-attach', p50('plugin-add')),
    row(`${plugins}: DEL`, 'plugin-del', p50('plugin-del')),
    row('detach by the local socket', 'detach', p50('plugin-del')),
    row('drover detach, exec to exit', 'command-detach', p50('plugin-del')),
  ]),
)
console.log('\n### Ten at once\n')
console.log(
  markdown(head('× plugins'), [
    row(`${plugins}: ADD`, 'plugin-add-at-once', p50('plugin-add-at-once')),
    row('attach by the local socket', 'attach-at-once', p50('plugin-add-at-once')),
    row(`${plugins}: DEL`, 'plugin-del-at-once', p50('plugin-del-at-once')),
    row('detach by the local socket', 'detach-at-once', p50('plugin-del-at-once')),
  ]),
)
console.log(surroundings())
