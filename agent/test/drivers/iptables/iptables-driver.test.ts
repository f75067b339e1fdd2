import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type RenderedFamily, type RenderedRule, type Table, tables } from '@network/policy'
import type { Test } from 'tap'
import { chooseBackend } from '../../../src/drivers/iptables/backend.ts'
import type { Backend } from '../../../src/drivers/iptables/programs.ts'
import { type IptablesDriver, createIptablesDriver } from '../../../src/drivers/iptables/iptables-driver.ts'
import { removeOurChains } from '../../../src/drivers/iptables/remove-chains.ts'
import { type Exec, createExec } from '../../../src/exec.ts'
import { systemClock as clock } from '@network/net/system'
import { inOwnNetwork, program } from '../../own-network.ts'
import { recordingLog } from '../../recording-log.ts'

const exec = createExec()

/** Counts programs, to know that nothing is started where nothing is to be done. */
function counting(): Exec & { started: string[] } {
  const started: string[] = []
  return {
    started,
    run: (file, args, options) => {
      started.push(file)
      return exec.run(file, args, options)
    },
    start: (file, args, sink) => {
      started.push(file)
      return exec.start(file, args, sink)
    },
  }
}

const rule = (text: string, more: Partial<RenderedRule> = {}): RenderedRule => ({
  args: text.split(' '),
  ...more,
})

function changes(
  chains: Readonly<Record<string, readonly RenderedRule[] | undefined>>,
  jumps: Readonly<Record<string, readonly RenderedRule[]>> = {},
): RenderedFamily {
  const empty = <T>(of: (table: Table) => Map<string, T>): Record<Table, Map<string, T>> =>
    Object.fromEntries(tables.map((table) => [table, of(table)])) as Record<Table, Map<string, T>>
  return {
    chains: empty((table) => new Map(table === 'filter' ? Object.entries(chains) : [])),
    jumps: empty((table) => new Map(table === 'filter' ? Object.entries(jumps) : [])),
  }
}

const save = (backend: Backend): string => execFileSync(`iptables-${backend}-save`, { encoding: 'utf8' })
const iptables = (backend: Backend, line: string): string =>
  execFileSync(`iptables-${backend}`, ['-w', '10', ...line.split(' ')], { encoding: 'utf8' })

/** The rules of a chain as the kernel holds them, without our comments. */
function held(backend: Backend, chain: string): string[] {
  return save(backend)
    .split('\n')
    .filter((line) => line.startsWith(`-A ${chain} `))
    .map((line) => line.slice(`-A ${chain} `.length).replace(/-m comment --comment "?drv:[\w-]+"? /, ''))
}

const frame = {
  'drv-INPUT': [rule('-s 192.0.2.1 -j DROP'), rule('-p icmp -j drv-icmp'), rule('-p udp -j ACCEPT')],
  'drv-icmp': [rule('-j ACCEPT')],
}
const jump = { INPUT: [rule('-j drv-INPUT')] }

