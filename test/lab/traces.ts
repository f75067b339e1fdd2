/** What attached workloads leave behind, object by object: in etcd, in the kernel of their node, and in files. */
import type { LabEtcd, LabNode } from './cluster.ts'

export interface Traces {
  readonly endpoints: readonly string[]
  readonly handles: readonly string[]
  /** `block address` of each allocated address. */
  readonly allocations: readonly string[]
  readonly interfaces: readonly string[]
  /** Routes to single workloads. */
  readonly routes: readonly string[]
  /** Lines of iptables, of both families, that name an interface of a workload. */
  readonly rules: readonly string[]
  /** Single addresses in sets. */
  readonly members: readonly string[]
  readonly promises: readonly string[]
  readonly memories: readonly string[]
}

export async function tracesOf(etcd: LabEtcd, node: LabNode): Promise<Traces> {
  const keys = async (prefix: string): Promise<string[]> =>
    lines(await etcd.ctl('get', '--prefix', '--keys-only', `/drover/v1/${prefix}`))
  const inside = async (program: string, ...args: string[]): Promise<string[]> =>
    lines((await node.place.attempt(program, args)).stdout)
  const tables = [...(await inside('iptables-save')), ...(await inside('ip6tables-save'))]
  return {
    endpoints: await keys(`endpoints/${node.name}/`),
    handles: (await keys('ipam/handles/')).filter((key) => key.includes(node.name)),
    allocations: await allocations(etcd, node.name),
    interfaces: await names(node),
    routes: [
      ...(await inside('ip', '-4', 'route', 'show', 'proto', '98', 'scope', 'link')),
      ...(await inside('ip', '-6', 'route', 'show', 'proto', '98')),
    ].filter((line) => line.includes(' dev drv')),
    rules: tables.filter((line) => /drv-[tf]w-|[io] drv[0-9a-z]{4,}/.test(line)),
    members: (await inside('ipset', 'save')).filter((line) => /^add drv\S* [0-9a-f:.]+$/.test(line)),
    promises: await inside('ls', '/var/lib/drover/journal/cni'),
    memories: await inside('ls', '/var/lib/drover/cni'),
  }
}

async function allocations(etcd: LabEtcd, node: string): Promise<string[]> {
  const found: string[] = []
  for (const value of lines(
    await etcd.ctl('get', '--prefix', '--print-value-only', '/drover/v1/ipam/blocks/'),
  )) {
    const block = JSON.parse(value) as { cidr: string; affinity: string | null; allocations: object }
    if (block.affinity !== node) continue
    found.push(...Object.keys(block.allocations).map((ordinal) => `${block.cidr} ${ordinal}`))
  }
  return found
}

async function names(node: LabNode): Promise<string[]> {
  const shown = await node.place.run('ip', ['-j', 'link', 'show'])
  return (JSON.parse(shown.stdout) as { ifname: string }[])
    .map(({ ifname }) => ifname)
    .filter((name) => name.startsWith('drv'))
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}

/** Nothing of any workload. */
export const noTraces: Traces = {
  endpoints: [],
  handles: [],
  allocations: [],
  interfaces: [],
  routes: [],
  rules: [],
  members: [],
  promises: [],
  memories: [],
}

/** What is left when the agent has tidied up, or when it has had the time to. */
export async function remains(etcd: LabEtcd, node: LabNode, withinMs = 15_000): Promise<Traces> {
  const end = performance.now() + withinMs
  for (;;) {
    const traces = await tracesOf(etcd, node)
    if (Object.values(traces).every((list: readonly string[]) => list.length === 0)) return traces
    if (performance.now() > end) return traces
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
