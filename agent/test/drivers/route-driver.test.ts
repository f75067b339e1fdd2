import { type Driver } from '../../src/drivers/driver.ts'
import { createIpSession } from '../../src/drivers/ip-session.ts'
import { createKernelWatch } from '../../src/drivers/kernel-watch.ts'
import { createReconciler } from '../../src/drivers/reconciler.ts'
import { createRouteDriver } from '../../src/drivers/route-driver.ts'
import { type RouteItem, routeKey } from '../../src/drivers/route.ts'
import { createExec } from '../../src/exec.ts'
import { openNetlink } from '../../src/netlink/socket.ts'
import { systemClock } from '@network/net/system'
import { inOwnNetwork, ip, until } from '../own-network.ts'
import { recordingLog } from '../recording-log.ts'

function desired(...items: RouteItem[]): ReadonlyMap<string, RouteItem> {
  return new Map(items.map((item) => [routeKey(item), item]))
}

async function applied(
  driver: Driver<RouteItem>,
  ...items: RouteItem[]
): Promise<Awaited<ReturnType<Driver<RouteItem>['apply']>>> {
  driver.setDesired(desired(...items))
  return driver.apply()
}

/** Every route of ours in the main table, one line each, next hops on the same line. */
function ours(): string[] {
  const lines = `${ip('-o route show proto 98')}${ip('-o -6 route show proto 98')}`.trim().split('\n')
  return lines.filter((line) => line !== '').map((line) => line.replace(/[\s\\]+/g, ' ').trim())
}

const remote = (destination: string, ...nextHops: string[]): RouteItem => ({
  kind: 'remote',
  destination,
  nextHops: nextHops.map((hop) => {
    const [gateway = '', device] = hop.split('%')
    return device === undefined ? { gateway } : { gateway, device }
  }),
})

