import { test } from 'tap'
import { Lab, buildCluster, reaches, until } from '../lab/index.ts'

const repairMs = 2000

test('what somebody does to the kernel', async (t) => {
  const lab = new Lab('drift')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, { nodes: 2 })
  const [one, two] = cluster.nodes
  const a = await one!.attach('a')
  const b = await two!.attach('b')
  const host = one!.place
  await until('a reaches b', () => reaches(a.place, b.addresses[0]!, 1))
  const ours = async (...family: string[]): Promise<string> =>
    (await host.run('ip', [...family, 'route', 'show', 'proto', '98'])).stdout
      .split('\n')
      .map((line) => line.trim())
      .sort()
      .join('\n')

  // Until the nodes have told each other all they know nothing of ours is removed.
  for (const family of ['-4', '-6'])
    await until(`node2's block is known by ${family}`, async () => (await ours(family)).includes(' via '))
  await until('routes may be removed', async () => {
    await host.run('ip', ['route', 'replace', 'blackhole', '203.0.113.1/32', 'proto', '98'])
    await new Promise((resolve) => setTimeout(resolve, 200))
    return !(await ours('-4')).includes('203.0.113.1')
  })

  t.test('our routes flushed: back within two seconds', async (t) => {
    for (const family of ['-4', '-6']) {
      const before = await ours(family)
      t.ok(before.length > 0)
      await host.run('ip', [family, 'route', 'flush', 'proto', '98'])
      const began = performance.now()
      await until('they are back', async () => (await ours(family)) === before, {
        timeoutMs: repairMs + 1000,
        intervalMs: 20,
      })
      const took = performance.now() - began
      t.ok(took < repairMs, `${family}: ${took.toFixed(0)} ms`)
    }
    t.ok(await reaches(a.place, b.addresses[0]!))
  })

  t.test('a foreign route: left alone', async (t) => {
    await host.run('ip', ['route', 'add', '192.0.2.0/24', 'via', '10.250.0.254', 'proto', 'static'])
    await host.run('ip', ['route', 'add', 'blackhole', '198.51.100.0/24', 'proto', 'boot'])
    const before = await ours('-4')
    await host.run('ip', ['route', 'flush', 'proto', '98'])
    await until('ours are back, all of them', async () => (await ours('-4')) === before)
    const all = (await host.run('ip', ['route'])).stdout
    t.match(all, '192.0.2.0/24 via 10.250.0.254')
    t.match(all, 'blackhole 198.51.100.0/24')
  })

  t.test('a route of ours changed to point elsewhere: put right', async (t) => {
    const device = a.result.hostInterface.name
    const before = await ours('-4')
    await host.run('ip', ['route', 'del', `${a.addresses[0]!}/32`, 'dev', device, 'proto', '98'])
    await host.run('ip', [
      'route',
      'add',
      'blackhole',
      `${a.addresses[0]!}/32`,
      'proto',
      '98',
      'metric',
      '1024',
    ])
    await until('it is put right', async () => (await ours('-4')) === before, {
      timeoutMs: repairMs + 1000,
      intervalMs: 20,
    }).catch(async () => t.equal(await ours('-4'), before, 'it is put right'))
    t.ok(await reaches(cluster.outside, a.addresses[0]!))
  })

  t.test('settings of an interface turned off: on again within two seconds', async (t) => {
    const device = a.result.hostInterface.name
    for (const name of [
      `ipv4.conf.${device}.forwarding`,
      `ipv4.conf.${device}.proxy_arp`,
      `ipv6.conf.${device}.forwarding`,
    ]) {
      await host.run('sysctl', ['-q', '-w', `net.${name}=0`])
      await until(
        `net.${name} is put right`,
        async () => (await host.run('sysctl', ['-n', `net.${name}`])).stdout === '1',
        {
          timeoutMs: repairMs,
          intervalMs: 20,
        },
      )
    }
    t.ok(await reaches(cluster.outside, a.addresses[0]!))
    t.ok(await reaches(cluster.outside, a.addresses[1]!))
  })

  t.test('the veth of a workload deleted: made again, with the same addresses', async (t) => {
    const device = a.result.hostInterface.name
    await host.run('ip', ['link', 'delete', device])
    const began = performance.now()
    await until('it is there again', () => reaches(cluster.outside, a.addresses[0]!, 1), {
      timeoutMs: repairMs + 3000,
      intervalMs: 20,
    })
    const took = performance.now() - began
    t.ok(took < repairMs, `${took.toFixed(0)} ms`)
    t.ok(await reaches(a.place, b.addresses[0]!), 'and the workload reaches others')
    t.ok(await reaches(a.place, b.addresses[1]!), 'by IPv6 too')
    t.match(await one!.drover('node', 'status'), /^a +eth0 .* up$/m)
  })
})
