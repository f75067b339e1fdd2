import path from 'node:path'
import { createResources } from '@network/datastore'
import { parseResources, resourceKey } from '@network/datastore/model'
import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { clock, createBench, fakeServer, temporaryFolder } from './fake-world.ts'

const shop = path.join(import.meta.dirname, 'policy', 'shop.yaml')
const offline = ['-f', shop]

/** A command line whose store holds the shop. */
async function setUp(
  options: Parameters<typeof createBench>[0] = {},
): Promise<ReturnType<typeof createBench>> {
  const bench = createBench({ columns: 110, ...options })
  const parsed = parseResources(readFileSync(shop, 'utf8'), { source: 'shop.yaml' })
  if (!parsed.ok) throw new Error(parsed.error.map(({ message }) => message).join('\n'))
  const resources = parsed.value.resources.map(({ resource }) => resource)
  await createResources({ store: bench.store, clock, uuid: () => 'uid' }).apply(resources)
  return bench
}

/** Which flow, and the first two lines of the answer. */
const traces: readonly (readonly [words: string, verdict: string])[] = [
  [
    '--from web-1 --to db-1 --port 5432',
    `rack1-a/docker/web-1/eth0 → rack1-b/docker/db-1/eth0, tcp port 5432, IPv4: allowed
decided by NetworkPolicy/shop/database, rule 1, tier default (ingress at WorkloadEndpoint rack1-b/docker/db-1/eth0)`,
  ],
  [
    '--from web-1 --to db-1 --port 5433',
    `rack1-a/docker/web-1/eth0 → rack1-b/docker/db-1/eth0, tcp port 5433, IPv4: denied
decided by the end of tier default (ingress at WorkloadEndpoint rack1-b/docker/db-1/eth0)`,
  ],
  [
    '--staged --from web-1 --to db-1 --port 5433',
    `rack1-a/docker/web-1/eth0 → rack1-b/docker/db-1/eth0, tcp port 5433, IPv4: allowed
decided by NetworkPolicy/shop/database, rule 1, tier default (ingress at WorkloadEndpoint rack1-b/docker/db-1/eth0)`,
  ],
  [
    '--from db-1 --to 10.65.0.1 --port 23 --protocol tcp',
    `rack1-b/docker/db-1/eth0 → rack1-a/docker/web-1/eth0 (10.65.0.1), tcp port 23, IPv4: denied
decided by GlobalNetworkPolicy/no-telnet, rule 1, tier security (ingress at WorkloadEndpoint rack1-a/docker/web-1/eth0)`,
  ],
  [
    '--from rack1-b/docker/web-2/eth0 --to 198.51.100.7 --protocol udp --port 53',
    `rack1-b/docker/web-2/eth0 → 198.51.100.7, udp port 53, IPv4: allowed
decided by Profile/open, rule 1 (egress at WorkloadEndpoint rack1-b/docker/web-2/eth0)`,
  ],
  [
    '--from web-1 --to host --protocol icmp',
    `rack1-a/docker/web-1/eth0 → host rack1-a, icmp type 8 code 0, IPv4: denied
decided by endpointToHostAction is Drop (ingress at Node rack1-a)`,
  ],
  [
    '--from host --to web-1 --protocol 112',
    `host rack1-a → rack1-a/docker/web-1/eth0, protocol 112, IPv4: allowed
decided by a host reaches its own workloads (egress at Node rack1-a)`,
  ],
  [
    '--from host:rack1-a --to db-1 --protocol sctp --port 9',
    `host rack1-a → rack1-b/docker/db-1/eth0, sctp port 9, IPv4: denied
decided by the end of tier default (ingress at WorkloadEndpoint rack1-b/docker/db-1/eth0)`,
  ],
]

test('trace says the verdict and who made it, from etcd as from files', async (t) => {
  const { run } = await setUp()
  const nothing = createBench({ columns: 110 })
  for (const [words, verdict] of traces) {
    const stored = await run(['policy', 'trace', ...words.split(' ')])
    t.equal(stored.out.split('\n').slice(0, 2).join('\n'), verdict, words)
    t.equal(stored.err, '')
    const files = await nothing.run(['policy', 'trace', ...offline, ...words.split(' ')])
    t.equal(files.out, stored.out, 'files say the same')
  }
})

