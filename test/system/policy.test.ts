import { test } from 'tap'
import { Lab, type LabNode, type Workload, buildCluster, reaches, startFlow, until } from '../lab/index.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const backendOf: Readonly<Record<string, 'nft' | 'legacy'>> = { node1: 'nft', node2: 'legacy' }

const profile = (name: string, ingress: string, egress = '[{ action: Allow }]'): string => `
apiVersion: drover.network/v1
kind: Profile
metadata: { name: ${name} }
spec: { ingress: ${ingress}, egress: ${egress} }
`

test('policy is in the kernel before a workload is, and stays there whatever happens', async (t) => {
  const lab = new Lab('policy')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, {
    nodes: 2,
    agentFlags: (node) => ['--iptables-backend', backendOf[node] ?? 'auto'],
  })
  const [one, two] = cluster.nodes as [LabNode, LabNode]
  await cluster.apply(`
apiVersion: drover.network/v1
kind: AgentConfiguration
metadata: { name: default }
spec: { iptablesRefreshInterval: 1s, ipsetsRefreshInterval: 1s }
`)
  const both = async (from: Workload, to: Workload): Promise<readonly boolean[]> =>
    Promise.all(to.addresses.map((address) => reaches(from.place, address, 1)))
  const soon = (what: string, from: Workload, to: Workload, expected: boolean): Promise<boolean> =>
    until(what, async () => (await both(from, to)).every((reached) => reached === expected))
  const rules = async (node: LabNode): Promise<string> =>
    (
      await Promise.all(
        ['iptables', 'ip6tables'].map(
          async (program) =>
            (await node.place.run(`${program}-${backendOf[node.name] ?? ''}-save`, [])).stdout,
        ),
      )
    ).join('')

  const client = await two.attach('client', '--label', 'role=web')

  t.test('a workload that names no profile has the default one, which lets everything through', async (t) => {
    const plain = await one.attach('plain')
    t.same(await both(client, plain), [true, true])
    t.same(await both(plain, client), [true, true])
    const shown = await one.drover('get', 'endpoints', '-o', 'yaml')
    t.match(shown, /profiles:\s+- default/)
    await one.detach('plain')
  })

  t.test('a profile that nobody defined denies, and its definition opens', async (t) => {
    const closed = await one.attach('closed', '--profile', 'late')
    t.same(await both(client, closed), [false, false])
    t.same(await both(closed, client), [false, false])
    t.match((await one.attempt(['node', 'status'])).stdout, 'Profile/late')
    await cluster.apply(
      profile('late', '[{ action: Allow, protocol: ICMP }, { action: Allow, protocol: ICMPv6 }]'),
    )
    await soon('it opens', client, closed, true)
    await one.detach('closed')
  })

  const db = await one.attach('db', '--label', 'role=db')
  const stranger = await two.attach('stranger', '--label', 'role=other')
  const onlyWeb = (order: number): string => `
apiVersion: drover.network/v1
kind: GlobalNetworkPolicy
metadata: { name: db }
spec:
  order: ${order}
  selector: role == 'db'
  ingress: [{ action: Allow, source: { selector: role == 'web' } }]
`

  t.test('a policy by labels; flows that it no longer allows are cut, the others live on', async (t) => {
    const allowed = startFlow(client.place, db.addresses[0]!)
    const denied = startFlow(stranger.place, db.addresses[0]!)
    await pause(500)
    await cluster.apply(onlyWeb(10))
    await soon('strangers are denied', stranger, db, false)
    await pause(1500)
    const cut = await denied.finish()
    t.ok(cut.received > 0 && cut.lost >= 20, `the flow that was established is cut: ${JSON.stringify(cut)}`)
    t.match(await allowed.finish(), { lost: 0 }, 'the other one lost nothing')
    t.same(await both(client, db), [true, true])
    t.match(await rules(one), 'drv-pi-db')
    t.notMatch(await rules(two), 'drv-pi-db', 'a node without such endpoints has nothing of it')
  })

  t.test('an agent that is killed and started again: nothing opens, nothing closes', async (t) => {
    const allowed = startFlow(client.place, db.addresses[0]!)
    const denied = startFlow(stranger.place, db.addresses[0]!)
    await pause(300)
    one.agent().signal('SIGKILL')
    await one.agent().ended
    t.same(await both(client, db), [true, true])
    t.same(await both(stranger, db), [false, false])
    await one.startAgent()
    t.match(await denied.finish(), { received: 0 })
    t.match(await allowed.finish(), { lost: 0 })
  })

  t.test('what the agent did not see while it was away it does at its start', async (t) => {
    one.agent().signal('SIGKILL')
    await one.agent().ended
    await two.attempt(['apply', '-f', '-'], { input: onlyWeb(10).replace("'web'", "'other'") })
    await one.startAgent()
    t.ok(await soon('the other way round', stranger, db, true))
    t.ok(await soon('the other way round', client, db, false))
    await cluster.apply(onlyWeb(10))
    t.ok(await soon('and back', client, db, true))
  })

  for (const node of [one, two]) {
    t.test(`${node.name}: flushed, its sets too: put right within seconds`, async (t) => {
      const settled = async (): Promise<string> =>
        (await rules(node))
          .split('\n')
          .filter((line) => line.startsWith('-A'))
          .sort()
          .join('\n')
      const before = await settled()
      const backend = backendOf[node.name] ?? ''
      for (const program of ['iptables', 'ip6tables'])
        await node.place.run(`${program}-${backend}`, ['-w', '10', '-F'])
      await node.place.run('ipset', ['flush'])
      await until('it is put right', async () => (await settled()) === before)
      await soon('strangers are denied', stranger, db, false)
      await soon('the allowed are not', client, db, true)
      t.pass('put right')
    })
  }

  t.test('a policy that can not be read denies whom it selects', async (t) => {
    const key = '/drover/v1/resources/globalnetworkpolicies/db'
    const value = (await cluster.etcd.ctl('get', key, '--print-value-only')).trim()
    const broken = value.replace(/"source":\{"selector":"role ==/, '$& ==')
    t.not(broken, value)
    await cluster.etcd.ctl('put', key, broken)
    await soon('all are denied', client, db, false)
    t.match((await one.attempt(['node', 'status'])).stdout, 'GlobalNetworkPolicy/db')
    t.same(await both(stranger, client), [true, true], 'others go on')
    await cluster.etcd.ctl('put', key, value)
    await soon('it is allowed again', client, db, true)
  })

  t.test('a workload may not send from the address of another', async (t) => {
    for (const [address, option] of [
      ['10.65.250.9/32', '-4'],
      ['fd65::250:9/128', '-6'],
    ] as const) {
      await stranger.place.run('ip', ['addr', 'add', address, 'dev', 'eth0'])
      const to = client.addresses[option === '-4' ? 0 : 1]!
      const ping = await stranger.place.attempt('ping', [
        '-I',
        address.replace(/\/.*/, ''),
        '-c',
        '1',
        '-W',
        '1',
        to,
      ])
      t.not(ping.exitCode, 0)
    }
    t.match(await rules(two), /drv-src .*-j DROP/)
  })

  t.test('what is detached leaves nothing, and cleanup leaves nothing at all', async (t) => {
    await one.attach('short', '--profile', 'late')
    t.match(await rules(one), 'drv-pri-late')
    await one.detach('short')
    await until('its chains are gone', async () => !(await rules(one)).includes('drv-pri-late'))
    t.not((await one.attempt(['node', 'cleanup'])).exitCode, 0, 'not while the agent runs')
    one.agent().signal('SIGTERM')
    await one.agent().ended
    t.match(await rules(one), 'drv-pi-db', 'an agent that stops leaves its rules')
    await one.drover('node', 'cleanup', '--interfaces')
    t.notMatch(await rules(one), 'drv-')
    t.notMatch((await one.place.run('ipset', ['list', '-name'])).stdout, 'drv-')
    t.notMatch((await one.place.run('ip', ['link'])).stdout, /: drv\w+@/)
  })
})
