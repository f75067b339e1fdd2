/** Ways from one host's workload to another's, to be measured beside each other: where a client runs, and whom it asks. */
import { type DockerHost, type Lab, type Place, type Switch, busybox, connect, rack } from '@network/test/lab'

export interface Path {
  readonly name: string
  /** Words before a command that run it where the client, or the server, is. */
  readonly client: readonly string[]
  readonly server: readonly string[]
  readonly clientPlace: Place
  readonly serverPlace: Place
  /** Where the client finds the server, on any port of `publishedPorts`. */
  readonly address: string
}

/** Of throughput and of round trips. */
export const publishedPorts = [5201, 5202] as const

const idle = ['sleep', '1000']

/** Containers of both hosts, on a network of ours and on Docker's bridge with published ports. */
export async function containerPaths(a: DockerHost, b: DockerHost, number: number): Promise<Path[]> {
  const run = (host: DockerHost, name: string, network: string, ...more: string[]): Promise<string> =>
    host.docker('run', '-d', '--name', name, '--network', network, ...more, busybox, ...idle)
  await run(a, 'routed', 'web')
  await run(b, 'routed', 'web')
  const ports = publishedPorts.flatMap((port) => ['-p', `${String(port)}:${String(port)}`])
  await run(a, 'bridged', 'bridge')
  await run(b, 'bridged', 'bridge', ...ports)
  const inside = async (host: DockerHost, name: string): Promise<string[]> => {
    const pid = await host.docker('inspect', '-f', '{{.State.Pid}}', name)
    return ['nsenter', `--net=/proc/${pid}/ns/net`]
  }
  const between = async (name: string, title: string, address: string): Promise<Path> => ({
    name: title,
    address,
    client: await inside(a, name),
    server: await inside(b, name),
    clientPlace: a.place,
    serverPlace: b.place,
  })
  const routed = await b.docker('inspect', '-f', '{{.NetworkSettings.Networks.web.IPAddress}}', 'routed')
  return [
    await between('routed', 'drover, containers of one network', routed),
    await between('bridged', 'bridge with published port', rack.ipv4.address(number)),
  ]
}

/** Two hosts without an agent or a runtime: their workloads by routes of the kernel, and by a bridge over VXLAN. */
export async function plainPaths(lab: Lab, wire: Switch): Promise<Path[]> {
  const hosts: { routed: Place; bridged: Place }[] = []
  const numbers = [31, 32]
  for (const [index, number] of numbers.entries()) {
    const host = await lab.namespace(`plain${String(number)}`)
    await wire.plug(host, number, { defaultRoute: true })
    await host.run('sysctl', ['-qw', 'net.ipv4.ip_forward=1'])
    const other = numbers[1 - index] ?? 0
    const routed = await lab.namespace(`routed${String(number)}`)
    await connect(host, 'w0', routed, 'eth0')
    await host.run('ip', ['address', 'add', '169.254.1.1/32', 'dev', 'w0'])
    await host.run('ip', ['route', 'add', `10.70.0.${String(number)}/32`, 'dev', 'w0'])
    await host.run('ip', ['route', 'add', `10.70.0.${String(other)}/32`, 'via', rack.ipv4.address(other)])
    await routed.run('ip', ['address', 'add', `10.70.0.${String(number)}/32`, 'dev', 'eth0'])
    await routed.run('ip', ['route', 'add', '169.254.1.1', 'dev', 'eth0'])
    await routed.run('ip', ['route', 'add', 'default', 'via', '169.254.1.1'])

    const bridged = await lab.namespace(`bridged${String(number)}`)
    await connect(host, 'w1', bridged, 'eth0')
    await host.run('ip', ['link', 'add', 'br0', 'type', 'bridge'])
    const tunnel = ['id', '42', 'dstport', '4789', 'remote', rack.ipv4.address(other)]
    await host.run('ip', [
      ...['link', 'add', 'vx0', 'type', 'vxlan'],
      ...tunnel,
      ...['local', rack.ipv4.address(number), 'dev', 'eth0'],
    ])
    for (const port of ['w1', 'vx0']) await host.run('ip', ['link', 'set', port, 'master', 'br0', 'up'])
    await host.run('ip', ['link', 'set', 'br0', 'up'])
    await bridged.run('ip', ['address', 'add', `10.71.0.${String(number)}/24`, 'dev', 'eth0'])
    await bridged.run('ip', ['link', 'set', 'eth0', 'mtu', '1450'])
    hosts.push({ routed, bridged })
  }
  const [a, b] = hosts
  if (a === undefined || b === undefined) throw new Error('there are no two hosts')
  const here = (client: Place, server: Place) => ({
    client: [],
    server: [],
    clientPlace: client,
    serverPlace: server,
  })
  return [
    { name: 'routes of the kernel alone', address: '10.70.0.32', ...here(a.routed, b.routed) },
    { name: 'bridge over VXLAN', address: '10.71.0.32', ...here(a.bridged, b.bridged) },
  ]
}
