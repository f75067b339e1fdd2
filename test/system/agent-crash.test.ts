import { test } from 'tap'
import { Lab, buildCluster, reaches, startFlow, until } from '../lab/index.ts'

test('an agent that is killed loses no packet and no route', async (t) => {
  const lab = new Lab('crash')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab)
  const [one, two] = cluster.nodes
  const a = await one!.attach('a')
  const b = await two!.attach('b')
  await until('a reaches b', () => reaches(a.place, b.addresses[0]!, 1))
  await until('outside reaches a', () => reaches(cluster.outside, a.addresses[0]!, 1))
  const learned = await cluster.switch.learned()

  /** Watches the switch until told to stop; answers every prefix that was missing at any look. */
  const watchSwitch = (): { finish(): Promise<string[]> } => {
    const missing = new Set<string>()
    const stop = new AbortController()
    const done = (async () => {
      while (!stop.signal.aborted) {
        const now = new Set(await cluster.switch.learned())
        for (const prefix of learned) if (!now.has(prefix)) missing.add(prefix)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    })()
    return {
      finish: async () => {
        stop.abort()
        await done
        return [...missing]
      },
    }
  }

  t.test('killed while it programs, and restarted', async (t) => {
    const flows = [startFlow(a.place, b.addresses[0]!), startFlow(cluster.outside, a.addresses[1]!)]
    const watch = watchSwitch()
    for (let round = 0; round < 3; round++) {
      const attaches = Array.from({ length: 8 }, (_unused, i) =>
        one!.attach(`r${round}-${i}`, '--timeout', '5').then(
          () => 'attached',
          () => 'failed',
        ),
      )
      await new Promise((resolve) => setTimeout(resolve, 150 + 120 * round))
      one!.agent().signal('SIGKILL')
      await one!.agent().ended
      await Promise.all(attaches)
      await one!.startAgent()
    }
    await new Promise((resolve) => setTimeout(resolve, 1000))
    for (const flow of flows) {
      const report = await flow.finish()
      t.ok(report.sent > 100, `${report.sent} packets were sent`)
      t.equal(report.lost, 0, 'no packet is lost')
    }
    t.same(await watch.finish(), [], 'no route is lost at the switch')
  })

  t.test('afterwards the kernel holds exactly what etcd says', async (t) => {
    interface Endpoint {
      spec: { node: string; workload: string; interfaceName: string; ipNetworks: string[] }
    }
    const wanted = async (): Promise<Endpoint[]> => {
      const answer = JSON.parse(await one!.drover('get', 'endpoints', '-o', 'json')) as { items: Endpoint[] }
      return answer.items.filter(({ spec }) => spec.node === one!.name)
    }
    const kernel = async (): Promise<{ routes: string[]; links: string[] }> => {
      const routes = await one!.place.run('ip', ['-j', 'route', 'show', 'proto', '98'])
      const links = await one!.place.run('ip', ['-j', 'link', 'show', 'type', 'veth'])
      return {
        routes: (JSON.parse(routes.stdout) as { dst: string; dev?: string }[])
          .filter(({ dev }) => dev?.startsWith('drv'))
          .map(({ dst, dev }) => `${dst} ${dev ?? ''}`)
          .sort(),
        links: (JSON.parse(links.stdout) as { ifname: string }[])
          .map(({ ifname }) => ifname)
          .filter((name) => name.startsWith('drv'))
          .sort(),
      }
    }
    await until(
      'kernel and etcd agree',
      async () => {
        const endpoints = await wanted()
        const { routes, links } = await kernel()
        const routesWanted = endpoints
          .flatMap(({ spec }) =>
            spec.ipNetworks
              .filter((network) => !network.includes(':'))
              .map((network) => `${network.replace('/32', '')} ${spec.interfaceName}`),
          )
          .sort()
        const linksWanted = endpoints.map(({ spec }) => spec.interfaceName).sort()
        return JSON.stringify([routes, links]) === JSON.stringify([routesWanted, linksWanted])
      },
      { timeoutMs: 20_000 },
    )
    const status = JSON.parse(await one!.drover('node', 'status', '-o', 'json')) as {
      endpoints: { state: string }[]
    }
    t.same(
      status.endpoints.filter(({ state }) => state !== 'up'),
      [],
      'every endpoint is up',
    )
    t.match(await one!.drover('ipam', 'check', '--fix'), /nothing is wrong|repaired|Nothing is wrong/)
    t.match(await one!.drover('ipam', 'check'), 'nothing is wrong')
  })

  t.test('stopped in order and started again: nothing is lost either, at no node', async (t) => {
    const flows = [startFlow(cluster.outside, a.addresses[0]!), startFlow(b.place, a.addresses[0]!)]
    const watch = watchSwitch()
    const monitors = cluster.nodes.map((node) => node.place.start('routes', 'ip', ['-N', 'monitor', 'route']))
    await one!.agent().stop()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    await one!.startAgent()
    await until(
      'every session is back',
      async () => {
        const text = await one!.drover('node', 'status', '-o', 'json')
        const { peers } = JSON.parse(text) as { peers: { state: string }[] }
        return peers.every(({ state }) => state === 'Established')
      },
      { timeoutMs: 30_000, intervalMs: 250 },
    )
    await new Promise((resolve) => setTimeout(resolve, 1000))
    for (const flow of flows) t.equal((await flow.finish()).lost, 0)
    t.same(await watch.finish(), [])
    for (const monitor of monitors) {
      await monitor.stop()
      t.notMatch(monitor.log(), /^Deleted .* proto 98 /m, 'no route is taken away, not even for a moment')
    }
  })

  t.test(
    "the switch's BIRD is killed and restarted: traffic between nodes and from outside goes on",
    async (t) => {
      const flows = [startFlow(a.place, b.addresses[0]!), startFlow(cluster.outside, a.addresses[0]!)]
      await cluster.switch.restart('SIGKILL')
      await until(
        'the sessions are back',
        async () => {
          const sessions = await cluster.switch.sessions()
          return sessions.filter(({ state }) => state === 'Established').length === 6
        },
        { timeoutMs: 60_000 },
      )
      await new Promise((resolve) => setTimeout(resolve, 1000))
      for (const flow of flows) t.equal((await flow.finish()).lost, 0)
    },
  )
})
