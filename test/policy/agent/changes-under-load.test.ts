/**
 * Policy changes, restarts and kill -9 while a thousand connections a second are opened that every version of the policy
 * allows, and a thousand that none does: not one of the first is lost, not one of the second gets through.
 */
import tap from 'tap'
import { API_VERSION, resourceKey, validateResource } from '@network/datastore/model'
import type { Rule } from '@network/datastore/model'
import { Lab, type LabNode, buildCluster, until } from '../../lab/index.ts'
import { startSteady } from './steady-syns.ts'

const perSecond = 500
const port = 80
const wantedOfEach = 5000
const mostKills = 40

/** Versions of one policy that all let `good` in and keep `bad` out. */
function versions(good: readonly string[], bad: readonly string[]): Rule[][] {
  const byLabel: Rule = {
    action: 'Allow',
    protocol: 'TCP',
    source: { selector: "role == 'good'" },
    destination: { ports: [port] },
  }
  return [
    [byLabel],
    [{ action: 'Allow', source: { nets: [...good] } }],
    [{ action: 'Deny', source: { selector: "role == 'bad'" } }, { action: 'Allow' }],
    [{ action: 'Deny', protocol: 'UDP' }, { action: 'Log', protocol: 'UDP' }, byLabel, { action: 'Deny' }],
    [{ action: 'Allow', source: { notNets: [...bad], selector: "has(role) && role != 'bad'" } }],
    [{ action: 'Deny', source: { nets: [...bad, '172.16.0.0/12'] } }, { action: 'Pass' }],
    [
      {
        action: 'Allow',
        protocol: 'TCP',
        source: { selector: "role in {'good', 'better'}" },
        destination: { ports: [8443, '79:81'] },
      },
    ],
  ]
}

for (const backend of ['nft', 'legacy'] as const) {
  await tap.test(`with ${backend}`, async (t) => {
    const lab = new Lab(`polload${backend}`)
    t.teardown(() => {
      lab.destroy()
    })
    const cluster = await buildCluster(lab, { nodes: 1, agentFlags: () => ['--iptables-backend', backend] })
    const [node] = cluster.nodes as [LabNode]
    const put = async (
      kind: 'GlobalNetworkPolicy' | 'Profile',
      name: string,
      spec: object,
    ): Promise<void> => {
      const checked = validateResource({ apiVersion: API_VERSION, kind, metadata: { name }, spec })
      if (!checked.ok) throw new Error(checked.error.map(({ message }) => message).join(' '))
      await cluster.etcd.ctl('put', resourceKey({ kind, name }), JSON.stringify(checked.value))
    }
    await put('Profile', 'open', { ingress: [{ action: 'Allow' }], egress: [{ action: 'Allow' }] })
    const attach = (name: string, role: string) =>
      node.attach(name, '--profile', 'open', '--label', `role=${role}`)
    const server = await attach('server', 'server')
    const good = await attach('good', 'good')
    const bad = await attach('bad', 'bad')
    const set = versions(good.addresses, bad.addresses)
    const update = (version: number, order: number): Promise<void> =>
      put('GlobalNetworkPolicy', 'server', {
        order,
        selector: "role == 'server'",
        types: ['Ingress'],
        ingress: set[version % set.length],
      })
    await update(0, 1)
    const rule = async (): Promise<string> =>
      (await node.place.run(`iptables-${backend}-save`, ['-t', 'filter'])).stdout
    await until('the policy is in the kernel', async () => /drv-pi-\S*server/.test(await rule()))

    const flows = await Promise.all(
      server.addresses.flatMap((address, family) =>
        [good, bad].map(async (from) => {
          const own = from.addresses[family] ?? ''
          const to = { place: server.place, address }
          const flow = await startSteady({ from: { place: from.place, address: own }, to, port, perSecond })
          return { name: `${from.name} to ${address}`, allowed: from === good, flow }
        }),
      ),
    )
    const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

    for (let version = 1; version <= 21; version++) {
      await update(version, version % 3)
      if (version % 5 === 0)
        await put('GlobalNetworkPolicy', `other-${String(version)}`, {
          selector: "role == 'good'",
          order: 5,
          egress: [{ action: 'Pass' }],
        })
      await pause(40 * (version % 4))
    }
    // An orderly restart, with a change while nobody looks.
    await node.agent().stop()
    await update(1, 1)
    await node.startAgent()
    const enough = (): boolean => flows.every(({ flow }) => flow.sent() > wantedOfEach)
    // The faster the machine, the more kills it takes to fill the same time.
    for (let round = 0; round < 4 || (!enough() && round < mostKills); round++) {
      // Killed in the middle of what a change sets going.
      await update(round, round)
      await pause(13 * (round % 4))
      node.agent().signal('SIGKILL')
      await node.agent().ended
      await update(round + 2, round + 1)
      await node.startAgent()
    }
    for (const { name, allowed, flow } of flows) {
      const { sent, arrived, lostAt, arrivedAt } = await flow.finish()
      t.comment(`${name}: ${String(sent)} sent, ${String(arrived)} arrived`)
      t.ok(sent > wantedOfEach, `${name}: there were many`)
      if (allowed) t.same(lostAt, [], `${name}: none is lost`)
      else t.same(arrivedAt, [], `${name}: none gets through`)
    }
    // The last version is the one in force: turned round, it turns the flows round.
    await put('GlobalNetworkPolicy', 'server', {
      selector: "role == 'server'",
      ingress: [{ action: 'Allow', source: { selector: "role == 'bad'" } }],
    })
    const first = async (from: typeof good): Promise<number> => {
      const to = { place: server.place, address: server.addresses[0] ?? '' }
      const flow = await startSteady({
        from: { place: from.place, address: from.addresses[0] ?? '' },
        to,
        port,
        perSecond: 100,
      })
      await pause(100)
      return (await flow.finish()).arrived
    }
    await until('the other one is let in', async () => (await first(bad)) > 0)
    t.equal(await first(good), 0, 'and this one no more')
  })
}
