/*
 * What a reflector's sessions may be made of, in a process without root: a TCP MD5 key from a file, and a link without an
 * address. A change to one of them resets that one alone, by SIGHUP as by the socket.
 */
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { BgpPeerReport, BgpReloadReport, BgpWhyReport } from '@network/agent/client'
import t, { type Test } from 'tap'
import { type Bird, startBird } from '../interop/peers/bird.ts'
import { type Frr, startFrr } from '../interop/peers/frr.ts'
import { Lab, type LabProcess, type Place, connect, droverProgram, until } from '../lab/index.ts'

const NOBODY = 65534
/** To listen on 179, to hear router advertisements, and to read a repository that only root may read. */
const capabilities = ['net_bind_service', 'net_raw', 'dac_read_search']

const reflectorAddress = '10.97.0.100'
const lockedAddress = '10.97.0.1'
const key = 'correct horse battery'

t.setTimeout(180_000)

const lab = new Lab('rsess')
const folder = path.join(lab.folder, 'reflector')
const file = path.join(folder, 'reflector.yaml')
const keyFile = path.join(folder, 'locked.key')
const socket = path.join(folder, 'control.sock')
let place: Place
let reflector: LabProcess
let bird: Bird
let frr: Frr

t.teardown(() => {
  lab.destroy()
})

function configuration(filter = 'accept'): string {
  return [
    'asNumber: 64512',
    `routerID: ${reflectorAddress}`,
    'filters:',
    '  to-tor:',
    '    rules:',
    '      - { name: not sixty-six, match: { prefixes: [{ prefix: 10.66.0.0/16 }] }, then: reject }',
    `      - { name: everything else, then: ${filter} }`,
    'peers:',
    `  - { name: locked, address: ${lockedAddress}, asNumber: internal, routeReflectorClient: true, passwordFile: locked.key, timers: { connectRetrySeconds: 1 } }`,
    '  - { name: tor, interface: uplink, asNumber: external, export: to-tor }',
    'routes:',
    '  - { prefix: 192.0.2.0/24 }',
    '  - { prefix: 198.51.100.0/24, communities: [no-export] }',
    '',
  ].join('\n')
}

function writeKey(text: string): void {
  writeFileSync(keyFile, `${text}\nwhat follows is not read\n`)
  chownSync(keyFile, NOBODY, NOBODY)
  chmodSync(keyFile, 0o600)
}

function startReflector(caps: readonly string[]): LabProcess {
  const list = `-all,${caps.map((name) => `+${name}`).join(',')}`
  return place.start('reflector', 'setpriv', [
    ...[`--reuid=${String(NOBODY)}`, `--regid=${String(NOBODY)}`, '--clear-groups'],
    ...[`--inh-caps=${list}`, `--ambient-caps=${list}`, `--bounding-set=${list}`],
    ...[process.execPath, droverProgram, 'reflector', '--config', file, '--socket', socket],
  ])
}

const drover = (...words: string[]) =>
  place.attempt(process.execPath, [droverProgram, 'bgp', ...words, '--socket', socket])

async function json<T>(...words: string[]): Promise<T> {
  const done = await drover(...words, '-o', 'json')
  if (done.exitCode !== 0) throw new Error(`drover bgp ${words.join(' ')}: ${done.stderr}`)
  return JSON.parse(done.stdout) as T
}

async function peer(name: string): Promise<BgpPeerReport> {
  const found = (await json<BgpPeerReport[]>('peers')).find((each) => each.name === name)
  if (found === undefined) throw new Error(`there is no peer ${name}`)
  return found
}

const established = (name: string): Promise<boolean> =>
  until(`${name} is up`, async () => (await peer(name)).state === 'Established', { timeoutMs: 40_000 })

/** What tells one session of a peer from its next. */
const session = async (name: string) => {
  const { state, since, flaps } = await peer(name)
  return { state, since, flaps }
}

t.before(async () => {
  place = await lab.namespace('rr')
  const client = await lab.namespace('client')
  const tor = await lab.namespace('tor')
  await connect(place, 'lan', client, 'eth0')
  await connect(place, 'uplink', tor, 'uplink')
  await place.run('ip', ['addr', 'add', `${reflectorAddress}/24`, 'dev', 'lan'])
  await client.run('ip', ['addr', 'add', `${lockedAddress}/24`, 'dev', 'eth0'])
  mkdirSync(folder)
  chownSync(folder, NOBODY, NOBODY)
  writeFileSync(file, configuration())
  writeKey(key)
  bird = await startBird(client, path.join(lab.folder, 'bird'), {
    asn: 64512,
    routerId: lockedAddress,
    routes: ['10.1.0.0/24', '10.66.0.0/24'],
    sessions: [
      {
        ...{ name: 'reflector', local: lockedAddress, neighbor: reflectorAddress, neighborAs: 64512 },
        ...{ families: ['ipv4'], password: key },
      },
    ],
  })
  frr = await startFrr(tor, path.join(lab.folder, 'frr'), {
    asn: 65001,
    routerId: '10.97.1.1',
    routes: ['10.2.0.0/24'],
    neighbors: [],
    extra: [
      'neighbor uplink interface remote-as external',
      'neighbor uplink timers connect 1',
      'address-family ipv4 unicast',
      ' neighbor uplink activate',
      'exit-address-family',
    ],
  })
  reflector = startReflector(capabilities)
  await until('it answers', async () => (await drover('peers')).exitCode === 0)
})