await inOwnNetwork(import.meta.url, async (t) => {
  const lock = path.join(mkdtempSync(path.join(tmpdir(), 'drover-xtables-')), 'lock')
  writeFileSync(lock, '')
  writeFileSync('/run/xtables.lock', '', { flag: 'a' })
  execFileSync('mount', ['--bind', lock, '/run/xtables.lock'])

  for (const backend of ['nft', 'legacy'] as const) {
    const fresh = (
      t: Test,
      more: { exec?: Exec; insertMode?: 'insert' | 'append' } = {},
    ): { driver: IptablesDriver; log: ReturnType<typeof recordingLog> } => {
      const log = recordingLog()
      const driver = createIptablesDriver(
        { exec: more.exec ?? exec, clock, log },
        { family: 'ipv4', backend, insertMode: more.insertMode ?? 'insert' },
      )
      t.teardown(async () => {
        driver.close()
        await removeOurChains({ exec }, { family: 'ipv4', backend })
      })
      return { driver, log }
    }

    await t.test(`${backend}: chains and jumps as desired, and nothing is done twice`, async (t) => {
      const counted = counting()
      const { driver } = fresh(t, { exec: counted })
      driver.update(changes(frame, jump))
      t.match(await driver.apply(), { faults: [], repairs: 0 })
      t.same(held(backend, 'INPUT'), ['-j drv-INPUT'])
      t.same(held(backend, 'drv-INPUT'), [
        '-s 192.0.2.1/32 -j DROP',
        '-p icmp -j drv-icmp',
        '-p udp -j ACCEPT',
      ])
      const programs = counted.started.length
      t.match(await driver.apply(), { rulesWritten: 0, chainsWritten: 0 })
      t.equal(counted.started.length, programs, 'no program was started')
      await driver.resync()
      t.match(
        await driver.apply(),
        { rulesWritten: 0, chainsWritten: 0, repairs: 0 },
        'read back, all is known',
      )
    })

    await t.test(
      `${backend}: a new driver knows what an earlier one wrote, and removes what is left over`,
      async (t) => {
        const first = fresh(t).driver
        first.update(changes({ ...frame, 'drv-old': [rule('-j DROP')] }, jump))
        await first.apply()
        const { driver } = fresh(t)
        driver.update(changes(frame, jump))
        t.match(await driver.apply(), { rulesWritten: 0 })
        t.notMatch(save(backend), 'drv-old')
      },
    )

    await t.test(
      `${backend}: a chain is rewritten from its first difference on; counters before it stay`,
      async (t) => {
        const { driver } = fresh(t)
        driver.update(changes(frame, jump))
        await driver.apply()
        await program('ping', ['-c', '2', '-i', '0.01', '127.0.0.1'])
        const packets = async (index: number): Promise<number | undefined> =>
          (await driver.counters()).find((one) => one.chain === 'drv-INPUT' && one.index === index)?.packets
        t.equal(await packets(1), 4)
        driver.update(
          changes({
            'drv-INPUT': [...frame['drv-INPUT'].slice(0, 2), rule('-p tcp -j ACCEPT'), rule('-j DROP')],
          }),
        )
        t.match(await driver.apply(), { rulesWritten: 2 })
        t.equal(await packets(1), 4)
        t.same(held(backend, 'drv-INPUT').slice(2), ['-p tcp -j ACCEPT', '-j DROP'])
        driver.update(changes({ 'drv-INPUT': frame['drv-INPUT'].slice(0, 1) }))
        await driver.apply()
        t.same(held(backend, 'drv-INPUT'), ['-s 192.0.2.1/32 -j DROP'])
      },
    )

    await t.test(
      `${backend}: rules without a place come and go without the others being touched`,
      async (t) => {
        const { driver } = fresh(t)
        const at = (name: string): RenderedRule => rule(`-i ${name} -j ACCEPT`, { anywhere: true })
        driver.update(changes({ 'drv-fwd': [at('drva'), at('drvc')] }))
        await driver.apply()
        driver.update(changes({ 'drv-fwd': [at('drva'), at('drvb'), at('drvc')] }))
        t.match(await driver.apply({ tidy: false }), { rulesWritten: 1, untidy: false })
        driver.update(changes({ 'drv-fwd': [at('drvb'), at('drvc')] }))
        t.match(await driver.apply({ tidy: false }), { rulesWritten: 0, untidy: true }, 'a removal may wait')
        t.equal(held(backend, 'drv-fwd').length, 3)
        t.match(await driver.apply({ tidy: true }), { rulesWritten: 1, untidy: false })
        t.same(held(backend, 'drv-fwd'), ['-i drvc -j ACCEPT', '-i drvb -j ACCEPT'])
      },
    )

    await t.test(`${backend}: others' rules stay, and our jump is first again`, async (t) => {
      const { driver } = fresh(t)
      iptables(backend, '-A INPUT -s 198.51.100.1 -j DROP')
      iptables(backend, '-N OTHERS')
      t.teardown(() => {
        iptables(backend, '-F INPUT')
        iptables(backend, '-X OTHERS')
      })
      driver.update(changes(frame, jump))
      await driver.apply()
      iptables(backend, '-I INPUT -j OTHERS')
      await driver.resync()
      t.match(await driver.apply(), { repairs: 1 })
      t.same(held(backend, 'INPUT'), ['-j drv-INPUT', '-j OTHERS', '-s 198.51.100.1/32 -j DROP'])
      driver.setInsertMode('append')
      await driver.apply()
      t.same(held(backend, 'INPUT').at(0), '-j drv-INPUT', 'appended, wherever it stands is well')
    })

    await t.test(`${backend}: appended behind what is there`, async (t) => {
      const { driver } = fresh(t, { insertMode: 'append' })
      iptables(backend, '-A INPUT -s 198.51.100.1 -j DROP')
      t.teardown(() => iptables(backend, '-F INPUT'))
      driver.update(changes(frame, jump))
      await driver.apply()
      t.same(held(backend, 'INPUT'), ['-s 198.51.100.1/32 -j DROP', '-j drv-INPUT'])
    })

    const tampering: Readonly<Record<string, () => void>> = {
      'iptables -F': () => iptables(backend, '-F'),
      'a chain flushed': () => iptables(backend, '-F drv-icmp'),
      'chains deleted': () => {
        iptables(backend, '-F')
        iptables(backend, '-X')
      },
      'a rule of theirs in our chain': () => iptables(backend, '-I drv-INPUT -j ACCEPT'),
      'a rule of ours deleted': () => iptables(backend, '-D drv-INPUT 2'),
      'the jump deleted': () => iptables(backend, '-F INPUT'),
    }
    for (const [what, tamper] of Object.entries(tampering)) {
      await t.test(`${backend}: ${what}: put right at the next look`, async (t) => {
        const { driver } = fresh(t)
        driver.update(changes(frame, jump))
        await driver.apply()
        const before = save(backend).replaceAll(/^#.*\n/gm, '')
        tamper()
        t.not(save(backend).replaceAll(/^#.*\n/gm, ''), before)
        await driver.resync()
        const report = await driver.apply()
        t.ok(report.repairs > 0, `${report.repairs} repairs`)
        t.equal(save(backend).replaceAll(/^#.*\n/gm, ''), before)
      })
    }

    await t.test(
      `${backend}: a change that meets tampered chains succeeds, since they are read again`,
      async (t) => {
        const { driver } = fresh(t)
        driver.update(changes(frame, jump))
        await driver.apply()
        iptables(backend, '-F')
        iptables(backend, '-X')
        driver.update(changes({ 'drv-INPUT': [...frame['drv-INPUT'], rule('-j DROP')] }))
        t.match(await driver.apply(), { faults: [] })
        t.equal(held(backend, 'drv-INPUT').length, 4)
        t.same(held(backend, 'INPUT'), ['-j drv-INPUT'])
      },
    )

    await t.test(
      `${backend}: a refused rule is left out or a drop, the rest is in force, the fault says which`,
      async (t) => {
        const { driver } = fresh(t)
        const origin = { kind: 'policy', id: 'NetworkPolicy/prod/web', direction: 'inbound' } as const
        const many = Array.from({ length: 40 }, (_, i) => rule(`-s 10.0.0.${i} -j ACCEPT`))
        driver.update(
          changes({
            'drv-INPUT': [
              ...many.slice(0, 17),
              rule('-s 10.1.0.0/16 -m set --match-set drv-absent src -j ACCEPT', {
                omissible: true,
                origin: { ...origin, position: 3 },
              }),
              rule('-p tcp -m set --match-set drv-absent src -j DROP', {
                origin: { ...origin, position: 5 },
              }),
              ...many.slice(17),
            ],
          }),
        )
        const report = await driver.apply()
        t.equal(report.faults.length, 2)
        t.match(report.faults[0], { code: 'refused', origin: { id: 'NetworkPolicy/prod/web', position: 3 } })
        t.match(report.faults[0]?.message, /Rule 3 \(inbound\) of NetworkPolicy\/prod\/web is refused/)
        t.match(report.faults[0]?.message, 'drv-absent', 'it shows the line')
        t.match(report.faults[1]?.message, /Rule 5 .* In its place stands '-p tcp -j DROP'/)
        t.same(held(backend, 'drv-INPUT').length, 41)
        t.equal(held(backend, 'drv-INPUT')[17], '-p tcp -j DROP')
        t.notMatch(save(backend), 'drv-trial', 'nothing is left of the search')

        execFileSync('ipset', ['create', 'drv-absent', 'hash:net'])
        t.teardown(async () => {
          await removeOurChains({ exec }, { family: 'ipv4', backend })
          execFileSync('ipset', ['destroy', 'drv-absent'])
        })
        await driver.resync()
        t.match(await driver.apply(), { faults: [] }, 'what is possible by now is tried again')
        t.equal(held(backend, 'drv-INPUT').length, 42)
      },
    )

    await t.test(`${backend}: names with blanks and quotes stay one word`, async (t) => {
      const { driver } = fresh(t)
      const prefix = 'a "b" \\c '
      driver.update(changes({ 'drv-INPUT': [{ args: ['-j', 'LOG', '--log-prefix', prefix] }] }))
      t.match(await driver.apply(), { faults: [] })
      t.match(held(backend, 'drv-INPUT')[0], '"a \\"b\\" \\\\c "')
    })

    await t.test(
      `${backend}: the program that writes is killed: the next change starts it again`,
      async (t) => {
        const counted = counting()
        const pids: number[] = []
        const { driver } = fresh(t, {
          exec: {
            ...counted,
            start(file, args, sink) {
              const started = counted.start(file, args, sink)
              if (started.pid !== undefined) pids.push(started.pid)
              return started
            },
          },
        })
        driver.update(changes(frame, jump))
        await driver.apply()
        process.kill(pids[0]!, 'SIGKILL')
        driver.update(changes({ 'drv-icmp': [rule('-j DROP')] }))
        t.match(await driver.apply(), { faults: [] })
        t.same(held(backend, 'drv-icmp'), ['-j DROP'])
        t.equal(pids.length, 2)
      },
    )
  }

  await t.test('legacy: the lock of xtables is waited for', async (t) => {
    const driver = createIptablesDriver(
      { exec, clock, log: recordingLog() },
      { family: 'ipv4', backend: 'legacy', insertMode: 'insert' },
    )
    t.teardown(async () => {
      driver.close()
      await removeOurChains({ exec }, { family: 'ipv4', backend: 'legacy' })
    })
    const holder = spawn('flock', ['/run/xtables.lock', 'sleep', '2'], { stdio: 'ignore' })
    t.teardown(() => holder.kill())
    await new Promise((resolve) => setTimeout(resolve, 200))
    const startedAt = Date.now()
    driver.update(changes(frame, jump))
    t.match(await driver.apply(), { faults: [] })
    t.ok(Date.now() - startedAt > 1_500, 'it came after the lock was free')
    t.same(held('legacy', 'INPUT'), ['-j drv-INPUT'])
  })

  await t.test('which iptables is in use', async (t) => {
    t.match(await chooseBackend({ exec }, 'auto'), { backend: 'nft' }, 'neither holds a rule')
    iptables('legacy', '-A INPUT -j ACCEPT')
    t.match(await chooseBackend({ exec }, 'auto'), { backend: 'legacy' })
    iptables('nft', '-A INPUT -j ACCEPT')
    await t.rejects(chooseBackend({ exec }, 'auto'), { code: 'backend-ambiguous', remedy: /iptablesBackend/ })
    t.match(await chooseBackend({ exec }, 'nft'), { backend: 'nft', other: { holdsOurs: false } })
    iptables('nft', '-F INPUT')
    iptables('nft', '-N drv-x')
    t.match(await chooseBackend({ exec }, 'auto'), {
      backend: 'legacy',
      other: { backend: 'nft', holdsOurs: true },
    })
    t.equal(await removeOurChains({ exec }, { family: 'ipv4', backend: 'nft' }), 1)
    iptables('legacy', '-F INPUT')
  })
})
