/** Others beside us: Docker's rules, somebody who flushes, a lock that is held, sets at their limit, a rule that the kernel refuses. */
import { setTimeout as sleep } from 'node:timers/promises'
import tap, { type Test } from 'tap'
import { chooseBackend } from '../../../agent/src/drivers/iptables/backend.ts'
import type { Backend } from '../../../agent/src/drivers/iptables/programs.ts'
import { type State, allow, from, named, networkSet, policy, tcp } from '../case.ts'
import { bothDirections, types } from '../cases/directions.ts'
import { tiers } from '../cases/tiers.ts'
import { createPolicyNode } from '../node.ts'
import { type Rack, buildRack } from '../rack.ts'
import { expectedOf, shootAll } from '../shooting.ts'
import { until } from '../../lab/index.ts'

const state: State = {
  resources: [policy('p', { selector: named('web'), ingress: [from('Allow', 'client'), tcp('Allow', 443)] })],
}
const holds = {
  allowed: ['client > web tcp 80', 'db > web tcp 443', 'outside > db tcp 80', 'web > outside udp 53'],
  denied: ['db > web tcp 80', 'outside > web tcp 80', 'web as client > db tcp 80', 'stray > db tcp 80'],
}

/** The rules that dockerd makes for its bridge, as `iptables-save` shows them. */
const dockerRules = `*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
`

