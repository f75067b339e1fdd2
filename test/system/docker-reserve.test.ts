import { test } from 'tap'
import {
  type DockerHost,
  buildDockerCluster,
  busybox,
  createNetwork,
  idle,
  reaches,
  until,
} from '../lab/index.ts'
import { stateOf } from './docker-hosts/state.ts'

interface Endpoint {
  metadata: { labels?: Record<string, string>; annotations?: Record<string, string> }
  spec: { node: string; network: string; ipNetworks: string[] }
}

test('an address that is kept for a container by name', async (t) => {
  const { cluster, nodes, hosts } = await buildDockerCluster(t, 'dke', 2)
  const [one, two] = nodes
  const [a, b] = hosts
  const networkId = await a.docker(
    ...createNetwork,
    '--ipv6',
    '--subnet',
    '10.40.0.0/16',
    '--subnet',
    'fd40::/64',
    'web',
  )
  const otherId = await a.docker(...createNetwork, '--subnet', '10.41.0.0/24', 'db')
  const [web, db] = [`docker-${networkId.slice(0, 12)}`, `docker-${otherId.slice(0, 12)}`]
  await b.knows('web', 'db')

  const start = (host: DockerHost, name: string, ...more: string[]): Promise<string> =>
    host.docker('run', '-d', '--name', name, '--stop-timeout', '1', '--network', 'web', ...more, ...idle)
  const shopLabel = ['--label', 'drover.reserve=shop']
  const remove = (host: DockerHost, ...names: string[]): Promise<string> => host.docker('rm', '-f', ...names)
  const kept = async (name: string): Promise<readonly string[]> => {
    const shown = JSON.parse(await one.drover('ipam', 'show', '-o', 'json')) as {
      reservations: { name: string; addresses: { address: string }[] }[]
    }
    const found = shown.reservations.find((reservation) => reservation.name === name)
    return found?.addresses.map(({ address }) => address) ?? []
  }
  const endpoint = async (container: string, of = web): Promise<Endpoint | undefined> =>
    (JSON.parse(await one.drover('get', 'endpoints', '-o', 'json')) as { items: Endpoint[] }).items.find(
      ({ metadata, spec }) =>
        metadata.labels?.['drover.network/container'] === container && spec.network === of,
    )
  /** What the container itself has, without length. */
  const inside = async (host: DockerHost, container: string, device = 'eth0'): Promise<string[]> => {
    const shown = await host.docker('exec', container, 'ip', 'addr', 'show', device)
    return [...shown.matchAll(/inet6? ([0-9a-f.:]+)\/\d+ scope global/g)].map(([, address]) => address ?? '')
  }
  const everyoneReaches = async (addresses: readonly string[]): Promise<boolean> => {
    for (const address of addresses) {
      if (!(await a.pings('near', address)) || !(await b.pings('far', address))) return false
    }
    return true
  }

  await start(a, 'near')
  await start(b, 'far')

  let shop: readonly string[] = []
  await t.test('by a label', async (t) => {
    await start(a, 'shop', ...shopLabel)
    shop = await kept(`shop@${web}`)
    t.match(shop, [/^10\.40\./, /^fd40:/], 'one of each family, from the subnets of its network')
    const given = await a.docker('inspect', '-f', '{{.NetworkSettings.Networks.web.IPAddress}}', 'shop')
    const has = await inside(a, 'shop')
    t.equal(has.length, 4)
    for (const address of [...shop, given]) t.ok(has.includes(address), `the container has ${address}`)
    t.notOk(shop.includes(given), "docker inspect shows Docker's own")
    t.match(await a.docker('exec', 'shop', 'ip', 'route'), `src ${shop[0] ?? ''}`)
    t.ok(await until('it is reached', () => everyoneReaches([...shop, given])))
  })

  await t.test('the first packet of a container comes from it, and is judged as its own', async (t) => {
    await b.docker(
      ...['run', '-d', '--name', 'server', '--network', 'web', '--label', 'role=server'],
      ...[busybox, 'httpd', '-f', '-h', '/'],
    )
    const server = (await endpoint('server'))?.spec.ipNetworks.map((text) => text.replace(/\/.*/, '')) ?? []
    t.equal(server.length, 2)
    await cluster.apply(`
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: server }
spec:
  selector: role == 'server'
  types: [Ingress]
  ingress: [{ action: Allow, source: { selector: role == 'guest' } }]
`)
    const pid = await b.docker('inspect', '-f', '{{.State.Pid}}', 'server')
    const wire = b.place.start('server-wire', 'nsenter', [
      `--net=/proc/${pid}/ns/net`,
      ...['tcpdump', '-nl', '-i', 'eth0', 'dst port 80 and (ip6 or tcp[tcpflags] & tcp-syn != 0)'],
    ])
    await until('the wire is watched', () => wire.log().includes('listening on'))
    const labels = ['--label', 'role=guest', '--label', 'drover.reserve=guest']
    for (let round = 0; round < 6; round++) {
      const target = server[round % 2] ?? ''
      const before = wire.log().length
      const asked = await a.attempt(
        ...['run', '--rm', '--network', 'web', ...labels, busybox, 'nc', '-w', '5', target, '80'],
      )
      t.equal(asked.exitCode, 0, `it connects to ${target}: ${asked.stderr}`)
      const address = (await kept(`guest@${web}`))[round % 2] ?? 'none'
      const [first] = await until('it was seen on the wire', () => {
        const lines = wire.log().slice(before).split('\n')
        return lines.length > 1 && lines.filter((line) => / IP6? /.test(line))
      })
      t.match(first, ` ${address}.`, 'its first packet')
    }
    await wire.stop()
    await one.drover('delete', 'globalnetworkpolicy', 'server')
    await remove(b, 'server')
  })

  await t.test('it stays', async (t) => {
    const same = async (host: DockerHost, what: string): Promise<void> => {
      t.same(await kept(`shop@${web}`), shop)
      const has = await inside(host, 'shop')
      t.ok(
        shop.every((address) => has.includes(address)),
        `${what}: ${has.join(' ')}`,
      )
      t.ok(await until('it is reached', () => everyoneReaches(shop)), `it is reached ${what}`)
    }
    await a.docker('restart', '-t', '0', 'shop')
    await same(a, 'after docker restart')
    await remove(a, 'shop')
    t.same(await kept(`shop@${web}`), shop, 'while nobody has it')
    t.notOk(await reaches(one.place, shop[0] ?? '', 1))
    await start(a, 'shop', ...shopLabel)
    await same(a, 'after rm and run')
    await remove(a, 'shop')
    await start(b, 'shop', ...shopLabel)
    await same(b, 'on another host')

    two.agent().signal('SIGKILL')
    await two.agent().ended
    const pid = await b.docker('inspect', '-f', '{{.State.Pid}}', 'shop')
    for (const address of shop)
      await b.place.run('nsenter', [`--net=/proc/${pid}/ns/net`, 'ip', 'addr', 'del', address, 'dev', 'eth0'])
    await two.startAgent()
    t.ok(
      await until('the agent mends it', async () => {
        const has = await inside(b, 'shop')
        return shop.every((address) => has.includes(address))
      }),
    )
    t.match(await b.docker('exec', 'shop', 'ip', 'route'), `src ${shop[0] ?? ''}`)
    await same(b, 'after the death of an agent')
  })

  await t.test('a second container of the name', async (t) => {
    await start(a, 'second', ...shopLabel)
    const found = await endpoint('second')
    t.equal(found?.spec.ipNetworks.length, 2, 'it runs without')
    t.match(found?.metadata.annotations, {
      'drover.network/reservation-refused': new RegExp(`Reservation 'shop@${web}' is in use .*node2`),
    })
    t.match(one.agent().log(), /goes without its reserved address/)
    t.match(await one.drover('node', 'status'), /shop@/, 'its node says so')
    t.ok(await until('the first has it', () => everyoneReaches(shop)))
    await remove(b, 'shop')
  })

  await t.test('by an option', async (t) => {
    const opted = (host: DockerHost, name: string) =>
      host.attempt(
        ...['run', '-d', '--name', name, '--stop-timeout', '1'],
        ...['--network', 'name=web,driver-opt=drover.reserve=till', ...idle],
      )
    t.equal((await opted(a, 'till')).exitCode, 0)
    const till = await kept(`till@${web}`)
    t.match(till, [/^10\.40\./, /^fd40:/])
    t.ok(await until('it is reached', () => everyoneReaches(till)))

    await a.docker('network', 'connect', '--driver-opt', 'drover.reserve=till', 'db', 'till')
    const onOther = await kept(`till@${db}`)
    t.match(onOther, [/^10\.41\.0\./], 'on each network an address of its own')
    await b.docker('run', '-d', '--name', 'store', '--network', 'db', ...idle)
    t.ok(await until('it is reached there', () => b.pings('store', onOther[0] ?? '')))
    const store = (await endpoint('store', db))?.spec.ipNetworks[0]?.replace('/32', '') ?? ''
    t.match(await a.docker('exec', 'till', 'ip', 'route', 'get', store), onOther[0], 'and asks from it')
    t.ok(await a.pings('till', store))

    const second = await opted(b, 'rival')
    t.not(second.exitCode, 0, 'a second one is refused')
    t.match(second.stderr, `Reservation 'till@${web}' is in use`)
    t.match(await endpoint('rival'), undefined)
    await remove(b, 'rival')
    const mistyped = await b.attempt(
      ...['run', '--rm', '--network', 'name=web,driver-opt=drover.reserved=x', ...idle],
    )
    t.match(mistyped.stderr, "did you mean 'drover.reserve'?")

    await a.docker('restart', '-t', '0', 'till')
    t.same([await kept(`till@${web}`), await kept(`till@${db}`)], [till, onOther])
    t.ok(await until('it is reached after a restart', () => everyoneReaches(till)))
    t.ok(await until('there too', () => b.pings('store', onOther[0] ?? '')))
    await remove(a, 'till')
    t.equal((await opted(b, 'till')).exitCode, 0)
    t.ok(await until('it is reached on another host', () => everyoneReaches(till)))
    await remove(b, 'till', 'store')
  })

  await t.test('what is free again goes to the container that waits for it', async (t) => {
    t.ok(
      await until(
        'the second has it',
        async () => {
          const has = await inside(a, 'second')
          return shop.every((address) => has.includes(address))
        },
        { timeoutMs: 60_000, intervalMs: 500 },
      ),
    )
    t.ok(await until('it is reached', () => everyoneReaches(shop)))
    t.notOk('drover.network/reservation-refused' in ((await endpoint('second'))?.metadata.annotations ?? {}))
  })

  await t.test('its end', async (t) => {
    const release = (...words: string[]) => one.attempt(['ipam', 'release', '--reservation', ...words])
    const refused = await release(`shop@${web}`)
    t.not(refused.exitCode, 0)
    t.match(refused.stderr, `Reservation 'shop@${web}' is in use`)
    await remove(a, 'second', 'near')
    await remove(b, 'far')
    t.equal((await release(`shop@${web}`)).exitCode, 0)
    t.same(await kept(`shop@${web}`), [])
    t.equal((await kept(`till@${web}`)).length, 2)
    await a.docker('network', 'rm', 'web', 'db')
    t.same([await kept(`till@${web}`), await kept(`till@${db}`), await kept(`guest@${web}`)], [[], [], []])
    t.notMatch(await one.drover('get', 'pools'), /10\.4[01]\./, 'the pools of its networks go too')
    for (const node of cluster.nodes) {
      const { endpoints, handles, interfaces } = await stateOf(cluster.etcd, node)
      t.same([endpoints, handles, interfaces], [[], [], []], node.name)
    }
    t.equal(await one.drover('ipam', 'check').then(() => 'clean', String), 'clean')
  })
})
