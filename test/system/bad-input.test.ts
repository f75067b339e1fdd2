import { existsSync, realpathSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'tap'
import { Lab, buildCluster, droverProgram } from '../lab/index.ts'

/** Stands for a namespace that can be attached. */
const NAMESPACE = 'NAMESPACE'

/** One thing that is wrong: what is run, and what the error must name. */
interface Case {
  what: string
  words: string[]
  input?: string
  exitCode: number
  /** Every one of these stands in the error. */
  says: RegExp[]
}

const pool = (name: string, spec: string): string =>
  `apiVersion: drover.network/v1\nkind: IPPool\nmetadata: { name: ${name} }\nspec: ${spec}\n`
const apply = ['apply', '-f', '-']

const cases: Case[] = [
  { what: 'no command', words: [], exitCode: 2, says: [/command is missing/, /--help/] },
  { what: 'unknown command', words: ['appyl'], exitCode: 2, says: [/apply/] },
  { what: 'unknown option', words: ['get', 'pools', '--colour'], exitCode: 2, says: [/colour/] },
  { what: 'unknown kind', words: ['get', 'ippol'], exitCode: 2, says: [/ippol/, /ippool/i] },
  { what: 'no such resource', words: ['get', 'ippool', 'nowhere'], exitCode: 3, says: [/nowhere/] },
  {
    what: 'file that is not there',
    words: ['apply', '-f', '/nowhere/x.yaml'],
    exitCode: 2,
    says: [/\/nowhere\/x\.yaml/],
  },
  {
    what: 'text that is no YAML',
    words: apply,
    input: 'kind: [IPPool',
    exitCode: 2,
    says: [/standard input:1/],
  },
  { what: 'nothing at all', words: apply, input: '', exitCode: 2, says: [/no resource/i] },
  {
    what: 'unknown kind in a file',
    words: apply,
    input: 'apiVersion: drover.network/v1\nkind: IPPol\nmetadata: {name: x}\n',
    exitCode: 2,
    says: [/IPPol/, /IPPool/],
  },
  {
    what: 'wrong apiVersion',
    words: apply,
    input: 'apiVersion: v2\nkind: IPPool\nmetadata: {name: x}\nspec: {cidr: 10.9.0.0/16}\n',
    exitCode: 2,
    says: [/apiVersion/, /v2/, /drover\.network\/v1/],
  },
  {
    what: 'a prefix with host bits',
    words: apply,
    input: pool('x', '{ cidr: 10.9.0.1/16 }'),
    exitCode: 2,
    says: [/spec\.cidr/, /10\.9\.0\.1\/16/, /10\.9\.0\.0\/16/],
  },
  {
    what: 'no prefix',
    words: apply,
    input: pool('x', '{ cidr: 10.9.0.300/16 }'),
    exitCode: 2,
    says: [/spec\.cidr/, /300/],
  },
  {
    what: 'unknown field',
    words: apply,
    input: pool('x', '{ cidr: 10.9.0.0/16, blocksize: 26 }'),
    exitCode: 2,
    says: [/spec\.blocksize/, /blockSize/],
  },
  { what: 'missing field', words: apply, input: pool('x', '{}'), exitCode: 2, says: [/spec\.cidr/] },
  {
    what: 'block bigger than the pool',
    words: apply,
    input: pool('x', '{ cidr: 10.9.0.0/27 }'),
    exitCode: 2,
    says: [/spec\.blockSize/, /26/, /27/],
  },
  {
    what: 'link-local pool',
    words: apply,
    input: pool('x', '{ cidr: 169.254.0.0/20 }'),
    exitCode: 2,
    says: [/spec\.cidr/, /169\.254/],
  },
  {
    what: 'overlapping pool',
    words: apply,
    input: pool('x', '{ cidr: 10.65.128.0/20 }'),
    exitCode: 2,
    says: [/10\.65\.128\.0\/20/, /10\.65\.0\.0\/16/, /containers-ipv4/],
  },
  {
    what: 'a field that cannot change',
    words: apply,
    input: pool('containers-ipv4', '{ cidr: 10.65.0.0/16, blockSize: 27 }'),
    exitCode: 2,
    says: [/spec\.blockSize/, /containers-ipv4/],
  },
  {
    what: 'a selector that does not parse',
    words: apply,
    input: pool('x', `{ cidr: 10.9.0.0/16, nodeSelector: "rack = 'a'" }`),
    exitCode: 2,
    says: [/spec\.nodeSelector/, /rack/],
  },
  {
    what: 'a name that would reach elsewhere',
    words: apply,
    input: pool("'../../x'", '{ cidr: 10.9.0.0/16 }'),
    exitCode: 2,
    says: [/metadata\.name/],
  },
  {
    what: 'a pool that is in use',
    words: ['delete', 'ippool', 'containers-ipv4'],
    exitCode: 1,
    says: [/containers-ipv4/, /in use|held/],
  },
  { what: 'attach to nothing', words: ['attach'], exitCode: 2, says: [/--netns/, /--pid/, /--docker/] },
  {
    what: 'attach to a namespace that is not there',
    words: ['attach', '--netns', 'nowhere'],
    exitCode: 3,
    says: [/nowhere/],
  },
  {
    what: 'attach to a pid that is not there',
    words: ['attach', '--pid', '4194300'],
    exitCode: 3,
    says: [/4194300/],
  },
  {
    what: 'attach with an address of no pool',
    words: ['attach', '--netns', NAMESPACE, '--id', 'x', '--ip', '192.0.2.1'],
    exitCode: 1,
    says: [/192\.0\.2\.1/, /pool/],
  },
  {
    what: 'attach with something that is no address',
    words: ['attach', '--netns', NAMESPACE, '--id', 'x', '--ip', '192.0.2'],
    exitCode: 2,
    says: [/192\.0\.2/],
  },
  {
    what: 'etcd that is not there',
    words: ['get', 'nodes', '--etcd-endpoints', 'http://127.0.0.1:1'],
    exitCode: 4,
    says: [/127\.0\.0\.1:1/],
  },
  {
    what: 'an endpoint that is no URL',
    words: ['get', 'nodes', '--etcd-endpoints', 'localhost:2379x'],
    exitCode: 2,
    says: [/localhost:2379x/],
  },
  {
    what: 'no agent',
    words: ['node', 'status', '--socket', '/run/drover/none.sock'],
    exitCode: 4,
    says: [/none\.sock/, /drover agent/],
  },
  {
    what: 'a certificate that is not there',
    words: ['get', 'nodes', '--etcd-endpoints', 'https://127.0.0.1:1', '--etcd-ca-file', '/nowhere/ca.pem'],
    exitCode: 2,
    says: [/\/nowhere\/ca\.pem/],
  },
]

test('bad input: what is wrong, where, and what to do; nothing half done', async (t) => {
  const lab = new Lab('bad')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, { nodes: 1 })
  const [node] = cluster.nodes
  await node!.attach('holder')
  const free = await lab.namespace('free')
  const content = async (): Promise<string> => {
    const keys = ['/drover/v1/resources/', '/drover/v1/ipam/']
    return (await Promise.all(keys.map((key) => cluster.etcd.ctl('get', '--prefix', key)))).join('\n')
  }
  const before = await content()

  for (const { what, words, input, exitCode, says } of cases) {
    t.test(what, async (t) => {
      const filled = words.map((word) => (word === NAMESPACE ? free.netns : word))
      const done = await node!.attempt(filled, input === undefined ? {} : { input })
      t.equal(done.exitCode, exitCode, `${done.stdout}${done.stderr}`)
      t.match(done.stderr, /^error: /)
      for (const words of says) t.match(done.stderr, words)
      t.notMatch(done.stderr, /^\s+at /m, 'no stack')
      t.equal(done.stdout, '')
    })
  }

  t.test('several resources of which one is wrong: none is written', async (t) => {
    const input = `${pool('good', '{ cidr: 10.9.0.0/16 }')}---\n${pool('bad', '{ cidr: 10.9.0.0/99 }')}`
    const done = await node!.attempt(apply, { input })
    t.equal(done.exitCode, 2)
    t.match(done.stderr, /bad|line/)
    t.equal((await node!.attempt(['get', 'ippool', 'good'])).exitCode, 3)
  })

  t.test('errors are JSON where the answer would be', async (t) => {
    const done = await node!.attempt(['get', 'ippool', 'nowhere', '-o', 'json'])
    t.equal((JSON.parse(done.stderr) as { error: { code: string } }).error.code, 'not-found')
  })

  t.equal(await content(), before, 'etcd holds what it held before')

  t.test('agents that cannot start', async (t) => {
    const other = await lab.host('other')
    await cluster.switch.plug(other, 7)
    const start = async (
      flags: string[],
      enter: string[] = [],
    ): Promise<{ exitCode: number; stderr: string }> => {
      const env = { DROVER_ETCD_ENDPOINTS: cluster.etcd.endpoint, DROVER_NODE_NAME: 'other' }
      const [program = '', ...words] = [...enter, process.execPath, droverProgram, 'agent', ...flags]
      return other.attempt(program, words, { env, timeoutMs: 30_000 })
    }
    const starts: { what: string; flags: string[]; enter?: string[]; says: RegExp[] }[] = [
      {
        what: 'without root',
        flags: [],
        enter: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
        says: [/root/],
      },
      { what: 'a setting that makes no sense', flags: ['--mtu-bytes', 'big'], says: [/--mtu-bytes/, /big/] },
      {
        what: 'no address found',
        flags: ['--ipv4-address-method', 'interface=nowhere9', '--ipv6-address-method', 'interface=nowhere9'],
        says: [/nowhere9/, /eth0/],
      },
    ]
    for (const { what, flags, enter, says } of starts) {
      t.test(what, async (t) => {
        const done = await start(flags, enter)
        t.not(done.exitCode, 0)
        for (const words of says) t.match(done.stderr, words, done.stderr)
        t.match(done.stderr, /^error: /m)
        t.match(done.stderr, /^remedy: /m)
      })
    }
    t.test('a tool that is missing', async (t) => {
      const files = ['/usr/sbin/ip', '/sbin/ip', '/bin/ip', '/usr/bin/ip'].filter((file) => existsSync(file))
      const hidden = [...new Set(files.map((file) => realpathSync(file)))]
      for (const file of hidden) await other.run('mount', ['--bind', '/dev/null', file])
      const began = performance.now()
      const done = await start([])
      for (const file of hidden) await other.run('umount', [file])
      t.ok(performance.now() - began < 10_000, 'it ends at once')
      t.not(done.exitCode, 0)
      t.match(done.stderr, /^error: The program 'ip' was not found/m)
      t.match(done.stderr, /^remedy: Install the Debian package iproute2/m)
    })
    t.test('port 179 is taken', async (t) => {
      const script = path.join(lab.folder, 'occupy.mjs')
      writeFileSync(
        script,
        "import net from 'node:net'\nnet.createServer().listen(179, '::', () => console.log('listening'))\n",
      )
      const occupant = other.start('occupy', process.execPath, [script])
      await new Promise((resolve) => setTimeout(resolve, 500))
      const done = await start([])
      await occupant.stop()
      t.not(done.exitCode, 0)
      t.match(done.stderr, /179/)
      t.match(done.stderr, /^remedy: /m)
    })
    t.test('a configuration file with an unknown setting', async (t) => {
      const file = path.join(lab.folder, 'drover.yaml')
      writeFileSync(file, 'logLevle: debug\n')
      const done = await start(['--config', file])
      t.not(done.exitCode, 0)
      t.match(done.stderr, /logLevle/)
    })
    t.equal((await node!.attempt(['get', 'node', 'other'])).exitCode, 3, 'none of them has registered a node')
  })
})
