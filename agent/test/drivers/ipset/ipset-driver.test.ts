import { execFileSync } from 'node:child_process'
import type { RenderedSetChange } from '@network/policy'
import type { Test } from 'tap'
import {
  type IpsetDriver,
  type IpsetOptions,
  createIpsetDriver,
  removeOurSets,
} from '../../../src/drivers/ipset/ipset-driver.ts'
import { canonicalMember } from '../../../src/drivers/ipset/set-lines.ts'
import { createExec } from '../../../src/exec.ts'
import { systemClock as clock } from '@network/net/system'
import { inOwnNetwork } from '../../own-network.ts'
import { recordingLog } from '../../recording-log.ts'

const exec = createExec()
const ipset = (...args: string[]): string => execFileSync('ipset', args, { encoding: 'utf8' })

function members(name: string): string[] {
  return ipset('save', name)
    .split('\n')
    .filter((line) => line.startsWith('add '))
    .map((line) => line.split(' ')[2] ?? '')
    .sort()
}

const created = (added: readonly string[], more: Partial<RenderedSetChange> = {}): RenderedSetChange => ({
  ...{ type: 'hash:net', family: 'ipv4', created: true, added, removed: [] },
  ...more,
})
const changed = (added: readonly string[], removed: readonly string[]): RenderedSetChange => ({
  ...created(added),
  created: false,
  removed,
})

/** Distinct addresses. */
const many = (count: number, from = 0): string[] =>
  Array.from(
    { length: count },
    (_, i) => `10.${(from + i) >> 16}.${((from + i) >> 8) & 255}.${(from + i) & 255}/32`,
  )

