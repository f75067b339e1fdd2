import { test } from 'tap'
import { buildDockerCluster, busybox, createNetwork, idle, rack, reaches, until } from '../lab/index.ts'

interface ListedEndpoint {
  metadata: { labels?: Record<string, string> }
  spec: { network?: string; node: string; ipNetworks: string[]; profiles: string[] }
}

test('the life of a routed network on two hosts', async (t) => {
  const { cluster, nodes, hosts } = await buildDockerCluster(t, 'dkr', 2)
  const [one, two] = nodes
  const [a, b] = hosts
  const endpoints = async (): Promise<ListedEndpoint[]> =>
    (JSON.parse(await one.drover('get', 'endpoints', '-o', 'json')) as { items: ListedEndpoint[] }).items

  await a.docker(...createNetwork, '--subnet', '10.40.0.0/16', 'web')
  await a.docker('run', '-d', '--name', 'one', '--network', 'web', '--label', 'tier=front', ...idle)
  t.match(await a.docker('exec', 'one', 'ip', 'addr', 'show', 'eth0'), /inet 10\.40\.\d+\.\d+\/32/)
  t.match(await a.docker('exec', 'one', 'ip', 'route'), 'default via 169.254.1.1 dev eth0')
  const first = await a.addressOf('one', 'web')
  t.match(first, /^10\.40\./, 'docker inspect shows it')

  await b.knows('web')
  await b.docker('run', '-d', '--name', 'two', '--network', 'web', '--ip', '10.40.77.7', ...idle)
  t.equal(await b.addressOf('two', 'web'), '10.40.77.7', 'an address that was asked for')
  t.ok(await until('they reach each other', () => a.pings('one', '10.40.77.7')))
  t.ok(await b.pings('two', first))

  await t.test('who a container is', async (t) => {
    const found = (await endpoints()).find(({ spec }) => spec.ipNetworks.includes(`${first}/32`))
    t.match(found?.metadata.labels, { tier: 'front', 'drover.network/container': 'one' })
    t.equal(found?.spec.node, 'node1')
    t.equal(found?.spec.profiles.length, 1)
  })

  await t.test('a second network, while it runs', async (t) => {
    await a.docker(...createNetwork, '--subnet', '10.41.0.0/24', 'db')
    await a.docker('network', 'connect', 'db', 'one')
    const second = await a.addressOf('one', 'db')
    t.match(second, /^10\.41\.0\./)
    await b.knows('db')
    await b.docker('run', '-d', '--name', 'store', '--network', 'db', ...idle)
    t.ok(await until('it is reached on its second address', () => b.pings('store', second)))
    const store = await b.addressOf('store', 'db')
    t.ok(await until('it reaches others of that network', () => a.pings('one', store)))
    await a.docker('run', '-d', '--name', 'apart', '--network', 'web', ...idle)
    t.notOk(await a.pings('apart', store), 'networks are apart')
    t.notOk(await b.pings('store', await a.addressOf('apart', 'web')))
    await a.docker('rm', '-f', 'apart')
    t.ok(await b.pings('two', first), 'the first goes on')
    await a.docker('network', 'disconnect', 'db', 'one')
    t.notMatch(await a.docker('exec', 'one', 'ip', 'addr'), '10.41.0.')
    t.ok(await b.pings('two', first))
    await b.docker('rm', '-f', 'store')
    await a.docker('network', 'rm', 'db')
    await until(
      'it is gone on the other host',
      async () => !(await b.docker('network', 'ls', '--format', '{{.Name}}')).split('\n').includes('db'),
    )
    t.notMatch(await one.drover('get', 'pools'), '10.41.0.0/24', 'and its pool with it')
  })

  await t.test('published ports, and what its label allows', async (t) => {
    await b.docker(
      'run',
      '-d',
      '--name',
      'shop',
      '--network',
      'web',
      '--label',
      'role=shop',
      '-p',
      '8080:80',
      busybox,
      'httpd',
      '-f',
      '-h',
      '/',
    )
    const shop = await b.addressOf('shop', 'web')
    const fetches = async (place: typeof one.place, host: string): Promise<boolean> =>
      (await place.attempt('curl', ['-s', '-o', '/dev/null', '-m', '2', `http://${host}/bin/sleep`]))
        .exitCode === 0
    const wire = rack.ipv4.address(two.number)
    t.ok(await until('from outside', () => fetches(cluster.outside, `${wire}:8080`)))
    t.ok(await fetches(two.place, '127.0.0.1:8080'), 'on the host itself')
    t.match(await two.drover('ports'), '8080')
    const quick = ['exec', 'one', 'nc', '-w', '2', shop, '80']
    const connected = await a.attempt(...quick)
    t.equal(connected.exitCode, 0, `it connects: ${connected.stderr}`)
    await cluster.apply(`
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: shop }
spec:
  selector: role == 'shop'
  types: [Ingress]
  ingress: [{ action: Allow, source: { selector: "tier == 'back'" } }]
`)
    t.ok(await until('a policy turns it off', async () => (await a.attempt(...quick)).exitCode !== 0))
    t.notOk(await fetches(cluster.outside, `${wire}:8080`), 'by the published port too')
    const back = ['run', '--rm', '--network', 'web', '--label', 'tier=back', busybox, 'nc', '-w', '5']
    const began = performance.now()
    const allowed = await a.attempt(...back, shop, '80')
    t.equal(allowed.exitCode, 0, allowed.stderr)
    t.comment(`a run with its first request took ${String(Math.round(performance.now() - began))} ms`)
    await one.drover('delete', 'globalnetworkpolicy', 'shop')
    await b.docker('rm', '-f', 'shop')
  })

  await t.test('stopped, started, restarted, killed', async (t) => {
    await b.docker('stop', '-t', '0', 'two')
    t.notOk((await endpoints()).some(({ spec }) => spec.ipNetworks.includes('10.40.77.7/32')))
    await b.docker('start', 'two')
    t.ok(await until('it is back at its address', () => a.pings('one', '10.40.77.7')))
    await b.docker('restart', '-t', '0', 'two')
    t.ok(await until('and again', () => a.pings('one', '10.40.77.7')))
    await b.docker('kill', 'two')
    await b.docker('start', 'two')
    t.ok(await until('and again', () => a.pings('one', '10.40.77.7')))
  })

  await t.test('what can not be is said in words', async (t) => {
    const taken = await a.attempt('run', '--rm', '--network', 'web', '--ip', '10.40.77.7', ...idle)
    t.not(taken.exitCode, 0)
    t.match(taken.stderr, /10\.40\.77\.7 is held by docker workload/)
    const overlap = await a.attempt(...createNetwork, '--subnet', '10.40.8.0/24', 'other')
    t.match(overlap.stderr, /10\.40\.8\.0\/24 overlaps with 10\.40\.0\.0\/16/)
    const option = await a.attempt(...createNetwork, '-o', 'profil=x', 'other')
    t.match(option.stderr, /no option 'profil' of a drover network; did you mean 'profile'/)
    const pool = await a.attempt(...createNetwork, '--ipam-opt', 'pool=nowhere', 'other')
    t.match(pool.stderr, /no IPPool 'nowhere'/)
    const foreign = await a.attempt('network', 'create', '-d', 'drover', 'other')
    t.match(foreign.stderr, /another driver.*--ipam-driver drover/)
    t.same((await a.docker('network', 'ls', '-f', 'driver=drover', '--format', '{{.Name}}')).split('\n'), [
      'web',
    ])
  })

  await t.test('many at once', async (t) => {
    const names = Array.from({ length: 20 }, (_, index) => `many${String(index)}`)
    await Promise.all(names.map((name) => a.docker('run', '-d', '--name', name, '--network', 'web', ...idle)))
    const addresses = await Promise.all(names.map((name) => a.addressOf(name, 'web')))
    t.equal(new Set(addresses).size, names.length)
    const answered = await Promise.all(
      addresses.map((address) => until('all answer', () => reaches(one.place, address, 1))),
    )
    t.ok(answered.every(Boolean))
    await a.docker('rm', '-f', ...names)
  })

  await t.test('nothing is left', async (t) => {
    await a.docker('rm', '-f', 'one')
    await b.docker('rm', '-f', 'two')
    await a.docker('network', 'rm', 'web')
    t.same(await endpoints(), [])
    t.equal(await one.drover('ipam', 'check').then(() => 'clean', String), 'clean')
    t.notMatch((await one.place.run('ip', ['link'])).stdout, /: (drv|ofd)/)
    t.notMatch((await one.place.run('ip', ['route'])).stdout, '10.40.')
    const left = JSON.parse(await one.drover('get', 'networks', '-o', 'json')) as { items: unknown[] }
    t.same(left.items, [])
  })
})
