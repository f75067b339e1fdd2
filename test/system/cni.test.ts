/** The plugin as a runtime executes it, against real agents: the verbs, chains with other plugins, and what must not happen. */
import { mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { type Test, test } from 'tap'
import {
  Lab,
  type LabNode,
  type Place,
  buildCluster,
  noTraces,
  reaches,
  remains,
  tracesOf,
  until,
} from '../lab/index.ts'

interface Said {
  status: number
  json: Record<string, unknown> & { code?: number; msg?: string; ips?: { address: string }[] }
}

async function prepare(t: Test, label: string) {
  const lab = new Lab(label)
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, { nodes: 1 })
  const [node] = cluster.nodes as [LabNode]
  const bin = path.join(lab.folder, 'bin')
  mkdirSync(bin)
  await node.drover('install', 'cni', '--bin', bin, '--conf', path.join(lab.folder, 'conf'))
  /** Executes a plugin on the node, as a runtime does. */
  const call = async (
    command: string,
    configuration: object,
    env: Record<string, string> = {},
    plugin = path.join(bin, 'drover'),
  ): Promise<Said> => {
    const done = await node.place.attempt(plugin, [], {
      env: { CNI_COMMAND: command, CNI_IFNAME: 'eth0', CNI_PATH: `${bin}:/usr/lib/cni`, ...env },
      input: JSON.stringify(configuration),
    })
    return {
      status: done.exitCode,
      json: (done.stdout === '' ? {} : JSON.parse(done.stdout)) as Said['json'],
    }
  }
  let made = 0
  const container = async (): Promise<{ place: Place; env: Record<string, string>; id: string }> => {
    const id = `c${String(++made)}`
    const place = await lab.namespace(id)
    return { place, id, env: { CNI_CONTAINERID: id, CNI_NETNS: place.netns } }
  }
  const clean = async (t: Test, what = 'nothing is left'): Promise<void> => {
    t.strictSame(await remains(cluster.etcd, node), noTraces, what)
  }
  return { lab, cluster, node, bin, call, container, clean }
}

const network = { cniVersion: '1.1.0', name: 'net', type: 'drover' }
const first = ({ json }: Said): string => json.ips?.[0]?.address.replace(/\/\d+$/, '') ?? ''

