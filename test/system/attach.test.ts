import { test } from 'tap'
import { Lab, buildCluster, reaches, until } from '../lab/index.ts'

test('attach and detach give any network namespace a routable address', async (t) => {
  const lab = new Lab('attach')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, { nodes: 2, defaultRoute: false })
  const [one, two] = cluster.nodes
  const program = async (...words: string[]) => one!.attempt(words)
  const far = await two!.attach('far')

  t.test('nodes without a default route: workloads on one node and on two reach each other', async (t) => {
    const x = await one!.attach('x')
    const y = await one!.attach('y')
    for (const [from, to] of [
      [x, y],
      [x, far],
      [far, y],
    ] as const) {
      for (const address of to.addresses) {
        t.ok(await until(`${from.name} reaches ${to.name}`, () => reaches(from.place, address, 1)), address)
      }
    }
    const route = await x.place.run('ip', ['route'])
    t.match(route.stdout, 'default via 169.254.1.1 dev eth0')
    t.match((await x.place.run('ip', ['-6', 'route'])).stdout, 'default via fe80::1 dev eth0')
  })

  t.test('a process by its pid', async (t) => {
    const place = await lab.namespace('bypid')
    const sleeper = place.start('sleep', 'sleep', ['300'])
    const done = await program('attach', '--pid', String(sleeper.pid), '--interface', 'net1')
    t.equal(done.exitCode, 0, done.stderr)
    t.match((await place.run('ip', ['-o', 'addr', 'show', 'net1'])).stdout, /inet 10\.65\./)
    t.equal((await program('detach', '--pid', String(sleeper.pid), '--interface', 'net1')).exitCode, 0)
    t.equal((await place.attempt('ip', ['link', 'show', 'net1'])).exitCode, 1)
  })

  t.test('a fixed address, of each family', async (t) => {
    const fixed = await one!.attach('fixed', '--ip', '10.65.200.80', '--ip', 'fd65::200:80')
    t.same(fixed.addresses, ['10.65.200.80', 'fd65::200:80'])
    for (const address of fixed.addresses) {
      t.ok(await until('it is reached from the other node', () => reaches(far.place, address, 1)), address)
    }
    const place = await lab.namespace('second')
    const refused = await program('attach', '--netns', place.netns, '--id', 'second', '--ip', '10.65.200.80')
    t.not(refused.exitCode, 0)
    t.match(refused.stderr, /10\.65\.200\.80.*fixed/s, refused.stderr)
  })

  t.test('a second network in the same namespace: both work', async (t) => {
    const place = await lab.namespace('twice')
    const answers = []
    for (const name of ['eth0', 'eth1']) {
      const done = await program(
        'attach',
        '--netns',
        place.netns,
        '--id',
        'twice',
        '--interface',
        name,
        '-o',
        'json',
      )
      t.equal(done.exitCode, 0, done.stderr)
      answers.push(JSON.parse(done.stdout) as { addresses: { address: string }[] })
    }
    for (const { addresses } of answers) {
      for (const { address } of addresses) {
        const bare = address.replace(/\/\d+$/, '')
        t.ok(await until(`${bare} is reached`, () => reaches(far.place, bare, 1)), bare)
      }
    }
  })

  t.test('an address that is kept by name comes back on another node', async (t) => {
    const here = await one!.attach('db-here', '--reserve', 'db')
    await one!.detach('db-here')
    const there = await two!.attach('db-there', '--reserve', 'db')
    t.same(there.addresses, here.addresses)
    t.ok(await until('it is reached there', () => reaches(far.place, there.addresses[0]!, 1)))
    const x = await one!.attach('watcher')
    t.ok(await until('from the first node too', () => reaches(x.place, there.addresses[0]!, 1)))
  })

  t.test('the same attach again answers the same', async (t) => {
    const first = await one!.attach('again')
    const second = await one!.attach('again')
    t.same(second, first)
  })

  t.test('fifty at once', async (t) => {
    const names = Array.from({ length: 50 }, (_unused, i) => `many${i}`)
    const workloads = await Promise.all(names.map((name) => one!.attach(name)))
    t.equal(new Set(workloads.flatMap(({ addresses }) => addresses)).size, 100)
    for (const workload of workloads.filter((_unused, i) => i % 10 === 0)) {
      t.ok(await until('it is reached', () => reaches(far.place, workload.addresses[0]!, 1)))
    }
    await Promise.all(names.map((name) => one!.detach(name)))
    t.match(await one!.drover('ipam', 'check'), 'nothing is wrong')
  })
})
