import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'tap'
import { buildDockerCluster, busybox, createNetwork, idle, reaches, until } from '../lab/index.ts'
import { losePower } from './docker-hosts/reboot.ts'
import { type HostState, stateOf } from './docker-hosts/state.ts'

test('three hosts that start, fail and are full', async (t) => {
  const { lab, cluster, nodes, hosts } = await buildDockerCluster(t, 'dkh', 3)
  const [one, two, three] = nodes
  const [a, b, c] = hosts
  const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(1)

  await a.docker(...createNetwork, '--subnet', '10.40.0.0/16', 'web')
  await a.docker(...createNetwork, '--subnet', '10.41.0.0/24', 'db')
  for (const host of [b, c]) await host.knows('web', 'db')
  await a.docker('run', '-d', '--name', 'probe', '--network', 'web', ...idle)

  await t.test('the first packet of a container is judged already', async (t) => {
    const serve = [busybox, 'httpd', '-f', '-h', '/']
    await b.docker('run', '-d', '--name', 'shop', '--network', 'web', '--label', 'role=shop', ...serve)
    const shop = await b.addressOf('shop', 'web')
    await cluster.apply(`
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: shop }
spec:
  selector: role == 'shop'
  types: [Ingress]
  ingress: [{ action: Allow, source: { selector: "role in { 'friend', 'mute' }" } }]
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: mute }
spec:
  selector: role == 'mute'
  types: [Egress]
  egress: [{ action: Deny }]
`)
    const inside = await b.docker('inspect', '-f', '{{.State.Pid}}', 'shop')
    const wire = b.place.start('shop-wire', 'nsenter', [
      `--net=/proc/${inside}/ns/net`,
      'tcpdump',
      '-nl',
      '-i',
      'eth0',
      `tcp[tcpflags] & tcp-syn != 0 and dst host ${shop}`,
    ])
    await until('the wire is watched', () => wire.log().includes('listening on'))
    const connects = (role: string, index: number, patience: number) =>
      a.attempt(
        'run',
        '--rm',
        '--ip',
        `10.40.9.${String(index)}`,
        '--network',
        'web',
        '--label',
        `role=${role}`,
        busybox,
        ...['busybox', 'time', 'nc', '-w', String(patience), shop, '80'],
      )
    // A guest of the same network without a role, and one whose own way out is shut: by turns at the same addresses.
    const times: number[] = []
    const failed: string[] = []
    for (let round = 0; round < 4; round++) {
      const own = [1, 2, 3, 4, 5].map((number) => round * 5 + number)
      const friends = await Promise.all(own.map((number) => connects('friend', number, 5)))
      for (const { exitCode, stderr } of friends) {
        if (exitCode !== 0) failed.push(stderr)
        const took = /real\s+(\d+)m ([\d.]+)s/.exec(stderr)
        times.push(took === null ? Number.NaN : Number(took[1]) * 60 + Number(took[2]))
      }
      const before = wire.log()
      const shut = await Promise.all(
        own.map((number) => connects(number % 2 === 0 ? 'mute' : 'guest', number, 1)),
      )
      t.ok(
        shut.every(({ exitCode }) => exitCode !== 0),
        'what is denied does not connect',
      )
      t.equal(wire.log(), before, 'nor does a packet of it arrive')
    }
    t.same(failed, [], 'what is allowed connects')
    t.equal(times.length, 20)
    const late = times.filter((time) => !(time < 0.9))
    t.same(late, [], 'none needs a second attempt of the kernel, which comes after 1 s')
    t.comment(`connect and answer, s: ${times.map((time) => time.toFixed(2)).join(' ')}`)
    await wire.stop()
    await one.drover('delete', 'globalnetworkpolicy', 'shop', 'mute')
    await b.docker('rm', '-f', 'shop')
  })

  await t.test('fifty containers at once on one host', async (t) => {
    const names = Array.from({ length: 50 }, (_, index) => `many${String(index)}`)
    const began = performance.now()
    await Promise.all(names.map((name) => c.docker('run', '-d', '--name', name, '--network', 'web', ...idle)))
    t.comment(`50 containers were started in ${seconds(began)} s`)
    const shown = await c.docker(
      'inspect',
      '-f',
      '{{(index .NetworkSettings.Networks "web").IPAddress}}',
      ...names,
    )
    const addresses = shown.split('\n')
    t.equal(new Set(addresses).size, names.length, 'each has an address of its own')
    const all = `for each in ${addresses.join(' ')}; do ping -q -c 1 -W 2 $each || exit 1; done`
    const asked = await a.attempt('exec', 'probe', 'sh', '-c', all)
    t.equal(asked.exitCode, 0, `each is reached from another host: ${asked.stdout.slice(-300)}`)
    const ended = performance.now()
    await c.docker('rm', '-f', ...names)
    t.comment(`they were removed in ${seconds(ended)} s`)
    const left = await stateOf(cluster.etcd, three)
    t.same([left.endpoints, left.handles, left.interfaces], [[], [], []], 'and leave nothing')
  })

  /** What the second host has while its containers run, before and after whatever happens to it. */
  let before: HostState | undefined
  await t.test('a host loses its power', async (t) => {
    const fixed = (name: string, ip: string, ...more: string[]): Promise<string> =>
      b.docker(
        ...['run', '-d', '--name', name, '--restart', 'always', '--stop-timeout', '1'],
        ...['--network', 'web', '--ip', ip, ...more],
      )
    await fixed('kept', '10.40.7.1', '--label', 'role=kept', '-p', '8080:80', ...idle)
    await fixed('both', '10.40.7.2', ...idle)
    await b.docker('network', 'connect', '--ip', '10.41.0.7', 'db', 'both')
    await a.docker('run', '-d', '--name', 'store', '--network', 'db', ...idle)
    t.ok(await until('all is reached', () => a.pings('store', '10.41.0.7')))
    await until('nothing is pending', async () =>
      (await stateOf(cluster.etcd, two)).endpoints.every((each) => 'labels' in each),
    )
    before = await until(
      'what earlier containers had is tidied',
      async () => {
        const state = await stateOf(cluster.etcd, two)
        return state.chains.some((line) => /drv-[ft]w-drv/.test(line)) ? undefined : state
      },
      { timeoutMs: 30_000, intervalMs: 250 },
    )
    t.equal(before.endpoints.length, 3)
    await b.docker('run', '-d', '--name', 'once', '--network', 'web', ...idle)
    await losePower(lab, two, b)
    t.notOk(await reaches(one.place, '10.40.7.1', 1), 'it is gone')
    const began = performance.now()
    await Promise.all([two.startAgent(), b.start()])
    t.ok(
      await until('it is back', () => a.pings('probe', '10.40.7.1'), { timeoutMs: 60_000 }),
      'it regains its network',
    )
    t.comment(`${seconds(began)} s after the start of both`)
    t.ok(await until('so is the other', () => a.pings('probe', '10.40.7.2')))
    t.ok(await until('by its second network too', () => a.pings('store', '10.41.0.7')))
    const after = await until(
      'what nobody started again is gone',
      async () => {
        const state = await stateOf(cluster.etcd, two)
        return JSON.stringify(state) === JSON.stringify(before) ? state : undefined
      },
      { timeoutMs: 80_000, intervalMs: 1_000 },
    ).catch(() => stateOf(cluster.etcd, two))
    t.same(after, before, 'all is as before, object by object')
    t.comment(`${seconds(began)} s until nothing was left of before`)
    t.equal(await two.drover('ipam', 'check').then(() => 'clean', String), 'clean')
    await b.docker('start', 'once')
    t.ok(
      await until('what is started by hand works', async () =>
        a.pings('probe', await b.addressOf('once', 'web')),
      ),
    )
    await b.docker('rm', '-f', 'once')
  })

  await t.test('at boot dockerd is first', async (t) => {
    await b.stop()
    await two.agent().stop()
    const began = performance.now()
    const starting = b.start()
    await new Promise((resolve) => setTimeout(resolve, 4_000))
    await two.startAgent()
    await starting
    t.comment(`dockerd answered after ${seconds(began)} s, 4 of them without an agent`)
    t.ok(await until('it is back', () => a.pings('probe', '10.40.7.1'), { timeoutMs: 60_000 }))
    t.ok(await until('so is the other', () => a.pings('store', '10.41.0.7'), { timeoutMs: 30_000 }))
    t.same(await settled(() => stateOf(cluster.etcd, two), before), before)
  })

  await t.test('at boot the agent is first', async (t) => {
    await b.stop()
    await two.agent().stop()
    await two.startAgent()
    const began = performance.now()
    await b.start()
    t.comment(`dockerd answered after ${seconds(began)} s`)
    t.ok(await until('it is back', () => a.pings('probe', '10.40.7.1'), { timeoutMs: 60_000 }))
    t.ok(await until('so is the other', () => a.pings('store', '10.41.0.7'), { timeoutMs: 30_000 }))
    t.same(await settled(() => stateOf(cluster.etcd, two), before), before)
  })

  await t.test('Compose', async (t) => {
    const file = path.join(lab.folder, 'compose.yaml')
    writeFileSync(
      file,
      `
version: '3.5'
services:
  db:
    image: ${busybox}
    command: httpd -f -h /
    labels: { role: store }
    networks: { back: { ipv4_address: 10.44.0.7 } }
  shop:
    image: ${busybox}
    command: sleep 1000
    labels: { role: shop }
    networks: [back, front]
networks:
  back:
    driver: drover
    ipam: { driver: drover, config: [{ subnet: 10.44.0.0/24 }] }
  front:
    driver: drover
    ipam: { driver: drover, config: [{ subnet: 10.45.0.0/24 }] }
`,
    )
    const env = { DOCKER_HOST: `unix://${a.socket}` }
    const compose = async (...words: string[]): Promise<string> =>
      (
        await a.place.run('docker-compose', ['-p', 'yard', '-f', file, ...words], {
          env,
          timeoutMs: 90_000,
        })
      ).stdout
    await compose('up', '-d')
    t.equal(await a.addressOf('yard_db_1', 'yard_back'), '10.44.0.7')
    const looked = await a.docker('exec', 'yard_shop_1', 'nslookup', 'db', '127.0.0.11')
    t.match(looked, '10.44.0.7', 'a service has a name')
    const ask = async (): Promise<boolean> =>
      (await a.attempt('exec', 'yard_shop_1', 'nc', '-w', '2', '10.44.0.7', '80')).exitCode === 0
    t.ok(await until('a service is reached', ask))
    const listed = await stateOf(cluster.etcd, one)
    t.match(
      listed.endpoints.find((each) => (each as { address: string }).address === '10.44.0.7'),
      { labels: { role: 'store', 'com.docker.compose.service': 'db', 'com.docker.compose.project': 'yard' } },
    )
    await cluster.apply(`
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: store }
spec:
  selector: com.docker.compose.service == 'db'
  types: [Ingress]
  ingress: [{ action: Deny, source: { selector: com.docker.compose.service == 'shop' } }]
`)
    t.ok(await until('a policy selects services', async () => !(await ask())))
    await one.drover('delete', 'globalnetworkpolicy', 'store')
    t.ok(await until('and lets them', ask))
    await compose('down', '-t', '0')
    t.notMatch(await a.docker('network', 'ls', '--format', '{{.Name}}'), 'yard')
    t.notMatch(await one.drover('get', 'pools'), '10.44.0.0')
  })

  await t.test('nothing is left', async (t) => {
    await b.docker('rm', '-f', 'kept', 'both')
    await a.docker('rm', '-f', 'probe', 'store')
    await a.docker('network', 'rm', 'web', 'db')
    for (const node of cluster.nodes) {
      const { endpoints, handles, interfaces } = await stateOf(cluster.etcd, node)
      t.same([endpoints, handles, interfaces], [[], [], []], node.name)
    }
    t.equal(await one.drover('ipam', 'check').then(() => 'clean', String), 'clean')
  })
})

/** The state as soon as it is the one that is expected, or as it is after a while. */
async function settled<T>(look: () => Promise<T>, expected: T | undefined): Promise<T> {
  const end = performance.now() + 15_000
  for (;;) {
    const state = await look()
    if (JSON.stringify(state) === JSON.stringify(expected) || performance.now() > end) return state
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}
