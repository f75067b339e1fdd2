/**
 * What a host has of Drover, object by object, with the names that change at every start of a container (endpoint ids,
 * interfaces, handles) put down as the address that they belong to, and without what is random (digests of rules, seeds
 * of sets): so two states of one host can be compared.
 */
import type { LabEtcd, LabNode } from '../../lab/index.ts'

export interface HostState {
  readonly endpoints: readonly object[]
  /** Handles of addresses in etcd: what they hold. */
  readonly handles: readonly string[]
  readonly interfaces: readonly string[]
  readonly routes: readonly string[]
  readonly policyRules: readonly string[]
  /** Lines of all tables that are ours, both families. */
  readonly chains: readonly string[]
  readonly sets: readonly string[]
}

interface Endpoint {
  metadata: { labels?: Record<string, string> }
  spec: {
    node: string
    interfaceName: string
    containerID: string
    ipNetworks: string[]
    profiles: string[]
    network: string
    portMappings?: object[]
  }
}

export async function stateOf(etcd: LabEtcd, node: LabNode): Promise<HostState> {
  const { items } = JSON.parse(await node.drover('get', 'endpoints', '-o', 'json')) as { items: Endpoint[] }
  const own = items.filter(({ spec }) => spec.node === node.name)
  const said = async (program: string, ...args: string[]): Promise<string[]> =>
    lines((await node.place.run(program, args)).stdout)
  const named = (text: string): string =>
    own.reduce((rest, { spec }) => rest.replaceAll(spec.interfaceName, `<${addressOf(spec)}>`), text)
  const sorted = (list: readonly string[]): string[] => list.map(named).sort()
  const links = JSON.parse((await node.place.run('ip', ['-j', 'link', 'show'])).stdout) as {
    ifname: string
  }[]
  return {
    endpoints: own
      .map(({ metadata, spec }) => ({
        address: addressOf(spec),
        network: spec.network,
        labels: metadata.labels,
        profiles: spec.profiles,
        portMappings: spec.portMappings ?? [],
      }))
      .sort((one, other) => one.address.localeCompare(other.address)),
    handles: await handlesOf(etcd, node.name),
    interfaces: sorted(links.map(({ ifname }) => ifname).filter((name) => /^(drv|ofd)/.test(name))),
    routes: sorted([
      ...(await said('ip', '-4', 'route', 'show', 'table', 'all', 'proto', '98')),
      ...(await said('ip', '-6', 'route', 'show', 'table', 'all', 'proto', '98')),
    ]),
    policyRules: sorted([...(await said('ip', '-4', 'rule')), ...(await said('ip', '-6', 'rule'))]),
    chains: sorted(
      [...(await said('iptables-save')), ...(await said('ip6tables-save'))]
        .filter((line) => /drv/.test(line))
        .map((line) => line.replace(/ \[\d+:\d+\]$| -m comment --comment "drv:[^"]*"/g, '')),
    ),
    sets: sorted(
      (await said('ipset', 'save'))
        .filter((line) => /^(create|add) drv/.test(line))
        .map((line) => line.replace(/ initval \w+$/, '')),
    ),
  }
}

/** What this node's handles hold, and for whom. */
async function handlesOf(etcd: LabEtcd, node: string): Promise<string[]> {
  const text = await etcd.ctl('get', '--prefix', '--print-value-only', '/drover/v1/ipam/handles/')
  return lines(text)
    .map(
      (line) =>
        JSON.parse(line) as {
          owner: { node: string; orchestrator: string }
          addresses: { address: string }[]
        },
    )
    .filter(({ owner }) => owner.node === node)
    .map(
      ({ owner, addresses }) => `${owner.orchestrator}: ${addresses.map(({ address }) => address).join(' ')}`,
    )
    .sort()
}

function addressOf({ ipNetworks }: Endpoint['spec']): string {
  return ipNetworks.map((network) => network.replace(/\/.*/, '')).join(' ')
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}
