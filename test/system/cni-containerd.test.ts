/**
 * containerd on two nodes, driven over its CRI socket: pods that reach each other, what their annotations and ports ask
 * for, many at once, and everything that can be restarted under them. At the end nothing of them is left.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Test, test } from 'tap'
import {
  type ContainerdHost,
  Lab,
  type LabNode,
  type Place,
  type Pod,
  buildCluster,
  noTraces,
  reaches,
  remains,
  startContainerd,
  startFlow,
  tracesOf,
  until,
} from '../lab/index.ts'

async function prepare(t: Test, label: string, nodes = 2) {
  const lab = new Lab(label)
  const runtimes: ContainerdHost[] = []
  t.teardown(async () => {
    for (const runtime of runtimes) {
      await runtime.removeAll().catch(() => undefined)
      await runtime.stop().catch(() => undefined)
    }
    lab.destroy()
  })
  const cluster = await buildCluster(lab, { nodes })
  for (const node of cluster.nodes) {
    const runtime = await startContainerd(lab, node.place)
    runtimes.push(runtime)
    await node.drover('install', 'cni', '--bin', runtime.bin, '--conf', runtime.conf)
    await until(`${node.name} has its network`, () => runtime.networkReady())
  }
  const [one, two] = cluster.nodes as [LabNode, LabNode]
  const [left, right] = runtimes as [ContainerdHost, ContainerdHost]
  const clean = async (t: Test): Promise<void> => {
    for (const runtime of runtimes) await runtime.removeAll()
    for (const node of cluster.nodes) {
      t.strictSame(
        await remains(cluster.etcd, node),
        noTraces,
        `${node.name}: no address, interface, route, rule or file is left`,
      )
    }
    const { report } = JSON.parse((await one.attempt(['ipam', 'check', '-o', 'json'])).stdout) as {
      report: { findings: { kind: string }[] }
    }
    // A block stays with its node for a while after its last address.
    t.same(
      report.findings.filter(({ kind }) => kind !== 'empty-block'),
      [],
      'and the audit finds nothing',
    )
  }
  return { cluster, one, two, left, right, clean }
}

/** A pod's network namespace as a place of its node. */
async function insideOf(node: LabNode, pod: Pod): Promise<Place> {
  const listed = JSON.parse(await node.drover('get', 'endpoints', '-o', 'json')) as {
    items: { spec: { containerID: string; netns: string } }[]
  }
  const netns = listed.items.find(({ spec }) => spec.containerID === pod.id)?.spec.netns ?? ''
  const words = (program: string, args: readonly string[]) => [`--net=${netns}`, '--', program, ...args]
  return {
    ...node.place,
    name: pod.name,
    netns,
    run: (program, args, options) => node.place.run('nsenter', words(program, args), options),
    attempt: (program, args, options) => node.place.attempt('nsenter', words(program, args), options),
    start: (label, program, args, options) =>
      node.place.start(label, 'nsenter', words(program, args), options),
  }
}

const ipv4 = ({ addresses }: Pod): string => addresses.find((address) => address.includes('.')) ?? ''
const ipv6 = ({ addresses }: Pod): string => addresses.find((address) => address.includes(':')) ?? ''

