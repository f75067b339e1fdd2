import { type Driver } from '../../src/drivers/driver.ts'
import { type InterfaceItem, createInterfaceDriver } from '../../src/drivers/interface-driver.ts'
import { createKernelWatch } from '../../src/drivers/kernel-watch.ts'
import { createReconciler } from '../../src/drivers/reconciler.ts'
import { SysctlError, hostSysctls, readSysctl, writeSysctls } from '../../src/drivers/sysctl.ts'
import { createExec } from '../../src/exec.ts'
import { openNetlink } from '../../src/netlink/socket.ts'
import { systemClock } from '@network/net/system'
import { addNamespace, inOwnNetwork, inside, ip, pings, until } from '../own-network.ts'
import { recordingLog } from '../recording-log.ts'

const items = (...names: string[]): ReadonlyMap<string, InterfaceItem> =>
  new Map(names.map((name) => [name, { name }]))

function makePair(name: string): void {
  ip(`link add ${name} type veth peer name p${name}`)
  ip(`link set ${name} up`)
}

await inOwnNetwork(import.meta.url, async (t) => {
  const exec = createExec()
  const log = recordingLog()
  const fresh = (graceMs: number): Driver<InterfaceItem> =>
    createInterfaceDriver({ open: openNetlink, clock: systemClock, log }, { graceMs })

  await t.test('present, missing, foreign, down, stale', async (t) => {
    makePair('drvone')
    makePair('drvstale')
    makePair('other')
    ip('link add drvbridge type bridge')
    const driver = fresh(0)
    driver.setDesired(items('drvone', 'drvgone', 'drvbridge'))
    const report = await driver.apply()
    t.same(
      report.faults.map(({ key, code }) => [key, code]),
      [
        ['drvgone', 'missing'],
        ['drvbridge', 'conflict'],
      ],
    )
    t.match(report, { removed: 0, removalsHeld: 1 }, 'nothing is removed before in-sync')
    driver.allowRemoval()
    t.match(await driver.apply(), { removed: 1, removalsHeld: 0 })
    const left = ip('-br link')
    t.notMatch(left, 'drvstale')
    for (const name of ['drvone', 'other', 'drvbridge']) t.match(left, name)
    ip('link set drvone down')
    await driver.resync()
    t.match(await driver.apply(), { changed: 1 })
    t.match(ip('link show drvone'), /<[A-Z,-]*\bUP\b/)
  })

  await t.test('one that has just been made is left until its news has come round', async (t) => {
    makePair('drvnew')
    const driver = fresh(300)
    driver.allowRemoval()
    driver.setDesired(items('drvone'))
    await driver.apply()
    t.match(ip('-br link'), 'drvnew')
    driver.setDesired(items('drvone', 'drvnew'))
    await driver.apply()
    await new Promise((resolve) => setTimeout(resolve, 400))
    driver.setDesired(items('drvone'))
    t.match(await driver.apply(), { removed: 0 }, 'the time counts from when it was no longer wanted')
    await new Promise((resolve) => setTimeout(resolve, 400))
    t.match(await driver.apply(), { removed: 1 })
  })

  await t.test(
    'a deleted interface is noticed within two seconds, also while the watch is restarted',
    async (t) => {
      const driver = createInterfaceDriver({ open: openNetlink, clock: systemClock, log }, { graceMs: 0 })
      const reconciler = createReconciler({ driver, clock: systemClock, log }, { concerns: driver.concerns })
      const watch = createKernelWatch(
        { exec, clock: systemClock, log },
        { onEvent: (event) => reconciler.onKernelEvent(event), restartDelayMs: 200 },
      )
      makePair('drvtwo')
      reconciler.setDesired(items('drvone', 'drvtwo'))
      reconciler.start()
      watch.start()
      t.teardown(async () => {
        watch.stop()
        await reconciler.stop()
      })
      const missing = (): string =>
        (reconciler.lastReport()?.faults ?? []).map((fault) => fault.key).join(' ')
      t.ok(await until(() => reconciler.lastReport() !== undefined && missing() === '', 2000))
      ip('link del drvtwo')
      t.ok(await until(() => missing() === 'drvtwo', 2000), 'missing')
      makePair('drvtwo')
      t.ok(await until(() => missing() === '', 2000), 'back')
      const pid = watch.pid()
      if (pid === undefined) throw new Error('the watch has no process')
      process.kill(pid, 'SIGKILL')
      ip('link del drvone')
      t.ok(await until(() => missing() === 'drvone', 2000), 'what happened while nobody watched')
      t.not(watch.pid(), pid)
      t.match(log.lines, [{ level: 'warn', message: /ip monitor ended/ }])
    },
  )

  await t.test('host settings are made, read back, and refused clearly', async (t) => {
    addNamespace('lan')
    ip('link add uplink type veth peer name eth0 netns drvdp-lan')
    ip('addr add 192.0.2.1/24 dev uplink')
    ip('link set uplink up')
    await inside('lan', 'ip', ['addr', 'add', '192.0.2.9/24', 'dev', 'eth0'])
    await inside('lan', 'ip', ['link', 'set', 'eth0', 'up'])
    await inside('lan', 'ip', ['route', 'add', '169.254.1.1', 'dev', 'eth0'])
    ip('link set drvtwo up')
    ip('addr add 169.254.1.1/32 dev drvtwo scope host')
    t.ok(await pings('lan', '169.254.1.1'), 'by itself the kernel answers for the gateway on the wire')
    await inside('lan', 'ip', ['neigh', 'flush', 'all'])
    const settings = hostSysctls({ uplinks: ['uplink'], families: ['ipv4', 'ipv6'] })
    t.ok(writeSysctls(settings) > 0)
    t.equal(writeSysctls(settings), 0, 'the second time nothing differs')
    t.equal(readSysctl('net/ipv4/ip_forward'), '1')
    t.equal(readSysctl('net/ipv6/conf/all/forwarding'), '1')
    await inside('lan', 'ip', ['neigh', 'flush', 'all'])
    t.notOk(await pings('lan', '169.254.1.1'), 'and with our settings it does not')
    t.ok(await pings('lan', '192.0.2.1'))
    const refusals: [path: string, value: string, code: string][] = [
      ['net/ipv4/conf/drvabsent/rp_filter', '1', 'sysctl-missing'],
      ['net/ipv4/ip_forward', 'yes', 'sysctl-refused'],
      ['net/ipv4/conf/uplink/arp_ignore', '99999999999999999999', 'sysctl-refused'],
    ]
    for (const [path, value, code] of refusals) {
      t.throws(
        () => writeSysctls([{ path, value }]),
        { constructor: SysctlError, code, details: { path } },
        path,
      )
    }
    for (const path of [
      '../../etc/passwd',
      'net/../../../etc/passwd',
      '',
      'net//ipv4',
      'net/ipv4/conf/a b/x',
    ]) {
      t.throws(() => readSysctl(path), TypeError, path)
    }
  })
})