test('trace names every place on the way, in columns that fit and in JSON', async (t) => {
  const { run } = await setUp()
  const flow = '--from web-1 --to db-1 --port 5432'.split(' ')
  t.equal(
    (await run(['policy', 'trace', ...flow])).out.split('\n').slice(3).join('\n'),
    `  PLACE           VERDICT   WHY                                                   JUDGED BY
WorkloadEndpoint rack1-a/docker/web-1/eth0, egress
  profiles        allow     rule 1: allow                                         Profile/open
WorkloadEndpoint rack1-b/docker/db-1/eth0, ingress
  tier security   pass      no policy of the tier decides                         -
  tier default    allow     rule 1: allow tcp from label role=web to ports 5432   NetworkPolicy/shop/database
`,
  )
  const narrow = await setUp({ columns: 80 })
  const tables = [
    (await narrow.run(['policy', 'show', '--endpoint', 'db-1'])).out,
    (await narrow.run(['policy', 'trace', ...flow])).out.split('\n').slice(3).join('\n'),
  ]
  for (const line of tables.join('').split('\n')) {
    t.ok(Array.from(line).length <= 80 || line.startsWith('Without counters'), line)
  }
  const answer = JSON.parse((await run(['policy', 'trace', ...flow, '-o', 'json'])).out) as {
    action: string
    steps: object[]
  }
  t.equal(answer.action, 'allow')
  t.match(answer.steps.at(-1), {
    at: 'WorkloadEndpoint rack1-b/docker/db-1/eth0',
    direction: 'ingress',
    tier: 'default',
    policy: 'NetworkPolicy/shop/database',
    rule: 0,
    text: 'allow tcp from label role=web to ports 5432',
  })
})

const refused: readonly (readonly [words: string, exitCode: number, err: RegExp])[] = [
  ['trace --from web-1 --to db-1', 2, /It is not said which port/],
  ['trace --from web-1 --to db-1 --port http', 2, /--port is 'http'/],
  ['trace --from web-1 --to db-1 --protocol icmp --port 1', 2, /icmp has no ports/],
  ['trace --from web-1 --to db-1 --port 1 --icmp-type 8', 2, /tcp has no ICMP types/],
  ['trace --from web-1 --to db-1 --protocol quic', 2, /--protocol is 'quic'.*tcp, udp/s],
  ['trace --from web-1 --to db-1 --protocol icmpv6', 2, /both ends have IPv4/],
  ['trace --from web-1 --to 2001:db8::1 --port 1', 2, /do not both have an address of the same family/],
  ['trace --from web-1 --to db-1 --port 1 --family ipv6', 2, /do not both have an IPv6 address/],
  ['trace --from web --to db-1 --port 1', 3, /--from is 'web', which is no endpoint, node or address/],
  ['trace --from drv1 --to db-1 --port 1', 2, /'drv1' may be rack1-a\/docker\/web-1\/eth0, rack1-b/],
  ['trace --from host --to host --port 1', 2, /says no node/],
  ['trace --from 198.51.100.7 --to host:rack9 --port 1', 3, /there is no Node rack9/],
  ['trace --from 198.51.100.7 --to host --port 1', 2, /'host', and the other end is on no node/],
  ['show --endpoint nobody', 3, /There is no endpoint 'nobody'/],
  ['show', 2, /endpoint/],
]

test('a question that makes no sense is refused with what would', async (t) => {
  const { run } = await setUp()
  for (const [words, exitCode, err] of refused) {
    const answer = await run(['policy', ...words.split(' ')])
    t.equal(answer.exitCode, exitCode, words)
    t.match(answer.err, err, words)
    t.equal(answer.out, '')
  }
})