for (const backend of ['nft', 'legacy'] satisfies Backend[]) {
  const programs = [`iptables-${backend}`, `ip6tables-${backend}`]
  const onNode = async (t: Test, label: string, use: (rack: Rack) => Promise<void>): Promise<void> => {
    const rack = await buildRack(label)
    t.teardown(() => {
      rack.destroy()
    })
    await use(rack)
  }
  /** Rules of the node that are not ours, jumps included. */
  const foreign = async (rack: Rack): Promise<string> => {
    const saved = await Promise.all(programs.map((program) => rack.node.run(`${program}-save`, [])))
    const lines = saved.flatMap(({ stdout }) => stdout.split('\n'))
    return lines
      .filter((line) => /^(-A|:FORWARD|:DOCKER)/.test(line) && !/drv-/.test(line))
      .join('\n')
      .replaceAll(/\[\d+:\d+\]/g, '')
  }

  await tap.test(`Docker's rules beside ours, with ${backend}`, async (t) => {
    await onNode(t, `poldock${backend}`, async (rack) => {
      for (const program of programs)
        await rack.node.run(`${program}-restore`, ['--noflush'], { input: dockerRules })
      const before = await foreign(rack)
      const node = createPolicyNode(rack.exec, backend)
      for (const { cases } of [types, bothDirections, tiers]) {
        for (const each of cases.filter(({ then }) => then === undefined)) {
          await rack.forgetConnections()
          await node.become(each)
          t.same(await shootAll(rack, expectedOf(each)), [], each.name)
        }
      }
      // Docker puts its own jump first whenever it starts.
      for (const program of programs) {
        await rack.node.run(program, ['-w', '-D', 'FORWARD', '-j', 'DOCKER-USER'])
        await rack.node.run(program, ['-w', '-I', 'FORWARD', '-j', 'DOCKER-USER'])
        await rack.node.run(
          program,
          ['-w', '-I', 'DOCKER-USER', '-s', '10.65.0.0/16', '-j', 'DROP'].map((word) =>
            program.startsWith('ip6') ? word.replace('10.65.0.0/16', 'fd65::/48') : word,
          ),
        )
      }
      await node.become(state)
      node.driver().resync()
      const { repairs } = await node.driver().apply()
      t.ok(repairs.chains > 0, 'our jump was no longer first, which was noticed')
      await rack.forgetConnections()
      t.same(await shootAll(rack, expectedOf(holds)), [], 'and it is first again')
      for (const program of programs) await rack.node.run(program, ['-w', '-D', 'DOCKER-USER', '1'])
      node.close()
      t.equal(await foreign(rack), before, "Docker's rules are as they were")
    })
  })

  await tap.test(`somebody flushes, with ${backend}`, async (t) => {
    await onNode(t, `polflush${backend}`, async (rack) => {
      const node = createPolicyNode(rack.exec, backend)
      await node.become(state)
      for (const how of [['-F'], ['-F', 'drv-pi-p'], ['-D', 'FORWARD', '1'], ['-t', 'raw', '-F']]) {
        for (const program of programs) await rack.node.attempt(program, ['-w', ...how])
        node.driver().resync()
        const { repairs, faults } = await node.driver().apply()
        t.same(faults, [])
        if (!how.includes('drv-pi-p')) t.ok(repairs.chains > 0, `${how.join(' ')} was noticed`)
        await rack.forgetConnections()
        t.same(await shootAll(rack, expectedOf(holds)), [], `everything is as before ${how.join(' ')}`)
      }
      const { stdout } = await rack.node.run('ipset', ['list', '-n'])
      for (const set of stdout.trim().split('\n')) await rack.node.attempt('ipset', ['flush', set])
      node.driver().resync()
      t.ok((await node.driver().apply()).repairs.sets > 0, 'empty sets were noticed')
      await rack.forgetConnections()
      t.same(await shootAll(rack, expectedOf(holds)), [], 'sets hold what they held')
      node.close()
    })
  })

  await tap.test(`the lock of xtables is held for five seconds, with ${backend}`, async (t) => {
    await onNode(t, `pollock${backend}`, async (rack) => {
      const node = createPolicyNode(rack.exec, backend)
      await node.become({})
      const holder = rack.node.start('holder', 'flock', ['/run/xtables.lock', 'sleep', '5'])
      await until(
        'the lock is held',
        async () => (await rack.node.attempt('flock', ['-n', '/run/xtables.lock', 'true'])).exitCode !== 0,
      )
      const begin = performance.now()
      const becoming = node.become(state)
      // Meanwhile the last rules stand.
      await sleep(500)
      t.same(await shootAll(rack, expectedOf({ allowed: ['client > web tcp 80', 'db > web tcp 443'] })), [])
      t.same((await becoming).faults, [], 'it is waited for')
      const tookMs = performance.now() - begin
      if (backend === 'legacy') t.ok(tookMs > 3000, `legacy needs the lock: ${tookMs.toFixed(0)} ms`)
      else t.ok(tookMs < 3000, `nft needs none: ${tookMs.toFixed(0)} ms`)
      await holder.ended
      await rack.forgetConnections()
      t.same(await shootAll(rack, expectedOf(holds)), [])
      node.close()
    })
  })

  await tap.test(`a set at its limit, with ${backend}`, async (t) => {
    await onNode(t, `polset${backend}`, async (rack) => {
      const node = createPolicyNode(rack.exec, backend, { mostElements: 100 })
      const nets = (count: number): string[] =>
        Array.from({ length: count }, (_, n) => `172.16.${String(n)}.0/24`)
      const partners = (count: number): State => ({
        resources: [
          networkSet('partners', { kind: 'partner' }, [...nets(count), '10.251.0.10', 'fd00:251::10']),
          policy('small', { selector: named('db'), ingress: [from('Allow', 'client')] }),
          policy('big', {
            selector: named('web'),
            ingress: [{ action: 'Allow', source: { selector: "kind == 'partner'" } }],
          }),
        ],
      })
      t.same((await node.become(partners(50))).faults, [])
      t.same(
        await shootAll(
          rack,
          expectedOf({
            allowed: ['outside > web tcp 80', 'client > db tcp 80'],
            denied: ['peer > web tcp 80'],
          }),
        ),
        [],
      )
      const [fault, ...others] = (await node.become(partners(150))).faults
      t.match(fault, { code: 'full', message: /152|151/ }, 'the set that is too big is named')
      t.ok(fault?.remedy !== undefined && fault.remedy.length > 20, 'with what to do')
      t.same(others, [])
      await rack.forgetConnections()
      const still = {
        allowed: ['outside > web tcp 80 ipv4', 'client > db tcp 80'],
        denied: ['peer > web tcp 80', 'db2 > db tcp 80'],
      }
      t.same(await shootAll(rack, expectedOf(still)), [], 'it stays as it was, and so does everything else')
      t.same((await node.become(partners(20))).faults, [], 'a smaller one is taken')
      node.close()
    })
  })

  await tap.test(`a rule that the kernel refuses, with ${backend}`, async (t) => {
    await onNode(t, `polrefuse${backend}`, async (rack) => {
      const node = createPolicyNode(rack.exec, backend, {
        distort: (args) =>
          args.includes('4444') ? [...args.slice(0, 4), '-m', 'no-such-match', ...args.slice(4)] : args,
      })
      const { faults } = await node.become({
        resources: [
          policy('sound', { selector: named('db'), ingress: [tcp('Allow', 80)] }),
          policy('odd', {
            order: 1,
            selector: named('web'),
            ingress: [tcp('Allow', 80), tcp('Deny', 4444), tcp('Allow', '4000:5000')],
          }),
          policy('late', { order: 2, selector: named('web'), ingress: [allow] }),
        ],
      })
      t.ok(faults.length > 0)
      for (const { code, message, origin } of faults) {
        t.equal(code, 'refused')
        t.match(message, /odd/)
        t.match(origin, { id: 'GlobalNetworkPolicy/odd', direction: 'inbound', position: 1 })
      }
      const expected = {
        allowed: ['client > db tcp 80', 'client > web tcp 80'],
        denied: ['client > db tcp 81', 'client > web tcp 4444'],
      }
      t.same(
        await shootAll(rack, expectedOf(expected)),
        [],
        'the rest of the policy stays, and what the rule denied is denied',
      )
      const mended = await node.become({
        resources: [policy('odd', { selector: named('web'), ingress: [tcp('Allow', 80)] })],
      })
      t.same(mended.faults, [], 'without the rule nothing is wrong')
      node.close()
    })
  })
}

await tap.test(
  'both kinds of iptables hold rules of others: that is said, and nothing is guessed',
  async (t) => {
    const rack = await buildRack('polambig')
    t.teardown(() => {
      rack.destroy()
    })
    const modules = { exec: rack.exec }
    const foreign = ['-w', '-A', 'FORWARD', '-s', '192.0.2.1', '-j', 'DROP']
    t.equal((await chooseBackend(modules, 'auto')).backend, 'nft', 'where nobody has rules it is nft')
    await rack.node.run('iptables-legacy', foreign)
    t.equal((await chooseBackend(modules, 'auto')).backend, 'legacy', 'where legacy has some, legacy')
    await rack.node.run('iptables-nft', foreign)
    await t.rejects(chooseBackend(modules, 'auto'), { code: 'backend-ambiguous' })
    t.equal((await chooseBackend(modules, 'nft')).backend, 'nft', 'unless somebody says which')
  },
)
