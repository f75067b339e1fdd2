import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createExec } from '../../src/exec.ts'
import { createWire } from '../../src/endpoint/wiring.ts'
import { hostSysctls, writeSysctls } from '../../src/drivers/sysctl.ts'
import { systemClock } from '@network/net/system'
import { addNamespace, inOwnNetwork, inside, ip, pings, program, removeNamespace } from '../own-network.ts'
import { recordingLog } from '../recording-log.ts'
import { hostRoutes, name, spec } from './wire-specs.ts'

await inOwnNetwork(import.meta.url, async (t) => {
  const exec = createExec()
  const log = recordingLog()
  const wire = createWire({ exec, clock: systemClock, log })
  t.teardown(() => wire.close())
  writeSysctls(hostSysctls({ uplinks: [], families: ['ipv4', 'ipv6'] }))

  await t.test('two workloads on a host without a default route reach each other and the host', async (t) => {
    for (const workload of ['a', 'b']) addNamespace(workload)
    t.teardown(() => {
      for (const workload of ['a', 'b']) removeNamespace(workload)
    })
    ip('addr add 192.0.2.1/32 dev lo')
    ip('addr add 2001:db8::1/128 dev lo nodad')
    t.equal(ip('route show default'), '', 'the host has no default route')
    const wired = await wire.wireWorkload(spec('a', ['10.0.0.1', 'fd00::1'], { mtuBytes: 1400 }))
    await wire.wireWorkload(spec('b', ['10.0.0.2', 'fd00::2']))
    hostRoutes(name('a'), ['10.0.0.1', 'fd00::1'])
    hostRoutes(name('b'), ['10.0.0.2', 'fd00::2'])
    t.same(wired.addresses, [
      { address: '10.0.0.1/32', gateway: '169.254.1.1' },
      { address: 'fd00::1/128', gateway: 'fe80::1' },
    ])
    t.same(wired.routes, [
      { destination: '169.254.1.1/32' },
      { destination: '0.0.0.0/0', gateway: '169.254.1.1' },
      { destination: '::/0', gateway: 'fe80::1' },
    ])
    t.equal(wired.hostInterface.mac, 'ee:ee:ee:ee:ee:ee')
    t.ok(wired.changed)
    for (const [from, to] of [
      ['a', '10.0.0.2'],
      ['b', '10.0.0.1'],
      ['a', 'fd00::2'],
      ['b', 'fd00::1'],
      ['a', '192.0.2.1'],
      ['a', '2001:db8::1'],
      ['a', '169.254.1.1'],
      ['host', '10.0.0.1'],
      ['host', 'fd00::2'],
    ] as const) {
      t.ok(await pings(from, to), `${from} reaches ${to}`)
    }
    const neighbours = (await inside('a', 'ip', ['neigh'])).text
    for (const line of neighbours.trim().split('\n')) t.match(line, 'ee:ee:ee:ee:ee:ee', line)
    t.match(ip('route get 10.0.0.1'), 'src 192.0.2.1', 'the gateway address is never a source')
    const link = (await inside('a', 'ip', ['link', 'show', 'eth0'])).text
    t.match(link, 'mtu 1400')
    t.match(ip(`link show ${name('a')}`), 'mtu 1400')
    const forwarding = await inside('a', 'cat', ['/proc/sys/net/ipv4/ip_forward'])
    t.equal(forwarding.text.trim(), '0', 'a workload forwards nothing')

    await t.test('what comes with another source is dropped by the host', async (t) => {
      await inside('a', 'ip', ['addr', 'add', '10.0.0.99/32', 'dev', 'eth0'])
      ip(`route add 10.0.0.99/32 dev ${name('b')}`)
      t.notOk(await pings('a', '10.0.0.2', '10.0.0.99'))
      ip(`route del 10.0.0.99/32 dev ${name('b')}`)
    })

    await t.test('wiring repairs what differs, and then finds no difference', async (t) => {
      const wanted = spec('a', ['10.0.0.1', 'fd00::1'], { mtuBytes: 1400 })
      t.same(
        (await wire.inspect(wanted)).map((difference) => difference.field),
        ['container.address 10.0.0.99/32'],
      )
      const spoils: [field: string, spoil: () => unknown][] = [
        ['container.mtuBytes', () => inside('a', 'ip', ['link', 'set', 'eth0', 'mtu', '1300'])],
        ['host.mtuBytes', () => ip(`link set ${name('a')} mtu 1300`)],
        ['host.up', () => ip(`link set ${name('a')} down`)],
        ['host.address 169.254.1.1/32', () => ip(`addr del 169.254.1.1/32 dev ${name('a')}`)],
        ['container.up', () => inside('a', 'ip', ['link', 'set', 'eth0', 'down'])],
        [
          'container.address 10.0.0.1/32',
          () => inside('a', 'ip', ['addr', 'del', '10.0.0.1/32', 'dev', 'eth0']),
        ],
        [
          'container.address fd00::1/128',
          () => inside('a', 'ip', ['addr', 'del', 'fd00::1/128', 'dev', 'eth0']),
        ],
        ['container.route 0.0.0.0/0 table main', () => inside('a', 'ip', ['route', 'del', 'default'])],
        ['container.route ::/0 table main', () => inside('a', 'ip', ['-6', 'route', 'del', 'default'])],
        ['container.mac', () => inside('a', 'ip', ['link', 'set', 'eth0', 'address', '02:00:00:00:00:07'])],
        [
          `host.sysctl net/ipv4/conf/${name('a')}/rp_filter`,
          () => program('sh', ['-c', `echo 0 > /proc/sys/net/ipv4/conf/${name('a')}/rp_filter`]),
        ],
      ]
      for (const [field, spoil] of spoils) {
        await spoil()
        const fields = (await wire.inspect(wanted)).map((difference) => difference.field)
        t.ok(fields.includes(field), `${field} is named, with [${fields.join(', ')}]`)
        t.equal((await wire.wireWorkload(wanted)).changed, true, `${field} is repaired`)
        t.same(await wire.inspect(wanted), [], `nothing differs after the repair of ${field}`)
      }
      hostRoutes(name('a'), ['10.0.0.1', 'fd00::1'])
      t.ok(await pings('b', '10.0.0.1'))
      t.ok(await pings('b', 'fd00::1'))
      const index = (await wire.wireWorkload(wanted)).hostInterface.index
      const again = await wire.wireWorkload(wanted)
      t.equal(again.changed, false, 'the same again writes nothing')
      t.equal(again.hostInterface.index, index, 'and keeps the interface')
    })

    await t.test('unwiring removes the pair, and again is fine', async (t) => {
      await wire.unwire({ hostInterfaceName: name('a'), netns: '/run/netns/drvdp-a' })
      t.notMatch((await inside('a', 'ip', ['link'])).text, 'eth0')
      await wire.unwire({ hostInterfaceName: name('a'), netns: '/run/netns/drvdp-a' })
      await wire.unwire({ hostInterfaceName: name('a'), netns: '/run/netns/drvdp-absent' })
      await wire.unwire({ hostInterfaceName: name('a') })
      t.same(
        (await wire.listOurs()).map((link) => link.name),
        [name('b')],
      )
    })
  })

  await t.test('what a workload sends from where it chooses no source', async (t) => {
    addNamespace('kept')
    t.teardown(() => removeNamespace('kept'))
    const addresses = ['10.0.0.20', 'fd00::20', '10.0.0.21', 'fd00::21']
    const sourceOf = async (target: string): Promise<string> =>
      (await inside('kept', 'ip', ['route', 'get', target])).text
    await wire.wireWorkload(spec('kept', addresses))
    t.match(await sourceOf('192.0.2.9'), 'src 10.0.0.20')
    const wanted = spec('kept', addresses, { sources: ['fd00::21', '10.0.0.21'] })
    t.same(
      (await wire.inspect(wanted)).map(({ field }) => field),
      ['container.route 0.0.0.0/0 table main', 'container.route ::/0 table main'],
    )
    await wire.wireWorkload(wanted)
    t.match(await sourceOf('192.0.2.9'), 'src 10.0.0.21')
    t.match(await sourceOf('2001:db8::9'), 'src fd00::21')
    t.same(await wire.inspect(wanted), [])
    const second = spec('kept', ['10.1.0.20', '10.1.0.21'], {
      interfaceName: 'eth1',
      sources: ['10.1.0.21'],
      destinations: ['10.1.0.0/24'],
    })
    await wire.wireWorkload(second)
    t.match(await sourceOf('10.1.0.9'), 'src 10.1.0.21', 'to the networks of a further interface too')
    t.match(await sourceOf('192.0.2.9'), 'src 10.0.0.21')
    t.same(await wire.inspect(second), [])
    await t.rejects(wire.wireWorkload(spec('kept', addresses, { sources: ['10.0.0.99'] })), {
      code: 'invalid',
      message: /sources .*'10.0.0.99', which is none of its addresses/,
    })
    for (const interfaceName of ['eth0', 'eth1'])
      await wire.unwire({ hostInterfaceName: name('kept', interfaceName) })
  })

  await t.test('a second network in one namespace works beside the first', async (t) => {
    for (const workload of ['two', 'peer']) addNamespace(workload)
    t.teardown(() => {
      for (const workload of ['two', 'peer']) removeNamespace(workload)
    })
    const second = spec('two', ['10.1.0.1', 'fd01::1'], {
      interfaceName: 'eth1',
      hostInterfaceName: name('two', 'eth1'),
      destinations: ['10.1.0.0/16', 'fd01::/64'],
    })
    await wire.wireWorkload(spec('two', ['10.0.0.1', 'fd00::1']))
    const wired = await wire.wireWorkload(second)
    t.same(wired.routes, [
      { destination: '10.1.0.0/16', gateway: '169.254.1.1' },
      { destination: 'fd01::/64', gateway: 'fe80::1' },
    ])
    await wire.wireWorkload(spec('peer', ['10.1.0.2', 'fd01::2']))
    hostRoutes(name('two'), ['10.0.0.1', 'fd00::1'])
    hostRoutes(name('two', 'eth1'), ['10.1.0.1', 'fd01::1'])
    hostRoutes(name('peer'), ['10.1.0.2', 'fd01::2'])
    await inside('two', 'sysctl', ['-qw', 'net.ipv4.conf.all.rp_filter=1'])
    for (const target of ['10.0.0.1', '10.1.0.1', 'fd00::1', 'fd01::1']) {
      t.ok(await pings('peer', target), `the peer reaches ${target}, with a strict rp_filter on both sides`)
    }
    t.ok(await pings('two', '10.1.0.2'), 'and is reached')
    t.ok(await pings('two', 'fd01::2'), 'and is reached by IPv6')
    t.match((await inside('two', 'ip', ['route', 'get', '10.1.0.2'])).text, /dev eth1 .*src 10\.1\.0\.1/)
    t.same(await wire.inspect(second), [])
    t.equal((await wire.wireWorkload(second)).changed, false)
    t.match((await inside('two', 'ip', ['rule'])).text, 'from 10.1.0.1')
    t.match((await inside('two', 'ip', ['-6', 'rule'])).text, 'from fd01::1')
    await wire.unwire({ hostInterfaceName: name('two', 'eth1'), netns: '/run/netns/drvdp-two' })
    t.notMatch((await inside('two', 'ip', ['rule'])).text, 'from 10.1.0.1', 'its rules go with it')
    t.notMatch((await inside('two', 'ip', ['-6', 'rule'])).text, 'from fd01::1')
    t.ok(await pings('peer', '10.0.0.1'), 'the first network stays')
    await wire.wireWorkload({ ...second, defaultRoute: true }).then(
      () => t.fail('a second default route was accepted'),
      (error: unknown) => t.match(error, { code: 'default-route-taken', details: { device: 'eth0' } }),
    )
    t.notMatch((await inside('two', 'ip', ['link'])).text, 'eth1', 'nothing is left of the refused one')
  })

  await t.test("a namespace that has another's default route keeps it", async (t) => {
    addNamespace('docked')
    t.teardown(() => removeNamespace('docked'))
    ip('link add drvdp-x type veth peer name eth0 netns drvdp-docked')
    for (const line of [
      'addr add 172.17.0.2/16 dev eth0',
      'link set eth0 up',
      'route add default via 172.17.0.1',
    ]) {
      await inside('docked', 'ip', line.split(' '))
    }
    await wire.wireWorkload(
      spec('docked', ['10.0.0.7'], { interfaceName: 'eth1', hostInterfaceName: name('docked', 'eth1') }),
    )
    hostRoutes(name('docked', 'eth1'), ['10.0.0.7'])
    t.ok(await pings('host', '10.0.0.7'))
    t.match((await inside('docked', 'ip', ['route', 'show', 'default'])).text, 'via 172.17.0.1 dev eth0')
    await wire.unwire({ hostInterfaceName: name('docked', 'eth1'), netns: '/run/netns/drvdp-docked' })
    ip('link del drvdp-x')
  })

  await t.test('an interface that waits for its addresses gets them later', async (t) => {
    addNamespace('w')
    t.teardown(() => removeNamespace('w'))
    const waiting = spec('w', [])
    const made = await wire.wireWorkload(waiting)
    t.same([made.addresses, made.routes], [[], []])
    t.same(await wire.inspect(waiting), [])
    t.notOk((await wire.wireWorkload(waiting)).changed)
    t.match((await inside('w', 'ip', ['-o', 'link', 'show', 'eth0'])).text, /[<,]UP[,>]/, 'it is up')
    t.equal((await inside('w', 'ip', ['-4', 'route'])).text, '')
    const complete = await wire.wireWorkload(spec('w', ['10.0.0.77']))
    t.same(complete.hostInterface, made.hostInterface, 'the same interface')
    t.same(await wire.inspect(spec('w', ['10.0.0.77'])), [])
    hostRoutes(name('w'), ['10.0.0.77'])
    t.ok(await pings('host', '10.0.0.77'))
    await wire.unwire({ hostInterfaceName: name('w') })
  })

  await t.test('a namespace by pid and by a path with spaces', async (t) => {
    const folder = mkdtempSync('/run/netns/')
    writeFileSync(`${folder}/a place`, '')
    addNamespace('path')
    t.teardown(() => removeNamespace('path'))
    await program('mount', ['--bind', '/run/netns/drvdp-path', `${folder}/a place`])
    t.teardown(async () => {
      await program('umount', [`${folder}/a place`])
    })
    const wanted = spec('path', ['10.0.0.6'], { netns: `${folder}/a place` })
    const { namespace } = await wire.wireWorkload(wanted)
    t.match(namespace, /^net:\[\d+\]$/)
    t.equal((await wire.wireWorkload({ ...wanted, netns: '/run/netns/drvdp-path' })).changed, false)
    await wire.unwire({ hostInterfaceName: wanted.hostInterfaceName })
  })

  await t.test('250 workloads', async (t) => {
    const count = 250
    const specs = Array.from({ length: count }, (_, i) =>
      spec(`n${String(i)}`, [`10.2.${String(i)}.1`, `fd02::${String(i + 1)}`]),
    )
    const batch = specs.map((_, i) => `netns add drvdp-n${String(i)}`)
    for (const line of batch) ip(line)
    const times: number[] = []
    const steps: Record<string, number[]> = {}
    for (const wanted of specs) {
      const begin = performance.now()
      const { stepsMs } = await wire.wireWorkload(wanted)
      times.push(performance.now() - begin)
      for (const [step, ms] of Object.entries(stepsMs)) (steps[step] ??= []).push(ms)
    }
    const quantile = (values: readonly number[], q: number): string =>
      (values.toSorted((a, b) => a - b)[Math.floor(values.length * q)] ?? 0).toFixed(1)
    t.comment(
      `wiring, one after another: p50 ${quantile(times, 0.5)} ms, p99 ${quantile(times, 0.99)} ms; ` +
        Object.entries(steps)
          .map(([step, values]) => `${step} ${quantile(values, 0.5)}`)
          .join(', '),
    )
    t.equal((await wire.listOurs()).length, count)
    t.same(await wire.inspect(specs[count - 1]!), [])
    t.match(readFileSync(`/proc/sys/net/ipv4/conf/${specs[0]!.hostInterfaceName}/proxy_arp`, 'utf8'), '1')
    const begin = performance.now()
    for (const wanted of specs) await wire.unwire({ hostInterfaceName: wanted.hostInterfaceName })
    t.comment(`unwiring: ${((performance.now() - begin) / count).toFixed(1)} ms each`)
    const parallel = performance.now()
    const queue = [...specs]
    const worker = async (): Promise<void> => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) await wire.wireWorkload(next)
    }
    await Promise.all(Array.from({ length: 10 }, worker))
    t.comment(`wiring, ten at once: ${((performance.now() - parallel) / count).toFixed(1)} ms each`)
    t.equal((await wire.listOurs()).length, count)
  })
})