test('show lists every rule in order, with counters of the agent if there is one', async (t) => {
  const socket = path.join(temporaryFolder(t), 'agent.sock')
  const { run } = await setUp({ socket })
  const without = await run(['policy', 'show', '--endpoint', 'db-1'])
  t.equal(without.exitCode, 0)
  t.match(without.out, /Without counters: No agent is listening/)
  const agent = await fakeServer(t, socket, () => ({
    body: {
      iptables: 'nft',
      rules: [
        { policy: 'NetworkPolicy/shop/database', direction: 'ingress', position: 0, packets: 12, bytes: 720 },
        { profile: 'open', direction: 'ingress', position: 0, packets: 3, bytes: 180 },
        { profile: 'open', direction: 'egress', position: 0, packets: 4, bytes: 240 },
      ],
      faults: [{ message: 'rule 3 of NetworkPolicy/shop/x is refused by the kernel' }],
      problems: [],
    },
  }))
  const shown = await run(['policy', 'show', '--endpoint', 'db-1'])
  t.equal(
    shown.out,
    `WorkloadEndpoint rack1-b/docker/db-1/eth0

Inbound (ingress):
PLACE      TIER       POLICY OR PROFILE   RULE   WHAT                                          PACKETS   BYTES
policy     security   GlobalNetworkPol…      1   deny tcp to ports 23                                -       -
policy     security                          -   pass: the end of the tier                           -       -
policy     default    NetworkPolicy/sh…      1   allow tcp from label role=web to ports 5432        12     720
policy     default                           -   deny: the end of the tier                           -       -
profiles   -          Profile/open           1   allow                                               3     180

Outbound (egress):
PLACE      TIER   POLICY OR PROFILE   RULE   WHAT    PACKETS   BYTES
profiles   -      Profile/open           1   allow         4     240

Counters are those of this node, over all of its endpoints that the rule bears on.
`,
  )
  t.match(shown.err, /warning: this node: rule 3 of NetworkPolicy\/shop\/x is refused by the kernel/)
  t.equal(agent.calls[0]?.url, `/v1/policy?endpoint=${encodeURIComponent('rack1-b/docker/db-1/eth0')}`)
  const json = JSON.parse((await run(['policy', 'show', '--endpoint', 'db-1', '-o', 'json'])).out) as {
    rules: { policy?: string; packets?: number }[]
  }
  t.equal(json.rules.find(({ policy }) => policy === 'NetworkPolicy/shop/database')?.packets, 12)
})

test('diff tells which flows staged policies would change', async (t) => {
  const { run } = await setUp()
  const { out } = await run(['policy', 'diff'])
  t.match(out, /^If in force: StagedNetworkPolicy shop\/database\n\nFlows that change:\n/)
  t.match(
    out,
    /^gained {2}rack1-a\/docker\/web-1\/eth0 and 1 more → rack1-b\/docker\/db-1\/eth0\n {8}tcp to ports 5433 .*by NetworkPolicy\/shop\/database, rule 1\n/m,
  )
  t.match(out, /gained {2}198\.51\.100\.0\/24 → rack1-b\/docker\/db-1\/eth0\n/)
  t.notMatch(out, /lost/)
  t.equal((await createBench().run(['policy', 'diff', ...offline])).out, out, 'files say the same')
  const json = JSON.parse((await run(['policy', 'diff', '-o', 'json'])).out) as {
    complete: boolean
    changes: { change: string; from: { names?: string[] }[]; destinationPorts?: unknown }[]
  }
  t.equal(json.complete, true)
  t.match(json.changes[0], {
    change: 'gains',
    from: [{ names: ['rack1-a/docker/web-1/eth0', 'rack1-b/docker/web-2/eth0'] }],
    destinationPorts: [{ from: 5433, to: 5433 }],
  })
  await run(['delete', 'stagednetworkpolicy', 'database', '-n', 'shop'])
  t.equal((await run(['policy', 'diff'])).out, 'There is no staged policy.\n')
})

const closed = `apiVersion: drover.network/v1
kind: NetworkPolicy
metadata: { name: database, namespace: shop }
spec:
  selector: role == 'db'
  ingress:
    - { action: Allow, protocol: TCP, source: { selector: role == 'admin' }, destination: { ports: [5432] } }
`

