import { createResources } from '@network/datastore'
import { draftResource, endpointName, type Resource } from '@network/datastore/model'
import { test } from 'tap'
import { clock, createBench } from './fake-world.ts'

const endpoint = (workload: string, spec: object = {}): Resource => {
  const identity = { node: 'a', orchestrator: 'cli', workload, endpoint: 'eth0' }
  return draftResource('WorkloadEndpoint', endpointName(identity), { ...identity, ...spec })
}

async function setUp(resources: readonly Resource[] = []): Promise<ReturnType<typeof createBench>> {
  const bench = createBench({ columns: 100 })
  await createResources({ store: bench.store, clock, uuid: () => 'uid' }).apply(resources)
  return bench
}

test('a profile is made, changed rule by rule, shown and deleted', async (t) => {
  const { run } = await setUp()
  t.match(await run(['profile', 'web', 'create']), { exitCode: 0, out: 'Profile web created\n' })
  t.match(await run(['profile', 'web', 'create']), { exitCode: 1, err: /Profile web exists already/ })
  t.equal(
    (await run(['profile', 'web', 'show'])).out,
    `Profile web, 0 endpoints
Labels of its endpoints: web=
Inbound: what no rule decides is dropped
  1  allow from label 'has(web)'
Outbound: what no rule decides is dropped
  1  allow
`,
  )
  const added = await run(
    'profile web rule add inbound allow tcp from label role=proxy to ports 80,443'.split(' '),
  )
  t.equal(added.out, 'Profile web: inbound rule 2 added: allow tcp from label role=proxy to ports 80,443\n')
  t.match(await run('profile web rule add inbound --at 1 deny from cidr 10.9.0.0/16'.split(' ')), {
    out: 'Profile web: inbound rule 1 added: deny from cidr 10.9.0.0/16\n',
  })
  t.match(await run('profile web rule remove outbound allow'.split(' ')), {
    out: 'Profile web: outbound rule 1 removed: allow\n',
  })
  t.equal(
    (await run(['profile', 'web', 'rule', 'show'])).out,
    `Inbound: what no rule decides is dropped
  1  deny from cidr 10.9.0.0/16
  2  allow from label 'has(web)'
  3  allow tcp from label role=proxy to ports 80,443
Outbound: no rule, nothing passes
`,
  )
  t.match(await run('profile web rule remove inbound --at 2'.split(' ')), {
    out: "Profile web: inbound rule 2 removed: allow from label 'has(web)'\n",
  })
  t.same(JSON.parse((await run('profile web rule show inbound -o json'.split(' '))).out), [
    { action: 'Deny', source: { nets: ['10.9.0.0/16'] } },
    {
      action: 'Allow',
      protocol: 'TCP',
      source: { selector: 'role == "proxy"' },
      destination: { ports: [80, 443] },
    },
  ])
  t.match(await run(['profile', 'web', 'delete']), { exitCode: 0, out: 'Profile web deleted\n', err: '' })
  t.match(await run(['profile', 'web', 'show']), { exitCode: 3, err: /There is no Profile web/ })
})

test('who deletes a profile that endpoints name is warned', async (t) => {
  const { run } = await setUp([draftResource('Profile', 'web', {}), endpoint('one', { profiles: ['web'] })])
  t.match(await run(['profile', 'web', 'delete']), {
    exitCode: 0,
    err: 'warning: Profile web: WorkloadEndpoint a/cli/one/eth0 names it: what no policy decides there is dropped once it is gone\n',
  })
})

const refused: readonly (readonly [words: string, err: RegExp])[] = [
  ['profile web', /Something is missing after 'drover profile NAME'.*create, delete, show, rule/s],
  ['profile web mend', /'mend' has no meaning after 'profile NAME'.*create, delete, show, rule/s],
  ['profile create web', /The profile comes first: drover profile web create/],
  ['profile web show all', /'all' has no meaning after 'profile NAME show'/],
  ['profile web rule', /Something is missing after 'drover profile NAME rule'.*add, remove, show/s],
  ['profile web rule add', /Something is missing after .*inbound, outbound/s],
  ['profile web rule add inward allow', /'inward' has no meaning after .*inbound, outbound/s],
  [
    'profile web rule add inbound allow tcp to prots 80',
    /The rule 'allow tcp to prots 80' can't be read. At word 4, 'prots': .* Did you mean 'ports'\? Allowed here: cidr, label/,
  ],
  ['profile web rule add inbound --at 0 allow', /--at is '0'.*from 1 to 1024/s],
  ['profile web rule add inbound --at 4 allow', /has 1 inbound rule: there is no place 4.*from 1 to 2/s],
  ['profile web rule remove inbound', /It is not said which rule to remove.*--at/s],
  ['profile web rule remove inbound --at 2', /has 1 inbound rule: there is no place 2/],
  ['profile web rule remove inbound deny udp', /has no inbound rule 'deny udp'.*rule show inbound/s],
  ['profile web rule remove inbound --at 1 deny udp', /has no inbound rule 'deny udp' at 1/],
  ['profile nobody rule add inbound allow', /There is no Profile nobody/],
  ['profile w/eb create', /names|name/],
]

test('what makes no sense is told with what would, and changes nothing', async (t) => {
  const { run } = await setUp()
  await run(['profile', 'web', 'create'])
  const before = (await run(['get', 'profile', 'web', '-o', 'yaml'])).out
  for (const [words, err] of refused) {
    const answer = await run(words.split(' '))
    t.not(answer.exitCode, 0, words)
    t.match(answer.err, err, words)
    t.equal(answer.out, '', words)
  }
  t.equal((await run(['get', 'profile', 'web', '-o', 'yaml'])).out, before)
})