test('pods of two nodes', async (t) => {
  const { cluster, one, two, left, right, clean } = await prepare(t, 'cri')

  await t.test('they reach each other by their own addresses, in both families', async (t) => {
    const a = await left.runPod({ name: 'a', namespace: 'prod' })
    const b = await right.runPod({ name: 'b', namespace: 'prod' })
    const inside = await left.startContainer(a, ['sleep', '1000'])
    for (const address of [ipv4(b), ipv6(b)]) {
      const pinged = await until(`${address} answers`, async () => {
        const done = await left.exec(inside, 'ping', '-c', '1', '-W', '2', address)
        return done.exitCode === 0 && done
      })
      t.match(pinged.stdout, '1 packets received')
    }
    t.ok(await reaches(cluster.outside, ipv4(a), 1), 'and from a machine that runs no containers')
    const listed = JSON.parse(await one.drover('get', 'endpoints', '-o', 'json')) as {
      items: { metadata: { labels: Record<string, string> }; spec: Record<string, unknown> }[]
    }
    t.match(
      listed.items.find(({ spec }) => spec['workload'] === 'prod.a'),
      {
        spec: { orchestrator: 'k8s', namespace: 'prod', node: 'node1' },
        metadata: { labels: { 'drover.network/pod': 'a' } },
      },
    )
    await clean(t)
  })

  await t.test('what annotations ask for; a fixed address is kept when the pod comes back', async (t) => {
    const wish = {
      name: 'fixed',
      annotations: {
        'cni.projectcalico.org/ipAddrs': '["10.65.200.80","fd65::200:80"]',
        'cni.projectcalico.org/hwAddr': '02:00:00:00:00:80',
        'drover.network/labels': '{"role":"db"}',
      },
    }
    for (let time = 0; time < 2; time++) {
      const pod = await left.runPod(wish)
      t.same([...pod.addresses].sort(), ['10.65.200.80', 'fd65::200:80'])
      t.ok(await until('it is reached', () => reaches(cluster.outside, '10.65.200.80', 1)))
      const [item] = (
        JSON.parse(await one.drover('get', 'endpoints', '-o', 'json')) as {
          items: { metadata: { labels: object }; spec: { mac: string } }[]
        }
      ).items
      t.match(item, { metadata: { labels: { role: 'db' } }, spec: { mac: '02:00:00:00:00:80' } })
      await left.stopPod(pod.id)
      await left.removePod(pod.id)
    }
    await t.rejects(
      left.runPod({ name: 'wrong', annotations: { 'cni.projectcalico.org/ipAddrs': '["203.0.113.1"]' } }),
      /203\.0\.113\.1/,
      "the user is told which address can't be",
    )
    await t.rejects(
      left.runPod({ name: 'bad', annotations: { 'drover.network/labels': '$(id)' } }),
      /drover.network\/labels/,
    )
    await clean(t)
  })

  await t.test('policy by labels holds from the first packet', async (t) => {
    await cluster.apply(`
apiVersion: drover.network/v1
kind: GlobalNetworkPolicy
metadata: { name: db }
spec:
  selector: role == 'db'
  types: [Ingress]
  ingress:
    - { action: Allow, source: { selector: role == 'client' } }
`)
    const labelled = (name: string, role: string, more: Record<string, string> = {}) => ({
      name,
      annotations: { 'drover.network/labels': JSON.stringify({ role }), ...more },
    })
    const client = await insideOf(two, await right.runPod(labelled('client', 'client')))
    const stranger = await insideOf(two, await right.runPod(labelled('stranger', 'other')))
    for (let time = 0; time < 3; time++) {
      const [allowed, ...refused] = [client, stranger, cluster.outside].map((place) =>
        startFlow(place, '10.65.200.81', 5),
      )
      const db = await left.runPod(
        labelled('db', 'db', { 'cni.projectcalico.org/ipAddrs': '["10.65.200.81"]' }),
      )
      t.ok(await until('the client is let in', () => reaches(client, '10.65.200.81', 1)))
      await new Promise((resolve) => setTimeout(resolve, 500))
      t.ok(((await allowed?.finish())?.received ?? 0) > 0, 'the client was answered')
      for (const flow of refused) t.equal((await flow.finish()).received, 0, 'nobody else ever was')
      await left.stopPod(db.id)
      await left.removePod(db.id)
    }
    await clean(t)
    await one.drover('delete', 'globalnetworkpolicy', 'db')
  })

  await t.test("the node's ports lead to pods", async (t) => {
    const web = await left.runPod({ name: 'web', ports: [{ container_port: 80, host_port: 8080 }] })
    t.match(await one.drover('ports'), /8080 +TCP +.*:80/)
    const serving = await left.startContainer(web, ['httpd', '-f', '-p', '80', '-h', '/www'])
    await left.exec(serving, 'sh', '-c', 'echo hello > /www/index.html')
    const fetched = (place: { attempt: LabNode['place']['attempt'] }, url: string) =>
      until(`${url} answers`, async () => {
        const got = await place.attempt('curl', ['-sS', '--max-time', '2', url])
        return got.exitCode === 0 && got.stdout
      })
    const nodeAddress = (await one.place.run('ip', ['-j', '-4', 'addr', 'show', 'scope', 'global'])).stdout
    const address =
      (JSON.parse(nodeAddress) as { addr_info: { local: string }[] }[])[0]?.addr_info[0]?.local ?? ''
    t.match(await fetched(cluster.outside, `http://${ipv4(web)}/`), 'hello', 'by its own address')
    t.match(await fetched(cluster.outside, `http://${address}:8080/`), 'hello', 'from outside')
    t.match(await fetched(one.place, 'http://127.0.0.1:8080/'), 'hello', 'by loopback')
    const back = await left.exec(serving, 'wget', '-q', '-O', '-', `http://${address}:8080/`)
    t.match(back.stdout, 'hello', 'from the pod itself')
    await clean(t)
    t.match(await one.drover('ports'), 'No port')
  })

  await t.test("Debian's plugins after ours, and ours after loopback", async (t) => {
    const conflist = path.join(left.conf, '10-drover.conflist')
    const before = readFileSync(conflist, 'utf8')
    const ours = { type: 'drover', capabilities: { 'io.kubernetes.cri.pod-annotations': true } }
    for (const [what, plugins] of [
      [
        'after',
        [
          ours,
          { type: 'portmap', capabilities: { portMappings: true } },
          { type: 'bandwidth', capabilities: { bandwidth: true } },
          { type: 'tuning', sysctl: { 'net.core.somaxconn': '512' } },
        ],
      ],
      ['before', [{ type: 'loopback' }, ours]],
    ] as const) {
      writeFileSync(`${conflist}.tmp`, JSON.stringify({ cniVersion: '1.0.0', name: 'drover', plugins }))
      await one.place.run('mv', [`${conflist}.tmp`, conflist])
      await new Promise((resolve) => setTimeout(resolve, 500))
      const pod = await left.runPod({
        name: `chained-${what}`,
        annotations: { 'kubernetes.io/ingress-bandwidth': '10M', 'kubernetes.io/egress-bandwidth': '10M' },
        ports: what === 'after' ? [{ container_port: 80, host_port: 8081 }] : [],
      })
      t.ok(await until('it is reached', () => reaches(cluster.outside, ipv4(pod), 1)), what)
      if (what === 'after') {
        const shaped = await one.place.run('tc', ['qdisc', 'show'])
        t.match(shaped.stdout, /tbf .*dev drv|qdisc tbf/, 'the bandwidth plugin found our interface')
        t.match(
          (await one.place.run('iptables-save', ['-t', 'nat'])).stdout,
          '8081',
          'and portmap our address',
        )
      }
      await left.removeAll()
    }
    writeFileSync(`${conflist}.tmp`, before)
    await one.place.run('mv', [`${conflist}.tmp`, conflist])
    await new Promise((resolve) => setTimeout(resolve, 500))
    await clean(t)
  })

  await t.test('bandwidth as a capability of ours', async (t) => {
    const pod = await left.runPod({ name: 'slow', annotations: { 'kubernetes.io/ingress-bandwidth': '8M' } })
    t.match((await one.place.run('tc', ['qdisc', 'show'])).stdout, /qdisc tbf .*rate 8Mbit/)
    t.ok(await until('it is reached', () => reaches(cluster.outside, ipv4(pod), 1)))
    await clean(t)
  })
})