test('a dry run tells what would change, in resources and in flows, and writes nothing', async (t) => {
  const { run } = await setUp()
  const before = (await run(['get', 'policies', '-o', 'yaml'])).out
  const { out } = await run(['apply', '-f', '-', '--dry-run'], closed)
  t.match(
    out,
    `NetworkPolicy shop/database would be changed: spec.ingress
`,
  )
  t.match(out, /^ {2}- .*selector: role == "web"$/m)
  t.match(out, /^ {2}\+ .*selector: role == "admin"$/m)
  t.match(
    out,
    /lost {4}rack1-a\/docker\/web-1\/eth0 and 1 more → rack1-b\/docker\/db-1\/eth0\n {8}tcp to ports 5432/,
  )
  t.notMatch(out, /gained/)
  const deletion = await run(['delete', 'policy', 'database', '-n', 'shop', '--dry-run'])
  t.match(deletion.out, /^NetworkPolicy shop\/database would be deleted\n\nFlows that change:\n/)
  t.match(deletion.out, /gained/)
  const json = JSON.parse((await run(['apply', '-f', '-', '--dry-run', '-o', 'json'], closed)).out) as {
    changes: { action: string; previous: object }[]
    flows: { changes: { change: string }[] }
  }
  t.equal(json.changes[0]?.action, 'update')
  t.ok(json.changes[0]?.previous)
  t.same(new Set(json.flows.changes.map(({ change }) => change)), new Set(['loses']))
  t.equal((await run(['get', 'policies', '-o', 'yaml'])).out, before)
  const same = await run(['apply', '-f', '-', '--dry-run'], before)
  t.equal(same.out, 'NetworkPolicy shop/database unchanged\n')
})

test('a value that can not be read is told, hides nothing, and denies as far as it is understood', async (t) => {
  const { run, store } = await setUp()
  const key = resourceKey({ kind: 'GlobalNetworkPolicy', name: 'broken' })
  const value = JSON.stringify({
    apiVersion: 'drover.network/v1',
    kind: 'GlobalNetworkPolicy',
    metadata: { name: 'broken' },
    spec: { tier: 'security', selector: "role == 'web'", ingress: [{ action: 'Alow' }] },
  })
  await store.transact({ when: [], then: [{ put: key, value }] })
  const all = await run(['get', 'gnp'])
  t.match(all.out, /no-telnet/)
  t.match(
    all.err,
    /globalnetworkpolicies\/broken can't be read as GlobalNetworkPolicy: spec.ingress\[0\].action: 'Alow': did you mean 'Allow'/,
  )
  t.equal((await run(['get', 'gnp', 'broken'])).exitCode, 1)
  const both = await run(['get', 'gnp', 'broken', 'no-telnet'])
  t.match(both.out, /no-telnet/)
  t.match(both.err, /warning: What is stored as GlobalNetworkPolicy broken can't be read/)
  const traced = await run(['policy', 'trace', '--from', 'db-1', '--to', 'web-1', '--port', '80'])
  t.match(traced.out, /denied\ndecided by GlobalNetworkPolicy\/broken, rule 1, tier security/)
  t.match(traced.err, /warning: .*globalnetworkpolicies\/broken can't be read/)
})

test('namespaces of the kinds that have them', async (t) => {
  const { run } = await setUp()
  t.match(
    (await run(['get', 'policies'])).out,
    /^NAMESPACE +NAME +TIER +ORDER +SELECTOR +INGRESS +EGRESS\nshop +database +default +- +role == "db" +1 +-\n$/,
  )
  t.match((await run(['get', 'policies', '-n', 'other'])).out, /There is no NetworkPolicy/)
  t.equal((await run(['get', 'policy', 'database'])).exitCode, 3)
  t.match((await run(['get', 'policy', 'database', '-n', 'shop', '-o', 'yaml'])).out, /namespace: shop/)
  t.match(await run(['get', 'gnp', '-n', 'shop']), {
    exitCode: 2,
    err: /A GlobalNetworkPolicy has no namespace/,
  })
  t.match(await run(['delete', 'policy', 'database']), {
    exitCode: 3,
    err: /no NetworkPolicy default\/database/,
  })
  t.match(await run(['delete', 'tier', 'security']), {
    exitCode: 1,
    err: /Tier security: the GlobalNetworkPolicy no-telnet is in it/,
  })
})