await inOwnNetwork(import.meta.url, async (t) => {
  ip('link add uplink type veth peer name drvdp-far')
  ip('addr add 192.0.2.1/24 dev uplink')
  ip('addr add 2001:db8::1/64 dev uplink nodad')
  ip('link set uplink up')
  ip('link set drvdp-far up')
  ip('link add drvwork type veth peer name drvdp-w')
  ip('link set drvwork up')
  ip('link set drvdp-w up')

  const exec = createExec()
  const log = recordingLog()
  const session = createIpSession({ exec, clock: systemClock })
  t.teardown(() => session.close())
  const fresh = (): ReturnType<typeof createRouteDriver> =>
    createRouteDriver({ session, open: openNetlink, clock: systemClock, log })

  await t.test('a metric of our own, and one of a route', async (t) => {
    const items: RouteItem[] = [
      { kind: 'workload', destination: '10.9.0.1/32', device: 'drvwork' },
      { kind: 'workload', destination: 'fd09::1/128', device: 'drvwork' },
      { kind: 'blackhole', destination: '10.9.0.0/26' },
      remote('10.9.1.0/26', '192.0.2.2', '192.0.2.3'),
      { kind: 'remote', destination: '10.9.2.0/26', nextHops: [{ gateway: '192.0.2.2' }], metric: 77 },
      { kind: 'remote', destination: 'fd09:1::/122', nextHops: [{ gateway: '2001:db8::2' }], metric: 77 },
    ]
    const metrics = (): (string | undefined)[] =>
      ours()
        .map((line) => `${/metric (\d+)/.exec(line)?.[1] ?? '-'} ${line.replace(/^blackhole /, '')}`)
        .map((line) => line.split(' ').slice(0, 2).join(' '))
        .sort()
    const plain = fresh()
    plain.allowRemoval()
    t.match(await applied(plain, ...items), { added: 6, faults: [] })
    t.same(metrics(), [
      '- 10.9.0.0/26',
      '- 10.9.0.1',
      '- 10.9.1.0/26',
      '1024 fd09::1',
      '77 10.9.2.0/26',
      '77 fd09:1::/122',
    ])
    const ranked = createRouteDriver({ session, open: openNetlink, clock: systemClock, log }, { metric: 300 })
    t.match(await applied(ranked, ...items), {
      added: 4,
      changed: 0,
      removed: 0,
      removalsHeld: 4,
      faults: [],
    })
    ranked.allowRemoval()
    t.match(await ranked.apply(), { added: 0, changed: 0, removed: 4 })
    t.same(metrics(), [
      '300 10.9.0.0/26',
      '300 10.9.0.1',
      '300 10.9.1.0/26',
      '300 fd09::1',
      '77 10.9.2.0/26',
      '77 fd09:1::/122',
    ])
    await ranked.resync()
    t.match(
      await ranked.apply(),
      { added: 0, changed: 0, removed: 0 },
      'the kernel gives back what was written',
    )
    ip('route add 10.9.3.0/26 via 192.0.2.9')
    t.match(await applied(ranked, ...items, remote('10.9.3.0/26', '192.0.2.2')), { added: 1, faults: [] })
    t.match(ip('route show exact 10.9.3.0/26'), /via 192\.0\.2\.9/, "another's route of another metric stays")
    ip('route del 10.9.3.0/26 via 192.0.2.9')
    await applied(ranked)
    t.same(metrics(), [])
  })

  await t.test('each kind of route reaches the kernel and is found there again', async (t) => {
    const items: [item: RouteItem, line: RegExp][] = [
      [
        { kind: 'workload', destination: '10.0.0.1/32', device: 'drvwork' },
        /^10\.0\.0\.1 dev drvwork scope link/,
      ],
      [{ kind: 'workload', destination: 'fd00::1/128', device: 'drvwork' }, /^fd00::1 dev drvwork/],
      [remote('10.1.0.0/26', '192.0.2.2'), /^10\.1\.0\.0\/26 via 192\.0\.2\.2 dev uplink/],
      [
        remote('10.1.1.0/26', '192.0.2.2', '192.0.2.3'),
        /^10\.1\.1\.0\/26 nexthop via 192\.0\.2\.2 .*nexthop via 192\.0\.2\.3/,
      ],
      [remote('fd01::/122', '2001:db8::2'), /^fd01::\/122 via 2001:db8::2 dev uplink/],
      [
        remote('fd01:1::/122', '2001:db8::2', '2001:db8::3'),
        /^fd01:1::\/122 .*nexthop via 2001:db8::2 .*nexthop via 2001:db8::3/,
      ],
      [remote('fd01:2::/122', 'fe80::2%uplink'), /^fd01:2::\/122 via fe80::2 dev uplink/],
      [remote('10.1.2.0/26', '2001:db8::2%uplink'), /^10\.1\.2\.0\/26 via inet6 2001:db8::2 dev uplink/],
      [remote('10.1.3.0/26', '2001:db8::2%uplink', '192.0.2.9'), /^10\.1\.3\.0\/26 .*via inet6 2001:db8::2/],
      [
        {
          kind: 'remote',
          destination: '10.1.4.0/26',
          nextHops: [{ gateway: '192.0.2.2' }],
          source: '192.0.2.1',
        },
        /src 192\.0\.2\.1/,
      ],
      [remote('0.0.0.0/0', '192.0.2.254'), /^default via 192\.0\.2\.254/],
      [remote('::/0', '2001:db8::fe'), /^default via 2001:db8::fe/],
      [{ kind: 'blackhole', destination: '10.0.0.0/26' }, /^blackhole 10\.0\.0\.0\/26/],
      [{ kind: 'blackhole', destination: 'fd00::/122' }, /^blackhole fd00::\/122/],
    ]
    const driver = fresh()
    const report = await applied(driver, ...items.map(([item]) => item))
    t.match(report, { added: items.length, changed: 0, removed: 0, faults: [] })
    const lines = ours()
    for (const [item, line] of items)
      t.ok(
        lines.some((l) => line.test(l)),
        routeKey(item),
      )
    t.equal(lines.length, items.length)
    t.match(await driver.apply(), { added: 0, changed: 0, removed: 0 }, 'the same again writes nothing')
    await driver.resync()
    t.match(
      await driver.apply(),
      { added: 0, changed: 0, removed: 0 },
      'the kernel gives back what was written',
    )
    const successor = fresh()
    t.match(
      await applied(successor, ...items.map(([item]) => item)),
      { added: 0, changed: 0 },
      'a driver without a memory finds them all',
    )
    t.match(
      await applied(successor),
      { removed: 0, removalsHeld: items.length },
      'nothing is removed before in-sync',
    )
    t.equal(ours().length, items.length)
    successor.allowRemoval()
    t.match(await successor.apply(), { removed: items.length, removalsHeld: 0 })
    t.same(ours(), [])
  })

  await t.test('a route changes in place, between any two forms', async (t) => {
    const forms: RouteItem[] = [
      remote('10.5.0.0/26', '192.0.2.2'),
      remote('10.5.0.0/26', '192.0.2.3'),
      remote('10.5.0.0/26', '192.0.2.2', '192.0.2.3'),
      remote('10.5.0.0/26', '192.0.2.3', '192.0.2.4'),
      { kind: 'blackhole', destination: '10.5.0.0/26' },
      { kind: 'workload', destination: '10.5.0.0/26', device: 'drvwork' },
    ]
    const ipv6: RouteItem[] = [
      remote('fd05::/122', '2001:db8::2'),
      remote('fd05::/122', '2001:db8::2', '2001:db8::3'),
      remote('fd05::/122', '2001:db8::3', '2001:db8::4'),
      remote('fd05::/122', '2001:db8::5'),
      { kind: 'blackhole', destination: 'fd05::/122' },
      { kind: 'workload', destination: 'fd05::/122', device: 'drvwork' },
    ]
    for (const family of [forms, ipv6]) {
      const driver = fresh()
      driver.allowRemoval()
      for (const from of family) {
        for (const to of family) {
          if (from === to) continue
          await applied(driver, from)
          t.match(await applied(driver, to), { added: 0, changed: 1, faults: [] })
          await driver.resync()
          const again = await driver.apply()
          t.match(again, { added: 0, changed: 0 }, `${JSON.stringify(from)} → ${JSON.stringify(to)}`)
          t.equal(ours().length, 1)
        }
      }
      await applied(driver)
    }
  })

  await t.test('what is not ours stays and is reported', async (t) => {
    ip('route add 10.6.0.0/26 via 192.0.2.9')
    ip('-6 route add fd06::/122 via 2001:db8::9')
    ip('route add 10.6.1.0/26 via 192.0.2.9 proto 99')
    const driver = fresh()
    driver.allowRemoval()
    const report = await applied(
      driver,
      remote('10.6.0.0/26', '192.0.2.2'),
      remote('fd06::/122', '2001:db8::2'),
      remote('10.6.2.0/26', '192.0.2.2'),
    )
    t.equal(report.added, 1, 'the others are made')
    t.same(
      report.faults.map(({ key, code }) => [key, code]),
      [
        ['10.6.0.0/26', 'conflict'],
        ['fd06::/122', 'conflict'],
      ],
    )
    t.match(report.faults[0]?.message ?? '', /protocol 3, device uplink/)
    await applied(driver)
    t.match(ip('route show 10.6.0.0/26'), 'via 192.0.2.9')
    t.match(ip('-6 route show fd06::/122'), 'via 2001:db8::9')
    t.match(ip('-N route show 10.6.1.0/26'), 'proto 99')
    ip('route del 10.6.0.0/26')
    ip('-6 route del fd06::/122')
    ip('route del 10.6.1.0/26')
    t.match(
      await applied(driver, remote('10.6.0.0/26', '192.0.2.2')),
      { added: 1, faults: [] },
      'once it is gone',
    )
    await applied(driver)
  })

  await t.test('an item that the kernel or the syntax refuses does not stop the rest', async (t) => {
    const driver = fresh()
    driver.allowRemoval()
    const good = Array.from({ length: 50 }, (_, i) => remote(`10.7.${String(i)}.0/26`, '192.0.2.2'))
    const bad: [item: RouteItem, words: RegExp][] = [
      [remote('10.7.100.0/26', '198.51.100.1'), /[Nn]exthop|unreachable/],
      [
        { kind: 'workload', destination: '10.7.101.1/32', device: 'drvabsent' },
        /Cannot find device "drvabsent"/,
      ],
      [remote('10.7.102.0/26', '192.0.2.2\nlink del uplink'), /is not an address/],
      [{ kind: 'workload', destination: '10.7.103.1/32', device: 'lo; reboot' }, /is not an interface name/],
      [remote('10.7.104.1/26', '192.0.2.2'), /host bits set/],
      [remote('10.7.105.0/26'), /no next hop/],
      [remote('fd07::/64', '192.0.2.2'), /is IPv4/],
      [remote('fd07:1::/64', 'fe80::1'), /needs a device/],
    ]
    const report = await applied(
      driver,
      ...bad.slice(0, 4).map(([item]) => item),
      ...good,
      ...bad.slice(4).map(([item]) => item),
    )
    t.equal(report.added, good.length)
    t.equal(report.faults.length, bad.length)
    for (const [item, words] of bad) {
      const fault = report.faults.find(({ key }) => key === routeKey(item))
      t.match(fault?.message ?? '', words)
    }
    t.match(ip('link show uplink'), 'uplink')
    await applied(driver)
  })

  await t.test('drift is repaired within two seconds, without a periodic resync', async (t) => {
    const driver = fresh()
    const reports: number[] = []
    const reconciler = createReconciler(
      { driver, clock: systemClock, log },
      {
        concerns: driver.concerns,
        onReport: (report) => reports.push(report.added + report.changed + report.removed),
      },
    )
    const watch = createKernelWatch(
      { exec, clock: systemClock, log },
      { onEvent: (event) => reconciler.onKernelEvent(event) },
    )
    reconciler.allowRemoval()
    reconciler.start()
    watch.start()
    t.teardown(async () => {
      watch.stop()
      await reconciler.stop()
    })
    const items = [
      { kind: 'workload', destination: '10.8.0.1/32', device: 'drvwork' } as const,
      { kind: 'workload', destination: 'fd08::1/128', device: 'drvwork' } as const,
      remote('10.8.1.0/26', '192.0.2.2', '192.0.2.3'),
      { kind: 'blackhole', destination: '10.8.0.0/26' } as const,
    ]
    reconciler.setDesired(desired(...items))
    t.ok(await until(() => ours().length === items.length, 2000), 'made')
    await new Promise((resolve) => setTimeout(resolve, 300))
    const whole = ours()
    const drifts: [what: string, drift: () => unknown][] = [
      ['our routes are flushed', () => (ip('route flush proto 98'), ip('-6 route flush proto 98'))],
      ['one is deleted', () => ip('route del 10.8.0.1/32')],
      ['one gets another next hop', () => ip('route replace 10.8.1.0/26 via 192.0.2.7 proto 98')],
      ['one is added in our name', () => ip('route add 10.8.9.0/26 via 192.0.2.7 proto 98')],
      [
        'the workload interface goes down and up',
        () => (ip('link set drvwork down'), ip('link set drvwork up')),
      ],
      ['the uplink goes down and up', () => (ip('link set uplink down'), ip('link set uplink up'))],
    ]
    for (const [what, drift] of drifts) {
      drift()
      const begin = performance.now()
      t.ok(await until(() => ours().join('\n') === whole.join('\n'), 2000), what)
      t.comment(`${what}: repaired after ${(performance.now() - begin).toFixed(0)} ms`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    ip('link set uplink down')
    reconciler.setDesired(desired(...items, remote('10.8.6.0/26', '192.0.2.2')))
    t.ok(await until(() => (reconciler.lastReport()?.faults.length ?? 0) > 0, 2000), 'refused while down')
    await new Promise((resolve) => setTimeout(resolve, 3000))
    ip('link set uplink up')
    t.ok(await until(() => ours().length === items.length + 1, 1000), 'made at once when the uplink is back')
    await new Promise((resolve) => setTimeout(resolve, 300))
    reconciler.setDesired(desired(...items))
    t.ok(await until(() => ours().length === items.length, 1000))
    await new Promise((resolve) => setTimeout(resolve, 300))
    const before = reports.length
    ip('route add 10.9.9.0/26 via 192.0.2.7')
    ip('route del 10.9.9.0/26')
    await new Promise((resolve) => setTimeout(resolve, 300))
    t.equal(reports.length, before, "others' routes cost nothing")
    reconciler.setDesired(desired(...items, remote('10.8.7.0/26', '192.0.2.2')))
    await new Promise((resolve) => setTimeout(resolve, 500))
    t.equal(reports.length, before + 1, 'our own change comes back as an event that asks for nothing')
    reconciler.setDesired(new Map())
    t.ok(await until(() => ours().length === 0, 2000))
  })

  await t.test('10,000 routes', async (t) => {
    // Going down took the uplink's IPv6 address away.
    ip('addr replace 2001:db8::1/64 dev uplink nodad')
    const driver = fresh()
    driver.allowRemoval()
    const items = Array.from({ length: 10_000 }, (_, i) =>
      i % 2 === 0
        ? remote(
            `10.${String(100 + (i >> 12))}.${String((i >> 4) & 255)}.${String((i & 15) << 4)}/28`,
            '192.0.2.2',
            '192.0.2.3',
          )
        : remote(`fd09:${i.toString(16)}::/64`, '2001:db8::2'),
    )
    const add = await applied(driver, ...items)
    t.match(add, { added: 10_000, faults: [] }, add.faults[0]?.message ?? 'without a fault')
    const begin = performance.now()
    await driver.resync()
    const resync = performance.now() - begin
    const same = await driver.apply()
    t.match(same, { added: 0, changed: 0, removed: 0 })
    const changed = await applied(
      driver,
      ...items.map(
        (item) =>
          ({
            ...item,
            nextHops: [{ gateway: item.destination.includes(':') ? '2001:db8::7' : '192.0.2.7' }],
          }) as RouteItem,
      ),
    )
    t.match(changed, { changed: 10_000, faults: [] })
    const removed = await applied(driver)
    t.match(removed, { removed: 10_000, faults: [] })
    t.comment(
      `add ${add.durationMs.toFixed(0)} ms, resync ${resync.toFixed(0)} ms, compare ${same.durationMs.toFixed(0)} ms, ` +
        `change ${changed.durationMs.toFixed(0)} ms, remove ${removed.durationMs.toFixed(0)} ms`,
    )
    t.same(ours(), [])
  })
})