test('a hundred pods at once, and everything restarted under them', async (t) => {
  const { cluster, one, left, clean } = await prepare(t, 'crimany', 1)

  await t.test('a hundred at once, and gone at once', async (t) => {
    const names = Array.from({ length: 100 }, (_, index) => `p${String(index)}`)
    const pods = await Promise.all(names.map((name) => left.runPod({ name })))
    t.equal(
      new Set(pods.flatMap(({ addresses }) => addresses)).size,
      200,
      'an address of each family for each',
    )
    for (const pod of pods.filter((_, index) => index % 25 === 0))
      t.ok(await until('it is reached', () => reaches(cluster.outside, ipv4(pod), 1)))
    await Promise.all(
      pods.map(async ({ id }) => {
        await left.stopPod(id)
        await left.removePod(id)
      }),
    )
    await clean(t)
  })

  await t.test('containerd killed and started again: pods keep their addresses', async (t) => {
    const pod = await left.runPod({ name: 'survivor' })
    await left.stop('SIGKILL')
    t.ok(await until('it is reached meanwhile', () => reaches(cluster.outside, ipv4(pod), 1)))
    await left.start()
    t.same(await left.pods(), [pod.id])
    t.ok(await reaches(cluster.outside, ipv4(pod), 1))
    await clean(t)
  })

  await t.test('the agent killed while pods start and stop', async (t) => {
    const old = await Promise.all(['o1', 'o2', 'o3'].map((name) => left.runPod({ name })))
    const starting = ['n1', 'n2', 'n3', 'n4'].map((name) =>
      left.runPod({ name }).catch((error: unknown) => error),
    )
    one.agent().signal('SIGKILL')
    await one.agent().ended
    await left.stopPod(old[0]!.id)
    await left.removePod(old[0]!.id)
    const refused = await left.runPod({ name: 'early' }).catch((error: unknown) => error as Error)
    t.match(refused, { message: /agent of this node does not answer/ })
    await Promise.all(starting)
    t.ok(await reaches(cluster.outside, ipv4(old[1]!), 1), 'what runs goes on')
    await one.startAgent()
    t.ok(await left.runPod({ name: 'late' }))
    await until('the promised DEL is carried out', async () => {
      const { endpoints, promises } = await tracesOf(cluster.etcd, one)
      return promises.length === 0 && !endpoints.some((key) => key.includes('default.o1'))
    })
    await clean(t)
  })

  await t.test('etcd away while pods stop', async (t) => {
    const pod = await left.runPod({ name: 'bereaved' })
    await cluster.etcd.stop('SIGKILL')
    await left.stopPod(pod.id)
    await left.removePod(pod.id)
    t.notOk(await reaches(cluster.outside, ipv4(pod), 1))
    await cluster.etcd.start()
    await clean(t)
  })

  await t.test('the node rebooted: namespaces gone, and nobody ever says DEL', async (t) => {
    await left.runPod({ name: 'lost1' })
    await left.runPod({ name: 'lost2' })
    const traces = await tracesOf(cluster.etcd, one)
    t.equal(traces.endpoints.length, 2)
    const netns = (
      JSON.parse(await one.drover('get', 'endpoints', '-o', 'json')) as {
        items: { spec: { netns: string } }[]
      }
    ).items.map(({ spec }) => spec.netns)
    await one.agent().stop()
    await left.stop('SIGKILL')
    for (const file of netns) await one.place.attempt('umount', [file])
    for (const file of netns) await one.place.attempt('rm', ['-f', file])
    for (const name of traces.interfaces) await one.place.attempt('ip', ['link', 'delete', name])
    await one.startAgent({ flags: ['--address-audit-interval', '10s', '--address-audit-grace', '1s'] })
    t.strictSame(await remains(cluster.etcd, one, 60_000), noTraces)
    await left.start()
    await left.removeAll()
    await clean(t)
  })
})
