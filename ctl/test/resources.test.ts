import { writeFileSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { test } from 'tap'
import { createBench, temporaryFolder } from './fake-world.ts'

const pool = (name: string, cidr: string, more = ''): string =>
  `apiVersion: drover.network/v1\nkind: IPPool\nmetadata: { name: ${name} }\nspec: { cidr: ${cidr}${more} }\n`
const peer = `apiVersion: drover.network/v1
kind: BGPPeer
metadata: { name: tor }
spec: { peerIP: 192.0.2.1, asNumber: 64601, password: open-sesame }
`
const read = ['-f', '-']

test('apply creates, changes, and says what it did', async (t) => {
  const { run } = createBench()
  t.same(await run(['apply', ...read], `${pool('a', '10.1.0.0/16')}---\n${pool('b', '10.2.0.0/16')}`), {
    exitCode: 0,
    out: 'IPPool a created\nIPPool b created\n',
    err: '',
  })
  const dry = await run(['apply', ...read, '--dry-run'], pool('a', '10.1.0.0/16', ', natOutgoing: true'))
  t.equal(
    dry.out,
    `IPPool a would be changed: spec.natOutgoing
      cidr: 10.1.0.0/16
      blockSize: 26
  -   natOutgoing: false
  +   natOutgoing: true
      disabled: false
      disableBGPExport: false
`,
  )
  const again = await run(['apply', ...read], `${pool('a', '10.1.0.0/16')}---\n${pool('c', '10.3.0.0/16')}`)
  t.equal(again.out, 'IPPool a unchanged\nIPPool c created\n', 'the dry run has written nothing')
  const changed = await run(['apply', ...read], pool('a', '10.1.0.0/16', ', natOutgoing: true'))
  t.equal(changed.out, 'IPPool a changed: spec.natOutgoing\n')
  const unchanged = await run(
    ['apply', ...read, '--dry-run'],
    pool('a', '10.1.0.0/16', ', natOutgoing: true'),
  )
  t.equal(unchanged.out, 'IPPool a unchanged\n')
})

test('apply answers in JSON, secrets masked', async (t) => {
  const { run } = createBench()
  const done = await run(['apply', ...read, '-o', 'json'], peer)
  const [change] = JSON.parse(done.out) as {
    action: string
    resource: { spec: { password: string } }
    fields: string[]
  }[]
  t.equal(change?.action, 'create')
  t.equal(change?.resource.spec.password, '********')
  t.notMatch(done.out, 'open-sesame')
})

test('create refuses what exists, replace what does not', async (t) => {
  const { run } = createBench()
  t.equal((await run(['create', ...read], pool('a', '10.1.0.0/16'))).exitCode, 0)
  const twice = await run(['create', ...read], pool('a', '10.1.0.0/16'))
  t.equal(twice.exitCode, 1)
  t.match(twice.err, /^error: IPPool a exists already\.\nremedy: /)
  const absent = await run(['replace', ...read], pool('z', '10.9.0.0/16'))
  t.equal(absent.exitCode, 3)
  t.match(absent.err, /^error: There is no IPPool z\./)
  t.equal((await run(['replace', ...read], pool('a', '10.1.0.0/16', ', disabled: true'))).exitCode, 0)
})

test('get: tables, wide tables, YAML and JSON', async (t) => {
  const { run } = createBench()
  await run(['apply', ...read], `${pool('a', '10.1.0.0/16')}---\n${pool('b', 'fd00::/48')}---\n${peer}`)
  t.same((await run(['get', 'pools'])).out.split('\n'), [
    'NAME   CIDR          BLOCK   NAT   DISABLED   NODES',
    'a      10.1.0.0/16   /26     no    no         all()',
    'b      fd00::/48     /122    no    no         all()',
    '',
  ])
  t.same((await run(['get', 'pool', 'b', '-o', 'wide'])).out.split('\n'), [
    'NAME   CIDR        BLOCK   NAT   DISABLED   NODES   MODE        BGP EXPORT',
    'b      fd00::/48   /122    no    no         all()   Automatic   yes',
    '',
  ])
  t.same((await run(['get', 'peers', '-o', 'wide'])).out.split('\n'), [
    'NAME   PEER           AS   NODES   FILTERS   NEXT HOP   PASSWORD',
    'tor    192.0.2.1   64601   all()   -         Auto       yes',
    '',
  ])
  const list = JSON.parse((await run(['get', 'pools', '-o', 'json'])).out) as {
    kind: string
    items: unknown[]
  }
  t.equal(list.kind, 'List')
  t.equal(list.items.length, 2)
  const one = JSON.parse((await run(['get', 'pools', 'a', '-o', 'json'])).out) as { kind: string }
  t.equal(one.kind, 'IPPool')
  t.equal((await run(['get', 'profiles'])).out, 'There is no Profile.\n')
})

test('what get prints as YAML is what apply takes, masked secrets included', async (t) => {
  const { run } = createBench()
  await run(['apply', ...read], peer)
  const yaml = (await run(['get', 'peer', 'tor', '-o', 'yaml'])).out
  t.match(yaml, 'password: "********"')
  t.equal((await run(['apply', ...read], yaml)).out, 'BGPPeer tor unchanged\n')
  t.match((await run(['get', 'peer', 'tor', '-o', 'yaml', '--show-secrets'])).out, 'password: open-sesame')
})

test('get by labels', async (t) => {
  const { run } = createBench()
  const node = (name: string, rack: string): string =>
    `apiVersion: drover.network/v1\nkind: Node\nmetadata: { name: ${name}, labels: { rack: ${rack} } }\nspec: {}\n---\n`
  await run(['apply', ...read], node('n1', 'a') + node('n2', 'b'))
  const found = await run(['get', 'nodes', '-l', "rack == 'b'", '-o', 'json'])
  t.match(JSON.parse(found.out), { items: [{ metadata: { name: 'n2' } }] })
  const wrong = await run(['get', 'nodes', '-l', 'rack =='])
  t.equal(wrong.exitCode, 2)
  t.match(wrong.err, /--selector 'rack ==' can't be read: .*column/)
  t.equal((await run(['get', 'nodes', 'n1', '-l', "rack == 'b'"])).exitCode, 2)
})

test('what is stored and cannot be read is told, and the rest is shown', async (t) => {
  const { run, store } = createBench()
  await run(['apply', ...read], pool('a', '10.1.0.0/16'))
  await store.transact({
    when: [],
    then: [{ put: '/drover/v1/resources/ippools/bad', value: '{"spec":{}}' }],
  })
  const list = await run(['get', 'pools'])
  t.equal(list.exitCode, 1)
  t.match(list.out, /^a +10\.1\.0\.0\/16/m)
  t.match(list.err, /^warning: \/drover\/v1\/resources\/ippools\/bad can't be read as IPPool: /)
  const json = await run(['get', 'pools', '-o', 'json'])
  t.match(JSON.parse(json.err), { warning: { message: /ippools\/bad/ } })
  const one = await run(['get', 'pool', 'bad'])
  t.equal(one.exitCode, 1)
  t.match(one.err, /^error: What is stored as IPPool bad can't be read/)
  t.equal((await run(['delete', 'pool', 'bad'])).out, 'IPPool bad deleted\n')
})

test('delete by name and by file; what is in use only by force', async (t) => {
  const { run, store } = createBench()
  await run(['apply', ...read], `${pool('a', '10.1.0.0/16')}---\n${pool('b', '10.2.0.0/16')}`)
  const { createAllocator } = await import('@network/datastore')
  const { clock, silent } = await import('./fake-world.ts')
  const allocator = createAllocator({ store, clock, random: Math.random, log: silent }, { node: 'n1' })
  await allocator.assign({
    handle: 'h1',
    owner: { node: 'n1', orchestrator: 'cli', workload: 'w', endpoint: 'eth0' },
    ipv4: 1,
    pools: ['a'],
  })
  const refused = await run(['delete', 'pool', 'a'])
  t.equal(refused.exitCode, 1)
  t.match(refused.err, /IPPool a/)
  t.match(refused.err, /^remedy: /m)
  t.equal((await run(['delete', 'pool', 'a', '--force', '--dry-run'])).out, 'IPPool a would be deleted\n')
  t.equal((await run(['delete', 'pool', 'a', '--force'])).out, 'IPPool a deleted\n')
  const gone = await run(['delete', 'pool', 'a'])
  t.equal(gone.exitCode, 3)
  t.same(await run(['delete', 'pool', 'a', '--ignore-not-found']), { exitCode: 0, out: '', err: '' })
  t.equal((await run(['delete', ...read], pool('b', '10.2.0.0/16'))).out, 'IPPool b deleted\n')
  await allocator.close()
})

test('delete wants names or files, not both and not neither', async (t) => {
  const { run } = createBench()
  for (const words of [
    ['delete'],
    ['delete', 'pool'],
    ['delete', 'pool', ...read],
    ['delete', 'pool', 'a', ...read],
  ]) {
    const done = await run(words, pool('a', '10.1.0.0/16'))
    t.equal(done.exitCode, 2, words.join(' '))
    t.match(done.err, 'It is not said what to delete.')
  }
})

test('files, folders and what is below them', async (t) => {
  const { run } = createBench()
  const folder = temporaryFolder(t)
  mkdirSync(path.join(folder, 'below'))
  writeFileSync(path.join(folder, 'one.yaml'), pool('one', '10.1.0.0/16'))
  writeFileSync(path.join(folder, 'notes.txt'), 'not a resource')
  writeFileSync(path.join(folder, 'below', 'two.yaml'), pool('two', '10.2.0.0/16'))
  t.equal((await run(['apply', '-f', folder])).out, 'IPPool one created\n')
  t.equal((await run(['apply', '-R', '-f', folder])).out, 'IPPool two created\nIPPool one unchanged\n')
  const file = path.join(folder, 'bad.yaml')
  writeFileSync(file, pool('bad', '10.9.0.1/16'))
  const wrong = await run(['apply', '-f', path.join(folder, 'one.yaml'), '-f', file])
  t.equal(wrong.exitCode, 2)
  t.match(wrong.err, `${file}:4: IPPool bad: spec.cidr`)
  t.match(wrong.err, '10.9.0.0/16')
})

interface BadInput {
  what: string
  words: readonly string[]
  input?: string
  exitCode?: number
  says: readonly RegExp[]
}

const bad: readonly BadInput[] = [
  { what: 'no command', words: [], says: [/A command is missing/, /--help/] },
  { what: 'unknown command', words: ['appyl'], says: [/drover appyl/, /Did you mean 'apply'/] },
  { what: 'a command of nothing known', words: ['frobnicate'], says: [/drover frobnicate/, /--help/] },
  { what: 'unknown command below another', words: ['ipam', 'shwo'], says: [/ipam shwo/, /'show'/] },
  { what: 'command missing below another', words: ['node'], says: [/missing after 'drover node'/] },
  { what: 'unknown option', words: ['get', 'pools', '--colour'], says: [/'drover get'/, /colour/] },
  { what: 'no kind', words: ['get'], says: [/missing after 'drover get'/, /drover get --help/] },
  { what: 'unknown kind', words: ['get', 'ippol'], says: [/'ippol' is no kind/, /Did you mean ippools\?/] },
  { what: 'unknown output', words: ['get', 'pools', '-o', 'xml'], says: [/--output/, /xml/, /yaml/] },
  {
    what: 'an option without its value',
    words: ['apply', '-f'],
    says: [/-f.* has no value/],
  },
  {
    what: 'an option twice',
    words: ['get', 'pools', '--config', 'a', '--config', 'b'],
    says: [/--config/, /2 times/],
  },
  { what: 'no file', words: ['apply'], says: [/No file is named/, /drover apply -f/] },
  {
    what: 'a file that is not there',
    words: ['apply', '-f', '/nowhere/x.yaml'],
    says: [/\/nowhere\/x\.yaml/, /ENOENT/],
  },
  { what: 'no YAML', words: ['apply', ...read], input: 'kind: [IPPool', says: [/standard input:1: column/] },
  { what: 'nothing', words: ['apply', ...read], input: '', says: [/no resource/i] },
  {
    what: 'host bits',
    words: ['apply', ...read],
    input: pool('x', '10.9.0.1/16'),
    says: [/standard input:4: IPPool x: spec\.cidr/, /10\.9\.0\.1\/16/, /10\.9\.0\.0\/16/],
  },
  {
    what: 'unknown field',
    words: ['apply', ...read],
    input: pool('x', '10.9.0.0/16', ', blocksize: 26'),
    says: [/spec\.blocksize/, /blockSize/],
  },
  {
    what: 'no such resource',
    words: ['get', 'pool', 'nowhere'],
    exitCode: 3,
    says: [/There is no IPPool nowhere/, /drover get ippools/],
  },
]

test('bad input: place, value, remedy, and nothing on standard output', async (t) => {
  for (const { what, words, input, exitCode = 2, says } of bad) {
    const done = await createBench().run(words, input)
    t.equal(done.exitCode, exitCode, `${what}: ${done.err}`)
    t.equal(done.out, '', what)
    t.match(done.err, /^error: .+\n/, what)
    t.match(done.err, /^remedy: .+\n/m, what)
    for (const text of says) t.match(done.err, text, what)
    t.notMatch(done.err, /^\s+at /m, what)
    const json = await createBench().run(
      [...words.filter((w, i) => w !== '-o' && words[i - 1] !== '-o'), '-o', 'json'],
      input,
    )
    if (json.exitCode === 0) continue
    const { error } = JSON.parse(json.err) as { error: { code: string; message: string } }
    t.type(error.code, 'string', what)
    t.not(error.message, '', what)
  }
})

test('a fault in JSON names its field and its line and no secret', async (t) => {
  const { run } = createBench()
  const wrong = peer.replace('open-sesame', `'${'x'.repeat(90)}'`)
  const done = await run(['apply', ...read, '-o', 'json'], wrong)
  t.equal(done.exitCode, 2)
  t.match(JSON.parse(done.err), {
    error: { code: 'invalid', faults: [{ path: 'spec.password', source: 'standard input', line: 4 }] },
  })
  t.notMatch(done.err, 'xxxx')
})

test('etcd that cannot be reached', async (t) => {
  const { run, store } = createBench()
  store.setAvailable(false)
  const done = await run(['get', 'pools'])
  t.equal(done.exitCode, 4)
  t.match(done.err, /^error: /)
})

test('every command has help with an example', async (t) => {
  const commands = [
    ['agent'],
    ['attach'],
    ['detach'],
    ['get'],
    ['apply'],
    ['create'],
    ['replace'],
    ['delete'],
    ['node', 'status'],
    ['node', 'config'],
    ['node', 'routes'],
    ['ipam', 'show'],
    ['ipam', 'check'],
    ['ipam', 'release'],
    ['version'],
  ]
  for (const words of commands) {
    const help = await createBench({ columns: 100 }).run([...words, '--help'])
    t.equal(help.exitCode, 0)
    t.match(help.out, /Examples:\n +drover /, words.join(' '))
    t.notMatch(help.out, /^ +-.*\[default: \[\]\]/m)
    t.ok(
      help.out.split('\n').every((line) => line.length <= 100),
      `${words.join(' ')} fits the terminal`,
    )
  }
  const listed = (await createBench().run(['--help'])).out
  for (const [word = ''] of commands) t.match(listed, `drover ${word}`)
})