test('the verbs', async (t) => {
  const { cluster, node, call, container, clean } = await prepare(t, 'cni')

  await t.test('ADD, again, CHECK, DEL, again', async (t) => {
    const { place, env } = await container()
    const added = await call('ADD', network, env)
    t.equal(added.status, 0, JSON.stringify(added.json))
    t.strictSame(await call('ADD', network, env), added)
    t.ok(await until('it is reached', () => reaches(cluster.outside, first(added), 1)))
    t.match((await place.run('ip', ['addr', 'show', 'eth0'])).stdout, first(added))
    t.match(await call('CHECK', { ...network, prevResult: added.json }, env), { status: 0 })
    t.match(await call('DEL', { ...network, prevResult: added.json }, env), { status: 0 })
    t.match(await call('DEL', network, { ...env, CNI_NETNS: '' }), { status: 0 })
    await clean(t)
  })

  await t.test('at once: three ADDs, two DELs', async (t) => {
    const { env } = await container()
    const added = await Promise.all([1, 2, 3].map(() => call('ADD', network, env)))
    t.strictSame(added[1], added[0])
    t.strictSame(added[2], added[0])
    const deleted = await Promise.all([1, 2].map(() => call('DEL', network, env)))
    t.same(
      deleted.map(({ status }) => status),
      [0, 0],
    )
    await clean(t)
  })

  await t.test('an ADD that fails leaves nothing', async (t) => {
    const { place, env } = await container()
    await place.run('ip', ['link', 'add', 'eth0', 'type', 'bridge'])
    t.match(await call('ADD', network, env), { status: 1, json: { code: 102, msg: /eth0/ } })
    await clean(t)
    t.match(await call('ADD', network, { ...env, CNI_NETNS: '/run/netns/absent' }), { json: { code: 3 } })
    t.match(await call('ADD', network, { ...env, CNI_NETNS: '/etc/passwd' }), { json: { code: 8 } })
    t.match(await call('ADD', network, { ...env, CNI_NETNS: '/proc/self/ns/net' }), { json: { code: 8 } })
    t.match(await call('ADD', network, { ...env, CNI_ARGS: 'IP=203.0.113.9' }), {
      json: { msg: /203\.0\.113\.9/ },
    })
    await clean(t)
  })

  await t.test('CHECK names what differs, and ADD puts it right', async (t) => {
    const { place, env, id } = await container()
    const added = await call('ADD', network, env)
    const address = first(added)
    const check = () => call('CHECK', { ...network, prevResult: added.json }, env)
    const inside =
      (...words: string[]) =>
      () =>
        place.run('ip', words)
    const handle = `/drover/v1/ipam/handles/${encodeURIComponent(`${id}:eth0:${node.name}`)}`
    for (const [what, harm, words] of [
      [
        'an address',
        inside('addr', 'del', `${address}/32`, 'dev', 'eth0'),
        new RegExp(`container\\.address ${address}/32 is absent`),
      ],
      ['the default route', inside('route', 'del', 'default'), /route.*0\.0\.0\.0\/0|default/],
      ['the MTU', inside('link', 'set', 'eth0', 'mtu', '1400'), /container\.mtuBytes is 1400, not 1500/],
      ['the link', inside('link', 'set', 'eth0', 'down'), /container\.up is false/],
      [
        'forwarding',
        () => place.run('sysctl', ['-w', 'net.ipv4.ip_forward=1']),
        /sysctl net\/ipv4\/ip_forward is 1, not 0/,
      ],
    ] as const) {
      t.match(await check(), { status: 0 }, `${what}: before`)
      await harm()
      const found = await check()
      t.equal(found.json.code, 104, what)
      t.match(found.json.msg, words, what)
      t.strictSame(await call('ADD', network, env), added)
    }
    const after = await check()
    t.equal(after.status, 0, `after all of it: ${JSON.stringify(after.json)}`)
    const { stdout: rules } = await node.place.run('iptables-save', ['-t', 'filter'])
    const chain = /^:(drv-tw-\S+)/m.exec(rules)?.[1] ?? ''
    await node.place.run('iptables', ['-F', chain])
    t.match((await check()).json, { code: 104, msg: `host.rules ipv4 ${chain} is empty` }, 'the rules')
    await cluster.etcd.ctl('del', handle)
    t.match((await check()).json, { code: 104, msg: /allocation .* is not held/ }, 'the allocation')
    await call('DEL', network, env)
    await node.drover('ipam', 'check', '--fix')
    await clean(t)
  })

  await t.test('GC', async (t) => {
    const containers = await Promise.all([container(), container(), container()])
    for (const { env } of containers) t.match(await call('ADD', network, env), { status: 0 })
    const [, keep] = containers
    const list = { 'cni.dev/valid-attachments': [{ containerID: keep.id, ifname: 'eth0' }] }
    t.match(await call('GC', { ...network, ...list }), { status: 0 })
    t.same(
      (await tracesOf(cluster.etcd, node)).endpoints.map((key) => key.split('/').at(-2)),
      [keep.id],
    )
    t.match(await call('GC', { ...network, 'cni.dev/valid-attachments': [] }), { status: 0 })
    await clean(t)
  })

  await t.test('STATUS', async (t) => {
    t.match(await call('STATUS', network), { status: 0 })
    await cluster.apply(
      'apiVersion: drover.network/v1\nkind: IPPool\nmetadata: { name: tiny }\nspec: { cidr: 10.66.0.0/30, blockSize: 30, assignmentMode: Manual }\n',
    )
    const tiny = { ...network, ipv4Pools: ['tiny'], assignIPv6: false }
    t.match(await call('STATUS', tiny), { status: 0 })
    const containers = await Promise.all([1, 2, 3, 4].map(() => container()))
    for (const { env } of containers) t.match(await call('ADD', tiny, env), { status: 0 })
    t.match(await call('STATUS', tiny), { status: 1, json: { code: 50, msg: /No ipv4 address is free/ } })
    const { env } = await container()
    t.match(await call('ADD', tiny, env), { status: 1, json: { code: 100 } })
    for (const each of containers) await call('DEL', tiny, each.env)
    await clean(t)
    await cluster.etcd.stop('SIGKILL')
    await until('the agent has noticed', async () => (await call('STATUS', network)).status === 1)
    t.match(await call('STATUS', network), { json: { code: 50, msg: /etcd does not answer/ } })
    await cluster.etcd.start()
    await until('the agent is ready', async () => (await call('STATUS', network)).status === 0)
    await node.agent().stop()
    t.match(await call('STATUS', network), { status: 1, json: { code: 51 } })
    await node.startAgent()
  })

  await t.test('names that attack are refused or carried', async (t) => {
    const before = readdirSync('/').sort()
    for (const text of [
      "'; touch /pwned; '",
      '$(touch /pwned)',
      '`touch /pwned`',
      '../../../../pwned',
      'a\nb',
      '"',
      'x'.repeat(300),
      '漢字',
    ]) {
      const { env } = await container()
      const said = await call('ADD', network, {
        ...env,
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAME=${text.replaceAll(';', '')}`,
      })
      if (said.status === 0) {
        const items = JSON.parse(await node.drover('get', 'endpoints', '-o', 'json')) as {
          items: { spec: { workload: string } }[]
        }
        t.equal(items.items[0]?.spec.workload, text.replaceAll(';', ''), 'carried as it is')
      } else t.match(said.json.code, 7, `refused: ${String(said.json.msg).slice(0, 100)}`)
      t.match(await call('DEL', network, env), { status: 0 })
      for (const bad of [{ CNI_CONTAINERID: text }, { CNI_IFNAME: text }, { CNI_NETNS: text }]) {
        const refused = await call('ADD', network, { ...env, ...bad })
        t.equal(refused.status, 1)
        t.ok([3, 4, 7, 8].includes(refused.json.code ?? 0), JSON.stringify(refused.json))
      }
    }
    t.same(readdirSync('/').sort(), before, 'nothing was executed')
    await clean(t)
  })
})

test('other plugins', async (t) => {
  const { lab, cluster, node, bin, call, container, clean } = await prepare(t, 'cnimore')
  const data = path.join(lab.folder, 'host-local')
  const hostLocal = { type: 'host-local', ranges: [[{ subnet: '10.67.0.0/24' }]], dataDir: data }
  const delegated = { ...network, ipam: hostLocal }
  const reserved = (): string[] => readdirSync(path.join(data, 'net')).filter((name) => /^10\./.test(name))

  await t.test('addresses from host-local, announced through a pool that covers them', async (t) => {
    await cluster.apply(
      'apiVersion: drover.network/v1\nkind: IPPool\nmetadata: { name: theirs }\nspec: { cidr: 10.67.0.0/24, disabled: true }\n',
    )
    const { env } = await container()
    const added = await call('ADD', delegated, env)
    t.match(added, { status: 0, json: { ips: [{ address: /^10\.67\.0\.\d+\/32$/ }] } })
    t.strictSame(await call('ADD', delegated, env), added)
    t.ok(await until('it is reached', () => reaches(cluster.outside, first(added), 1)))
    t.match(await call('CHECK', { ...delegated, prevResult: added.json }, env), { status: 0 })
    t.same(reserved(), [first(added)])
    t.match(await call('DEL', network, { ...env, CNI_NETNS: '' }), { status: 0 }, 'by what was remembered')
    t.same(reserved(), [])
    await clean(t)
  })

  await t.test('a failed ADD gives the address back to host-local', async (t) => {
    const { place, env } = await container()
    await place.run('ip', ['link', 'add', 'eth0', 'type', 'bridge'])
    t.match(await call('ADD', delegated, env), { status: 1, json: { code: 102 } })
    t.same(reserved(), [])
    await clean(t)
  })

  await t.test('a DEL with the agent away gives it back later', async (t) => {
    const { env } = await container()
    t.match(await call('ADD', delegated, env), { status: 0 })
    await node.agent().stop()
    t.match(await call('DEL', delegated, env), { status: 0 })
    t.equal(reserved().length, 1)
    await node.startAgent()
    await until('it is given back', () => reserved().length === 0)
    await clean(t)
  })

  await t.test('static', async (t) => {
    const { env } = await container()
    const configuration = { ...network, ipam: { type: 'static', addresses: [{ address: '10.67.0.200/24' }] } }
    const added = await call('ADD', configuration, env)
    t.match(added, { status: 0, json: { ips: [{ address: '10.67.0.200/32' }] } })
    t.ok(await until('it is reached', () => reaches(cluster.outside, '10.67.0.200', 1)))
    await call('DEL', configuration, env)
    await clean(t)
  })

  await t.test('our addresses for ptp', async (t) => {
    const { env } = await container()
    const ptp = {
      cniVersion: '1.0.0',
      name: 'net',
      type: 'ptp',
      ipam: { type: 'drover-ipam', assignIPv6: false },
    }
    const added = await call('ADD', ptp, env, '/usr/lib/cni/ptp')
    t.equal(added.status, 0, JSON.stringify(added.json))
    t.match(first(added), /^10\.65\./)
    t.ok(await until('it is reached', () => reaches(cluster.outside, first(added), 1)))
    const listed = JSON.parse(await node.drover('get', 'endpoints', '-o', 'json')) as { items: object[] }
    t.match(listed.items, [{ spec: { ipNetworks: [`${first(added)}/32`] } }], 'policy and people see it')
    t.match(await call('CHECK', { ...ptp, prevResult: added.json }, env, '/usr/lib/cni/ptp'), { status: 0 })
    t.match(await node.drover('ipam', 'check'), /nothing is wrong|empty-block/)
    t.match(await call('DEL', { ...ptp, prevResult: added.json }, env, '/usr/lib/cni/ptp'), { status: 0 })
    await clean(t)
    t.ok(bin)
  })
})

test('what runtimes say besides, and ports of the node', async (t) => {
  const { lab, cluster, node, call, container, clean } = await prepare(t, 'cniports')
  const shown = async (): Promise<{ metadata: { labels: object }; spec: object }[]> =>
    (
      JSON.parse(await node.drover('get', 'endpoints', '-o', 'json')) as {
        items: { metadata: { labels: object }; spec: object }[]
      }
    ).items

  await t.test('Nomad', async (t) => {
    const { env } = await container()
    const nomad = 'NOMAD_NAMESPACE=prod;NOMAD_JOB_ID=shop;NOMAD_GROUP_NAME=front;NOMAD_REGION=global'
    const added = await call('ADD', network, { ...env, CNI_ARGS: `IgnoreUnknown=true;${nomad}` })
    t.equal(added.status, 0, JSON.stringify(added.json))
    t.match(await shown(), [
      {
        metadata: { labels: { 'drover.network/nomad-job': 'shop', 'drover.network/nomad-group': 'front' } },
        spec: { orchestrator: 'nomad', workload: 'shop.front', namespace: 'prod' },
      },
    ])
    t.match(await call('DEL', network, env), { status: 0 })
    await clean(t)
  })

  await t.test('Mesos, in version 0.2.0', async (t) => {
    const { env } = await container()
    const mesos = {
      ...{ cniVersion: '0.2.0', name: 'net', type: 'drover', assignIPv4: true },
      args: {
        'org.apache.mesos': {
          network_info: {
            name: 'net',
            labels: { labels: [{ key: 'app', value: 'db' }] },
            port_mappings: [{ host_port: 31_000, container_port: 5432, protocol: 'tcp' }],
          },
        },
      },
    }
    const added = await call('ADD', mesos, env)
    t.match(added, {
      status: 0,
      json: { cniVersion: '0.2.0', ip4: { ip: /^10\.65\..*\/32$/, routes: [{ dst: '0.0.0.0/0' }] } },
    })
    t.match(await shown(), [{ metadata: { labels: { app: 'db' } }, spec: { orchestrator: 'mesos' } }])
    t.match(await node.drover('ports'), /31000 +TCP +.*:5432/)
    t.match(await call('DEL', mesos, env), { status: 0 })
    t.match(await node.drover('ports'), 'No port')
    await clean(t)
  })

  await t.test("policy sees the real source of what comes by the node's port", async (t) => {
    const sourceOf = async (place: Place): Promise<string> => {
      const links = JSON.parse(
        (await place.run('ip', ['-j', '-4', 'addr', 'show', 'scope', 'global'])).stdout,
      ) as { addr_info: { local: string }[] }[]
      return links[0]?.addr_info[0]?.local ?? ''
    }
    const [friend, stranger] = [cluster.outside, cluster.etcd.place]
    const source = await sourceOf(friend)
    await cluster.apply(`
apiVersion: drover.network/v1
kind: GlobalNetworkPolicy
metadata: { name: friends }
spec:
  selector: role == 'web'
  types: [Ingress]
  ingress:
    - { action: Allow, protocol: TCP, source: { nets: [${source}/32] }, destination: { ports: [80] } }
`)
    const published = {
      ...network,
      labels: { role: 'web' },
      runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
    }
    const { place, env } = await container()
    const added = await call('ADD', published, env)
    t.equal(added.status, 0, JSON.stringify(added.json))
    t.match(await node.drover('ports'), new RegExp(`8080 +TCP +.*${first(added)}:80`))
    const folder = path.join(lab.folder, 'www')
    mkdirSync(folder)
    const server = place.start('httpd', 'busybox', ['httpd', '-f', '-vv', '-p', '80', '-h', folder])
    const url = `http://${await sourceOf(node.place)}:8080/`
    const ask = (from: Place) => from.attempt('curl', ['-sS', '--max-time', '2', '-o', '/dev/null', url])
    t.ok(await until('the friend is answered', async () => (await ask(friend)).exitCode === 0))
    t.not((await ask(stranger)).exitCode, 0, 'the stranger is not, by the same port')
    t.match(server.log(), `${source}]`, 'the workload sees who it is')
    server.signal('SIGKILL')
    t.match(await call('DEL', published, env), { status: 0 })
    t.match(await node.drover('ports'), 'No port')
    await node.drover('delete', 'globalnetworkpolicy', 'friends')
    await clean(t)
  })
})
