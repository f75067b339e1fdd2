/** What may stand in the way of wiring: what a crash left, names that others have, values that can't be, a store that disagrees. */
import { createExec } from '../../src/exec.ts'
import { type WireSpec } from '../../src/endpoint/wire.ts'
import { createWire } from '../../src/endpoint/wiring.ts'
import { hostSysctls, writeSysctls } from '../../src/drivers/sysctl.ts'
import { systemClock } from '@network/net/system'
import { addNamespace, inOwnNetwork, inside, ip, pings, removeNamespace, until } from '../own-network.ts'
import { recordingLog } from '../recording-log.ts'
import { hostRoutes, name, spec } from './wire-specs.ts'

await inOwnNetwork(import.meta.url, async (t) => {
  const exec = createExec()
  const log = recordingLog()
  const wire = createWire({ exec, clock: systemClock, log })
  t.teardown(() => wire.close())
  writeSysctls(hostSysctls({ uplinks: [], families: ['ipv4', 'ipv6'] }))
  ip('addr add 192.0.2.1/32 dev lo')
  ip('addr add 2001:db8::1/128 dev lo nodad')

  await t.test(
    'an interface that waits for an agreement: made, but the host end is down; gone if there is none',
    async (t) => {
      addNamespace('agree')
      t.teardown(() => removeNamespace('agree'))
      const wanted = spec('agree', ['10.0.0.5', 'fd00::5'])
      const device = name('agree')
      let [agree, refuse] = [(): void => undefined, (_error: Error): void => undefined]
      const agreement = (): Promise<void> =>
        new Promise((resolve, reject) => {
          agree = resolve
          refuse = reject
        })
      const isMade = (): Promise<boolean> =>
        until(async () => (await inside('agree', 'ip', ['-o', 'addr', 'show', 'eth0'])).text !== '', 3000)
      const isUp = (): boolean => /<[A-Z,-]*\bUP\b/.test(ip(`link show ${device}`))

      const refused = wire.wireWorkload(wanted, { agreement: agreement() })
      t.ok(await isMade())
      t.notOk(isUp())
      refuse(new Error('the store disagrees'))
      await t.rejects(refused, { message: 'the store disagrees' })
      t.notOk(
        (await wire.listOurs()).some((link) => link.name === device),
        'the pair is gone',
      )

      const agreed = wire.wireWorkload(wanted, { agreement: agreement() })
      t.ok(await isMade())
      t.notOk(isUp())
      agree()
      t.ok((await agreed).changed)
      t.ok(isUp())
      t.same(await wire.inspect(wanted), [])
      hostRoutes(device, ['10.0.0.5', 'fd00::5'])
      for (const address of ['10.0.0.5', 'fd00::5']) t.ok(await pings('host', address), address)

      const kept = wire.wireWorkload(spec('agree', ['10.0.0.6']), { agreement: agreement() })
      const before = await inside('agree', 'ip', ['-o', 'addr', 'show', 'eth0'])
      refuse(new Error('the store disagrees'))
      await t.rejects(kept, { message: 'the store disagrees' })
      const after = await inside('agree', 'ip', ['-o', 'addr', 'show', 'eth0'])
      t.equal(after.text, before.text, 'one that stood there already is left as it was')
      await wire.unwire({ hostInterfaceName: device })
    },
  )

  await t.test('what a crash left at any step is repaired', async (t) => {
    const wanted = spec('crash', ['10.0.0.9', 'fd00::9'])
    const device = wanted.hostInterfaceName
    const add = `link add ${device} type veth peer name eth0 netns drvdp-crash`
    const steps: [what: string, lines: string[]][] = [
      ['the pair, not configured', [add]],
      ['the host end alone configured', [add, `link set ${device} address ee:ee:ee:ee:ee:ee up`]],
      [
        'addresses without routes',
        [add, '-n drvdp-crash addr add 10.0.0.9/32 dev eth0', `link set ${device} up`],
      ],
      [
        'a link route without a default',
        [
          add,
          '-n drvdp-crash addr add 10.0.0.9/32 dev eth0',
          '-n drvdp-crash link set eth0 up',
          '-n drvdp-crash route add 169.254.1.1 dev eth0 scope link',
        ],
      ],
      ['both ends in the host', [`link add ${device} type veth peer name drvdp-half`]],
      ['an address of before', [add, '-n drvdp-crash addr add 10.0.0.8/32 dev eth0']],
    ]
    for (const [what, lines] of steps) {
      addNamespace('crash')
      for (const line of lines) ip(line)
      await wire.wireWorkload(wanted)
      hostRoutes(device, ['10.0.0.9', 'fd00::9'])
      t.same(await wire.inspect(wanted), [], what)
      t.ok(await pings('host', '10.0.0.9'), `${what}: reachable`)
      await wire.unwire({ hostInterfaceName: device })
      removeNamespace('crash')
    }

    await t.test('an end whose peer is in another namespace', async (t) => {
      addNamespace('crash')
      addNamespace('old')
      ip(`link add ${device} type veth peer name eth0 netns drvdp-old`)
      await wire.wireWorkload(wanted)
      t.same(await wire.inspect(wanted), [])
      t.notMatch((await inside('old', 'ip', ['link'])).text, 'eth0')
      removeNamespace('old')
      removeNamespace('crash')
      t.ok(
        await until(async () => (await wire.listOurs()).every((link) => link.name !== device), 3000),
        'the pair goes with its namespace',
      )
      await wire.unwire({ hostInterfaceName: device, netns: '/run/netns/drvdp-crash' })
    })
  })

  await t.test('names that are taken', async (t) => {
    addNamespace('taken')
    t.teardown(() => removeNamespace('taken'))
    const wanted = spec('taken', ['10.0.0.3'])
    ip('link add drvdp-y type veth peer name eth0 netns drvdp-taken')
    await t.rejects(wire.wireWorkload(wanted), {
      code: 'interface-taken',
      details: { interface: 'eth0', kind: 'veth' },
    })
    t.match((await inside('taken', 'ip', ['link'])).text, 'eth0', "the other's interface stays")
    ip('link del drvdp-y')
    ip(`link add ${wanted.hostInterfaceName} type bridge`)
    await t.rejects(wire.wireWorkload(wanted), { code: 'host-interface-taken', details: { kind: 'bridge' } })
    t.match(ip(`link show ${wanted.hostInterfaceName}`), wanted.hostInterfaceName)
    ip(`link del ${wanted.hostInterfaceName}`)
  })

  await t.test('hostile and wrong values are refused before anything is made', async (t) => {
    addNamespace('h')
    t.teardown(() => removeNamespace('h'))
    const good = spec('h', ['10.0.0.4'])
    const cases: [what: string, more: Partial<WireSpec>, code: string][] = [
      ['a line break', { interfaceName: 'e\nlink del lo' }, 'invalid'],
      ['a space', { interfaceName: 'eth0 up' }, 'invalid'],
      ['a shell word', { interfaceName: '$(reboot)' }, 'invalid'],
      ['a template of the kernel', { interfaceName: 'eth%d' }, 'invalid'],
      ['a path', { interfaceName: '../../x' }, 'invalid'],
      ['dots', { interfaceName: '..' }, 'invalid'],
      ['16 characters', { interfaceName: 'abcdefghijklmnop' }, 'invalid'],
      ['an option', { interfaceName: '-force' }, 'invalid'],
      ['a comment', { interfaceName: 'e#' }, 'invalid'],
      ['lo', { interfaceName: 'lo' }, 'invalid'],
      ['an empty name', { interfaceName: '' }, 'invalid'],
      ['a bad host name', { hostInterfaceName: 'drv;reboot' }, 'invalid'],
      ['a bad MAC', { mac: '02:00:00:00:00:00 up' }, 'invalid'],
      ['a group MAC', { mac: '01:00:5e:00:00:01' }, 'invalid'],
      ['an address that is none', { addresses: ['10.0.0.4 dev lo'] }, 'invalid'],
      ['an MTU too small for IPv6', { addresses: ['fd00::4'], mtuBytes: 1000 }, 'invalid'],
      ['an MTU that is no number', { mtuBytes: Number.NaN }, 'invalid'],
      ['a destination with host bits', { destinations: ['10.0.0.1/8'] }, 'invalid'],
      ['no namespace', { netns: '/run/netns/drvdp-nowhere' }, 'namespace-missing'],
      ['a file', { netns: '/etc/passwd' }, 'not-a-namespace'],
      ['a folder', { netns: '/run' }, 'not-a-namespace'],
      ['a device', { netns: '/dev/null' }, 'not-a-namespace'],
      ['a relative path', { netns: 'drvdp-h' }, 'invalid'],
      ['an option as path', { netns: '--net=/run/netns/drvdp-h' }, 'invalid'],
      ['a namespace of another kind', { netns: '/proc/self/ns/uts' }, 'not-a-namespace'],
      ["the host's own", { netns: '/proc/self/ns/net' }, 'own-namespace'],
    ]
    const before = ip('link')
    for (const [what, more, code] of cases) {
      await t.rejects(wire.wireWorkload({ ...good, ...more }), { code }, what)
    }
    t.equal(ip('link'), before, 'the host is as before')
    t.notMatch((await inside('h', 'ip', ['link'])).text, 'eth0')
    await t.rejects(wire.unwire({ hostInterfaceName: 'lo' }), { code: 'invalid' })
    await t.rejects(wire.unwire({ hostInterfaceName: 'drv\nlink del lo' }), { code: 'invalid' })
  })
})
