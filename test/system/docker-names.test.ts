import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'tap'
import {
  type DockerHost,
  Lab,
  type LabNode,
  buildCluster,
  busybox,
  createNetwork,
  dockerFlags,
  idle,
  rack,
  startDocker,
  until,
} from '../lab/index.ts'

const outsideName = 'register.example.net'
const outsideAddress = '198.51.100.7'

test('names of containers across hosts', async (t) => {
  const lab = new Lab('dkn')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, {
    nodes: 3,
    agentFlags: (node) => [...dockerFlags(lab, node), ...nameFlags(node)],
  })
  const [one, two, three] = cluster.nodes
  if (one === undefined || two === undefined || three === undefined)
    throw new Error('the cluster has no three nodes')
  const upstream = cluster.outside.start('dnsmasq', 'dnsmasq', [
    ...['--keep-in-foreground', '--no-resolv', '--no-hosts', '--no-daemon', '--conf-file=/dev/null'],
    ...[`--listen-address=${rack.outside.ipv4}`, '--bind-interfaces', '--user=root', '--pid-file='],
    ...[`--address=/${outsideName}/${outsideAddress}`, '--local=/#/'],
  ])
  t.teardown(() => upstream.stop())
  await until('the resolver outside runs', () => upstream.log().includes('started'))

  // The first host asks those whom its resolv.conf lists, itself among them; the last one's lists its own loopback alone.
  await resolvConf(lab, one, [rack.ipv4.address(1), rack.outside.ipv4])
  await resolvConf(lab, three, ['127.0.0.1'])
  const dockerOn = async (node: LabNode, ...flags: string[]): Promise<DockerHost> => {
    const host = await startDocker(lab, node.place, flags)
    t.teardown(() => host.stop())
    return host
  }
  const [a, b, c] = await Promise.all([
    dockerOn(one, `--dns=${rack.ipv4.address(1)}`),
    dockerOn(two, `--dns=${rack.ipv4.address(2)}`, `--dns=${rack.outside.ipv4}`),
    dockerOn(three),
  ])
  /** What Docker's own resolver answers a container. */
  const asks = async (host: DockerHost, container: string, ...words: string[]): Promise<string[]> => {
    const { stdout } = await host.attempt('exec', container, 'nslookup', ...words, '127.0.0.11')
    const answers = stdout.slice(stdout.indexOf('\n\n'))
    return [...answers.matchAll(/^Address(?: \d+)?: (\S+)/gm)].map(([, address = '']) => address).sort()
  }
  const knows = (host: DockerHost, container: string, name: string): Promise<string[]> =>
    until(`${container} finds ${name}`, async () => {
      const found = await asks(host, container, name)
      return found.length > 0 ? found : undefined
    })

  await a.docker(...createNetwork, '--subnet', '10.40.0.0/16', 'web')
  await a.docker(...createNetwork, '--subnet', '10.41.0.0/24', 'db')
  await a.docker(...createNetwork, '--subnet', '10.42.0.0/24', '--internal', 'inner')
  for (const host of [b, c]) await host.knows('web', 'db', 'inner')
  await a.docker('run', '-d', '--name', 'probe', '--network', 'web', ...idle)
  await b.docker(
    ...[
      'run',
      '-d',
      '--name',
      'shop',
      '--network',
      'web',
      '--network-alias',
      'Front.Door',
      '--network-alias',
      'front',
    ],
    ...[busybox, 'httpd', '-f', '-h', '/bin'],
  )
  await b.docker('run', '-d', '--name', 'store', '--network', 'db', ...idle)
  const shop = await b.addressOf('shop', 'web')
  const store = await b.addressOf('store', 'db')

  await t.test('of its networks, by every name', async (t) => {
    const began = performance.now()
    t.same(await knows(a, 'probe', 'shop'), [shop])
    t.comment(`found ${((performance.now() - began) / 1000).toFixed(2)} s after it was asked for`)
    const id = (await b.docker('inspect', '-f', '{{.Id}}', 'shop')).slice(0, 12)
    for (const name of ['front', 'front.door', 'shop.web', 'SHOP', 'front.web', id])
      t.same(await asks(a, 'probe', name), [shop], name)
    const pointer = await a.docker('exec', 'probe', 'nslookup', shop, '127.0.0.11')
    t.match(pointer, /name = shop\.web$/m)
    const fetched = await a.docker('exec', 'probe', 'wget', '-q', '-O', '-', 'http://shop/nslookup')
    t.ok(fetched.length > 100_000, 'and what answers there is the container')
  })

  await t.test('of no other network', async (t) => {
    for (const name of ['store', 'store.db']) t.same(await asks(a, 'probe', name), [], name)
    await a.docker('network', 'connect', 'db', 'probe')
    for (const name of ['store', 'store.db', 'shop'])
      t.same(await knows(a, 'probe', name), [name === 'shop' ? shop : store], `${name}, on both networks`)
    await a.docker('network', 'disconnect', 'db', 'probe')
    await until('it no longer is on that network', async () => (await asks(a, 'probe', 'store')).length === 0)
  })

  await t.test('an alias that several have', async (t) => {
    await b.docker('run', '-d', '--name', 'shop2', '--network', 'web', '--network-alias', 'front', ...idle)
    const second = await b.addressOf('shop2', 'web')
    await until('the second is found', async () => (await asks(a, 'probe', 'front')).includes(second))
    t.same(await asks(a, 'probe', 'front'), [shop, second].sort())
    await a.docker('run', '-d', '--name', 'here', '--network', 'web', '--network-alias', 'front', ...idle)
    t.same(
      await asks(a, 'probe', 'front'),
      [await a.addressOf('here', 'web')],
      'where Docker itself knows one, it asks nobody',
    )
    await a.docker('rm', '-f', 'here')
    await b.docker('rm', '-f', 'shop2')
    await until(
      'those that went are not answered',
      async () => (await asks(a, 'probe', 'front')).join() === shop,
    )
  })

  await t.test('everything else', async (t) => {
    t.same(await asks(a, 'probe', outsideName), [outsideAddress], 'by the host of which resolv.conf lists')
    t.same(await asks(b, 'shop', outsideName), [outsideAddress], 'by dnsUpstream')
    t.same(await asks(b, 'shop', 'probe'), [await a.addressOf('probe', 'web')])
    t.same(await asks(a, 'probe', 'nobody'), [])
    const bridged = await b.attempt('run', '--rm', busybox, 'nslookup', outsideName)
    t.match(bridged.stdout, outsideAddress, "from Docker's own bridge")
    const refused = await cluster.outside.attempt('busybox', ['nslookup', 'shop.web', rack.ipv4.address(1)])
    t.match(refused.stdout + refused.stderr, /REFUSED/i, 'but nobody else')
  })

  await t.test('by the loopback address of the host', async (t) => {
    await c.docker('run', '-d', '--name', 'third', '--network', 'web', ...idle)
    t.same(await knows(c, 'third', 'shop.web'), [shop], 'a name with its network')
    t.same(await asks(c, 'third', 'shop'), [], 'it is not known who asks for a name alone')
    t.same(await asks(c, 'third', outsideName), [outsideAddress])
    await a.docker('run', '-d', '--name', 'inside', '--network', 'inner', ...idle)
    await c.docker('run', '-d', '--name', 'within', '--network', 'inner', ...idle)
    const inside = await a.addressOf('inside', 'inner')
    t.same(await knows(c, 'within', 'inside.inner'), [inside], 'also on a network without a way out')
    t.same(await asks(a, 'inside', 'within'), [], 'which keeps it from asking the agent itself')
    const host = await three.place.run('busybox', ['nslookup', 'shop.web'])
    t.match(host.stdout, shop, 'the host itself too')
  })

  await t.test('policy', async (t) => {
    await cluster.apply(`
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: mute }
spec:
  selector: role == 'mute'
  types: [Egress]
  egress: [{ action: Deny }]
`)
    await a.docker('run', '-d', '--name', 'mute', '--network', 'web', '--label', 'role=mute', ...idle)
    t.same(await asks(a, 'mute', 'shop'), [], 'who may send nothing asks nothing')
    t.same(await asks(a, 'mute', 'probe'), [await a.addressOf('probe', 'web')], 'except Docker')
    const other = await a.attempt('exec', 'probe', 'nc', '-w', '1', rack.ipv4.address(1), '22')
    t.not(other.exitCode, 0)
    await one.drover('delete', 'globalnetworkpolicy', 'mute')
    await a.docker('rm', '-f', 'mute')
  })

  await t.test('an agent that is away', async (t) => {
    await two.agent().stop()
    t.same(await asks(b, 'shop', outsideName), [outsideAddress], 'the next address is asked')
    t.same(await asks(b, 'shop', 'probe'), [])
    await two.startAgent()
    await one.agent().stop()
    t.same(await asks(a, 'probe', 'probe'), [await a.addressOf('probe', 'web')], 'Docker goes on by itself')
    await one.startAgent()
    t.same(await knows(a, 'probe', 'shop'), [shop])
    await until('the other host knows it too', async () => (await asks(b, 'shop', 'probe')).length === 1)
  })

  await t.test('a container that goes', async (t) => {
    await b.docker('rm', '-f', 'shop')
    await until('is not found', async () => (await asks(a, 'probe', 'shop')).length === 0, {
      timeoutMs: 3_000,
    })
    t.same(await asks(a, 'probe', 'shop.web'), [])
    await b.docker('run', '-d', '--name', 'shop', '--network', 'web', '--ip', '10.40.9.9', ...idle)
    t.same(await knows(a, 'probe', 'shop'), ['10.40.9.9'], 'and comes back elsewhere')
  })

  await a.docker('rm', '-f', 'probe')
  await b.docker('rm', '-f', 'shop', 'store')
  await a.docker('rm', '-f', 'inside')
  await c.docker('rm', '-f', 'third', 'within')
  await a.docker('network', 'rm', 'web', 'db', 'inner')
})

/** The first two answer at their own addresses, the last one at loopback; the first asks whom its resolv.conf lists. */
function nameFlags(node: string): string[] {
  const number = Number(node.slice('node'.length))
  const listen = number === 3 ? '127.0.0.1' : rack.ipv4.address(number)
  return ['--dns-listen', listen, ...(number === 1 ? [] : ['--dns-upstream', rack.outside.ipv4])]
}

async function resolvConf(lab: Lab, { name, place }: LabNode, nameservers: readonly string[]): Promise<void> {
  const folder = path.join(lab.folder, `${name}-etc`)
  mkdirSync(folder, { recursive: true })
  const file = path.join(folder, 'resolv.conf')
  writeFileSync(file, nameservers.map((address) => `nameserver ${address}\n`).join(''))
  await place.run('mount', ['--bind', file, '/etc/resolv.conf'])
}