test('of rules that many add at the same time none is lost', async (t) => {
  const { run } = await setUp([draftResource('Profile', 'web', {})])
  const ports = Array.from({ length: 25 }, (_, index) => 8000 + index)
  const answers = await Promise.all(
    ports.map((port) =>
      run(`profile web rule add inbound --at 1 allow tcp to ports ${String(port)}`.split(' ')),
    ),
  )
  for (const answer of answers) t.equal(answer.err, '')
  const shown = JSON.parse((await run('profile web rule show inbound -o json'.split(' '))).out) as {
    destination: { ports: number[] }
  }[]
  t.same(shown.map(({ destination }) => destination.ports[0]).sort(), ports)
})

test('a number means the rule that stood there when it was looked up, whoever shifts it', async (t) => {
  const { run, store } = await setUp([draftResource('Profile', 'web', {})])
  for (const port of [9000, 9001, 9002, 9003]) {
    await run(`profile web rule add inbound allow tcp to ports ${String(port)}`.split(' '))
  }
  const rules = async (): Promise<number[]> =>
    [...(await run('profile web rule show inbound'.split(' '))).out.matchAll(/ports (\d+)/g)].map(
      ([, port]) => Number(port),
    )
  // Between the reading and the writing of the next command somebody else does this.
  const transact = store.transact.bind(store)
  const meanwhile = (words: string): void => {
    let isFirst = true
    store.transact = async (...call) => {
      if (isFirst) {
        isFirst = false
        store.transact = transact
        t.equal((await run(words.split(' '))).exitCode, 0, words)
      }
      return transact(...call)
    }
  }
  meanwhile('profile web rule remove inbound --at 1')
  t.match(await run('profile web rule remove inbound --at 3'.split(' ')), {
    out: 'Profile web: inbound rule 2 removed: allow tcp to ports 9002\n',
  })
  t.same(await rules(), [9001, 9003])
  meanwhile('profile web rule remove inbound allow tcp to ports 9003')
  t.match(await run('profile web rule remove inbound --at 2'.split(' ')), {
    exitCode: 3,
    err: /has no inbound rule 'allow tcp to ports 9003'/,
  })
  meanwhile('profile web rule add inbound --at 1 deny udp')
  t.match(await run('profile web rule add inbound allow tcp to ports 9004'.split(' ')), {
    out: 'Profile web: inbound rule 3 added: allow tcp to ports 9004\n',
  })
  t.same(await rules(), [9001, 9004])
})

test('the profiles of an endpoint', async (t) => {
  const { run } = await setUp([
    draftResource('Profile', 'web', {}),
    endpoint('one', { ipNetworks: ['10.0.0.1/32'], containerID: 'abcdef123', profiles: ['web'] }),
    endpoint('two', { ipNetworks: ['10.0.0.2/32'], containerID: 'abcdee456' }),
    draftResource('HostEndpoint', 'gateway', { node: 'a', interfaceName: 'eth0' }),
  ])
  t.match(await run('endpoint 10.0.0.2 profile set web monitoring'.split(' ')), {
    exitCode: 0,
    out: 'WorkloadEndpoint a/cli/two/eth0 has profiles web, monitoring\n',
    err: 'warning: there is no Profile monitoring: until it is made it denies\n',
  })
  t.match(await run('endpoint one profile append extra web'.split(' ')), {
    out: 'WorkloadEndpoint a/cli/one/eth0 has profiles web, extra\n',
  })
  t.match(await run('endpoint a/cli/one/eth0 profiles remove web extra'.split(' ')), {
    out: 'WorkloadEndpoint a/cli/one/eth0 has no profile\n',
  })
  t.match(await run('endpoint one profile show'.split(' ')), {
    out: 'WorkloadEndpoint a/cli/one/eth0 has no profile: what no policy decides is dropped.\n',
  })
  t.match(await run('endpoint abcdee profile show'.split(' ')), {
    out: 'web\nmonitoring   (nobody defined it: it denies)\n',
  })
  t.match(await run('endpoint gateway profile set web'.split(' ')), {
    out: 'HostEndpoint gateway has profiles web\n',
  })
  t.match(await run('endpoint one profile set'.split(' ')), { exitCode: 0 })
  t.match(await run('endpoint abcd profile show'.split(' ')), {
    exitCode: 2,
    err: /'abcd' may be a\/cli\/one\/eth0, a\/cli\/two\/eth0/,
  })
  t.match(await run('endpoint nobody profile show'.split(' ')), { exitCode: 3, err: /no endpoint 'nobody'/ })
  t.match(await run('endpoint one profile append'.split(' ')), { exitCode: 2, err: /No profile is named/ })
  t.match(await run('endpoint one profile show web'.split(' ')), { exitCode: 2, err: /'web' has no meaning/ })
  t.match(await run('endpoint one rule'.split(' ')), { exitCode: 2, err: /'rule' has no meaning/ })
  t.match(await run('endpoint one profile add'.split(' ')), { exitCode: 2, err: /set, append, remove, show/ })
})

test('many who append at the same time lose nothing', async (t) => {
  const { run } = await setUp([endpoint('one')])
  const names = Array.from({ length: 20 }, (_, index) => `p${String(index)}`)
  await Promise.all(names.map((name) => run(['endpoint', 'one', 'profile', 'append', name])))
  const shown = JSON.parse((await run('endpoint one profile show -o json'.split(' '))).out) as {
    profiles: string[]
  }
  t.same([...shown.profiles].sort(), [...names].sort())
})
