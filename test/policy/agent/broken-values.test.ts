/** Policies that nobody can read are in etcd: they deny what they may mean, are shown, and everything else goes on. */
import tap from 'tap'
import { Lab, type LabNode, buildCluster, reaches, until } from '../../lab/index.ts'

const metricsListener = '127.0.0.1:9091'
const keyOf = (name: string): string => `/drover/v1/resources/globalnetworkpolicies/${name}`
const resource = (name: string, spec: object): string =>
  JSON.stringify({ apiVersion: 'drover.network/v1', kind: 'GlobalNetworkPolicy', metadata: { name }, spec })

await tap.test('values that nobody can read', async (t) => {
  const lab = new Lab('polbroken')
  t.teardown(() => {
    lab.destroy()
  })
  const cluster = await buildCluster(lab, {
    nodes: 1,
    agentFlags: () => ['--metrics-listen', metricsListener],
  })
  const [node] = cluster.nodes as [LabNode]
  const web = await node.attach('web', '--label', 'role=web')
  const db = await node.attach('db', '--label', 'role=db')
  const client = await node.attach('client')
  const all = async (from: typeof web, to: typeof web): Promise<boolean[]> =>
    Promise.all(to.addresses.map((address) => reaches(from.place, address, 1)))
  const soon = (what: string, from: typeof web, to: typeof web, open: boolean): Promise<boolean> =>
    until(what, async () => (await all(from, to)).every((reached) => reached === open))
  const problems = async (): Promise<number> => {
    const { stdout } = await node.place.run('curl', ['-s', `http://${metricsListener}/metrics`])
    return Number(/^drover_problems (\d+)/m.exec(stdout)?.[1])
  }
  await soon('everything is open', client, web, true)
  const before = await problems()

  await t.test('a rule that does not parse: its endpoints are closed in its direction', async (t) => {
    await cluster.etcd.ctl(
      'put',
      keyOf('rule'),
      resource('rule', { selector: "role == 'web'", ingress: [{ action: 'Alow' }] }),
    )
    await soon('it denies', client, web, false)
    t.same(await all(web, client), [true, true], 'the other direction is open')
    t.same(await all(client, db), [true, true], 'others are open')
    t.ok((await problems()) > before, 'the metric counts it')
    const { stdout, stderr } = await node.attempt(['get', 'globalnetworkpolicies'])
    t.match(
      stdout + stderr,
      /rule.*spec\.ingress\[0\]\.action: 'Alow'/s,
      'drover get shows what is wrong and where',
    )
    t.match(
      (await node.attempt(['node', 'status'])).stdout,
      /GlobalNetworkPolicy rule .*Alow/,
      'so does the status',
    )
  })

  await t.test('a selector that does not parse: everybody is closed in its direction', async (t) => {
    await cluster.etcd.ctl(
      'put',
      keyOf('selector'),
      resource('selector', { selector: "role == 'db' &&", types: ['Ingress'] }),
    )
    await soon('it denies', client, db, false)
    const shown = await node.attempt(['get', 'globalnetworkpolicy', 'selector'])
    t.not(shown.exitCode, 0)
    t.match(shown.stderr, /column 16/)
    t.match(shown.stderr, /drover apply/, 'and what to do')
  })

  await t.test('no JSON: everybody is closed; attaches and other policies go on', async (t) => {
    await cluster.etcd.ctl('put', keyOf('text'), 'no JSON at all')
    await soon('it denies both ways', db, client, false)
    const late = await node.attach('late', '--label', 'role=late')
    t.same(await all(client, late), [false, false], 'a workload that comes now is as closed')
    await cluster.apply(`
apiVersion: drover.network/v1
kind: Tier
metadata: { name: before }
spec: { order: 1 }
---
apiVersion: drover.network/v1
kind: GlobalNetworkPolicy
metadata: { name: rescue }
spec: { tier: before, selector: all(), ingress: [{ action: Allow }], egress: [{ action: Allow }] }
`)
    await soon('a tier before it still decides', client, late, true)
    await node.drover('delete', 'globalnetworkpolicy', 'rescue')
    await soon('and no more', client, late, false)
  })

  await t.test('they are mended or deleted: all is as before', async (t) => {
    await cluster.apply(`
apiVersion: drover.network/v1
kind: GlobalNetworkPolicy
metadata: { name: rule }
spec: { selector: role == 'web', ingress: [{ action: Allow }] }
`)
    await node.drover('delete', 'globalnetworkpolicy', 'selector')
    await node.drover('delete', 'globalnetworkpolicy', 'text')
    await soon('web is open', client, web, true)
    await soon('db is open', client, db, true)
    t.equal(await problems(), before, 'nothing is left to complain about')
  })
})