t.test('a key from a file and a link without an address, without root', async (t) => {
  await established('locked')
  await established('tor')
  const status = readFileSync(`/proc/${String(reflector.pid)}/status`, 'utf8')
  t.match(status, new RegExp(`^Uid:\\s+${String(NOBODY)}\\s`, 'm'))
  t.match((await peer('tor')).address, /^fe80::.*%uplink$/)
  await until('FRR has what came from BIRD, and the own route', async () => {
    const learned = await frr.learned('uplink', 'ipv4')
    return ['10.1.0.0/24', '192.0.2.0/24'].every((prefix) => learned.includes(prefix))
  })
  t.same(await frr.learned('uplink', 'ipv4'), ['10.1.0.0/24', '192.0.2.0/24'], 'and no more')
  await until('BIRD has what came from FRR', async () =>
    (await bird.learned('reflector')).includes('10.2.0.0/24'),
  )
})

t.test('why names what keeps a route from a peer', async (t) => {
  const filtered = await json<BgpWhyReport>('why', '10.66.0.0/24')
  t.match(filtered.exports, [
    { peer: 'locked', sent: false, step: 'ownRoute' },
    {
      ...{ peer: 'tor', sent: false, step: 'filter', from: 'locked' },
      decidedBy: "rule 'not sixty-six' of 'to-tor' refuses it",
    },
  ])
  const sent = await json<BgpWhyReport>('why', '10.1.0.0/24')
  t.match(sent.exports[1], { sent: true, decidedBy: "rule 'everything else' of 'to-tor' accepts it" })
  const noExport = await json<BgpWhyReport>('why', '198.51.100.7')
  t.match(noExport.exports, [
    { peer: 'locked', sent: true },
    { peer: 'tor', sent: false, step: 'rule', decidedBy: /NO_EXPORT/ },
  ])
  t.match((await drover('why', '10.66.0.0/24')).stdout, /^tor +no +locked +rule 'not sixty-six' of 'to-tor'/m)
})

for (const [name, reload] of Object.entries({
  SIGHUP: async (_t: Test) => {
    const logged = reflector.log().length
    reflector.signal('SIGHUP')
    await until('it has read the file', () =>
      reflector.log().slice(logged).includes('the file was read again'),
    )
  },
  'the socket': async (t: Test) => {
    const report = await json<BgpReloadReport>('reload')
    t.same(report.reset, [])
    t.same(report.updated, ['tor'])
  },
})) {
  t.test(`a filter that changes by ${name} resets no session`, async (t) => {
    const before = [await session('locked'), await session('tor')]
    writeFileSync(file, configuration('reject'))
    await reload(t)
    await until('FRR has nothing any more', async () => (await frr.learned('uplink', 'ipv4')).length === 0)
    writeFileSync(file, configuration())
    await reload(t)
    await until('FRR has it again', async () => (await frr.learned('uplink', 'ipv4')).length === 2)
    t.same([await session('locked'), await session('tor')], before)
  })
}

t.test('another key in the file resets that session alone, and the log says what is wrong', async (t) => {
  const before = await session('tor')
  writeKey('something else')
  const report = await json<BgpReloadReport>('reload')
  t.same(report.reset, [{ peer: 'locked', because: ['password'] }])
  await until('the session says so', async () => /MD5/.test((await peer('locked')).lastError?.text ?? ''), {
    timeoutMs: 40_000,
  })
  t.not((await peer('locked')).state, 'Established')
  t.match(reflector.log(), /"locked"[^\n]*MD5|MD5[^\n]*"locked"/, 'and the log')
  writeKey(key)
  t.match(await drover('reload'), { exitCode: 0, stdout: /Sessions reset: locked \(password\)/ })
  await established('locked')
  t.same(await session('tor'), before, 'the other one has stayed up')
})

t.test('a key file that is not there changes nothing', async (t) => {
  const before = [await session('locked'), await session('tor')]
  writeFileSync(file, configuration().replace('locked.key', 'lost.key'))
  t.match(await drover('reload'), { stderr: /password file of peers\[0\].*lost\.key/ })
  writeFileSync(file, configuration())
  t.same([await session('locked'), await session('tor')], before)
})

t.test('without the capability to hear router advertisements the log says which it takes', async (t) => {
  await reflector.stop()
  reflector = startReflector(capabilities.filter((name) => name !== 'net_raw'))
  await until('the log says so', () => /CAP_NET_RAW/.test(reflector.log()))
  await established('locked')
  t.pass('the others are served')
})