await inOwnNetwork(import.meta.url, async (t) => {
  const fresh = (t: Test, options: IpsetOptions = {}): IpsetDriver => {
    const driver = createIpsetDriver({ exec, clock, log: recordingLog() }, options)
    t.teardown(async () => {
      driver.close()
      await removeOurSets({ exec })
    })
    return driver
  }
  const settle = async (driver: IpsetDriver, changes: Record<string, RenderedSetChange | undefined> = {}) => {
    driver.update(new Map(Object.entries(changes)))
    return { grown: await driver.grow(), shrunk: await driver.shrink() }
  }

  await t.test('members of every type and family, as the kernel spells them', async (t) => {
    const driver = fresh(t)
    await settle(driver, {
      'drv-4': created(['10.0.0.1/32', '10.1.0.0/16']),
      'drv-6': created(['fd00::1/128', '::ffff:a00:1/128', 'fd01::/64'], { family: 'ipv6' }),
      'drv-port': created(['10.0.0.1,tcp:80', '10.0.0.1,sctp:9'], { type: 'hash:ip,port' }),
      'drv-iface': created(['10.0.0.1,drvabc'], { type: 'hash:net,iface' }),
      'drv-bits': created(['80', '8000-8002'], { type: 'bitmap:port', family: undefined }),
    })
    t.same(members('drv-4'), ['10.0.0.1', '10.1.0.0/16'])
    t.same(members('drv-6'), ['::ffff:10.0.0.1', 'fd00::1', 'fd01::/64'])
    t.same(members('drv-port'), ['10.0.0.1,sctp:9', '10.0.0.1,tcp:80'])
    t.same(members('drv-iface'), ['10.0.0.1,drvabc'])
    t.same(members('drv-bits'), ['80', '8000', '8001', '8002'])
    await driver.resync()
    const again = await settle(driver)
    t.match(
      again,
      { grown: { setsWritten: 0, repairs: 0 }, shrunk: { setsWritten: 0 } },
      'read back, all is known',
    )
  })

  await t.test('growing adds and shrinking removes, nothing else', async (t) => {
    const driver = fresh(t)
    await settle(driver, { 'drv-a': created(['10.0.0.1/32', '10.0.0.2/32']) })
    driver.update(new Map([['drv-a', changed(['10.0.0.3/32'], ['10.0.0.1/32'])]]))
    t.match(await driver.grow(), { membersAdded: 1 })
    t.same(members('drv-a'), ['10.0.0.1', '10.0.0.2', '10.0.0.3'])
    t.match(await driver.shrink(), { membersRemoved: 1 })
    t.same(members('drv-a'), ['10.0.0.2', '10.0.0.3'])
    t.match(await driver.grow(), { setsWritten: 0 })
  })

  await t.test('a set goes when it is tidied, and one that a rule names is tried again', async (t) => {
    const driver = fresh(t)
    await settle(driver, { 'drv-a': created(['10.0.0.1/32']) })
    execFileSync('iptables-nft', ['-A', 'INPUT', ...'-m set --match-set drv-a src -j ACCEPT'.split(' ')])
    await settle(driver, { 'drv-a': undefined })
    t.match(ipset('list', '-name'), 'drv-a')
    execFileSync('iptables-nft', ['-F', 'INPUT'])
    await driver.shrink({ tidy: false })
    t.match(ipset('list', '-name'), 'drv-a')
    await driver.shrink({ tidy: true })
    t.notMatch(ipset('list', '-name'), 'drv-a')
  })

  await t.test('a new driver takes over what an earlier one left; others are let be', async (t) => {
    ipset('create', 'theirs', 'hash:net')
    await settle(fresh(t), { 'drv-a': created(['10.0.0.1/32']), 'drv-old': created([]) })
    const driver = fresh(t)
    const done = await settle(driver, { 'drv-a': created(['10.0.0.1/32', '10.0.0.2/32']) })
    t.match(done.grown, { membersAdded: 1 })
    t.same(ipset('list', '-name').trim().split('\n').sort(), ['drv-a', 'theirs'])
    ipset('destroy', 'theirs')
  })

  await t.test('flushed, filled and destroyed by others: put right at the next look', async (t) => {
    const driver = fresh(t)
    await settle(driver, {
      'drv-a': created(['10.0.0.1/32']),
      'drv-b': created(['10.0.0.2/32']),
      'drv-c': created([]),
    })
    ipset('flush', 'drv-a')
    ipset('destroy', 'drv-b')
    ipset('add', 'drv-c', '10.9.9.9')
    await driver.resync()
    const { grown, shrunk } = await settle(driver)
    t.equal(grown.repairs + shrunk.repairs, 3)
    t.same([members('drv-a'), members('drv-b'), members('drv-c')], [['10.0.0.1'], ['10.0.0.2'], []])
  })

  await t.test('a full set is replaced by a larger one, in place', async (t) => {
    const driver = fresh(t, { maxElements: 64 })
    await settle(driver, { 'drv-a': created(many(60)) })
    execFileSync('iptables-nft', ['-A', 'INPUT', ...'-m set --match-set drv-a src -j ACCEPT'.split(' ')])
    t.teardown(() => execFileSync('iptables-nft', ['-F', 'INPUT']))
    const { grown } = await settle(driver, { 'drv-a': changed(many(1000, 60), []) })
    t.same(grown.faults, [])
    t.equal(members('drv-a').length, 1060)
    t.match(ipset('list', '-t', 'drv-a'), /maxelem 4096/)
    t.notMatch(ipset('list', '-name'), 'drv-tmp')
  })

  await t.test(
    'more than a set may have: refused with a fault; the set stays, the others are written',
    async (t) => {
      const driver = fresh(t, { maxElements: 64, mostElements: 100 })
      await settle(driver, { 'drv-a': created(many(60)) })
      const { shrunk } = await settle(driver, {
        'drv-a': changed(many(50, 60), []),
        'drv-b': created(many(1)),
      })
      t.match(shrunk.faults, [{ key: 'drv-a', code: 'full', message: /110 members, more than the 100/ }])
      t.equal(members('drv-a').length, 60)
      t.same(members('drv-b'), ['10.0.0.0'])
      t.match((await settle(driver, { 'drv-a': changed([], many(20, 60)) })).shrunk.faults, [])
      t.equal(members('drv-a').length, 90)
    },
  )

  await t.test('thousands come and go', async (t) => {
    const driver = fresh(t)
    await settle(driver, { 'drv-a': created(many(10_000)) })
    await settle(driver, { 'drv-a': changed([], many(9_900)) })
    t.same(
      members('drv-a'),
      many(100, 9_900)
        .map((member) => canonicalMember(member, 'hash:net'))
        .sort(),
    )
  })

  await t.test('what is told while sets are being written is written next', async (t) => {
    const driver = fresh(t)
    driver.update(new Map([['drv-a', created(many(10))]]))
    const growing = driver.grow()
    driver.update(new Map([['drv-a', changed(many(5, 10), many(5))]]))
    await growing
    await settle(driver)
    t.same(
      members('drv-a'),
      many(10, 5)
        .map((member) => canonicalMember(member, 'hash:net'))
        .sort(),
    )
  })
})
