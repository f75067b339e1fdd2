import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { BgpPeerReport, BgpRoutesReport, BgpWhyReport } from '@network/agent/client'
import t from 'tap'
import { type Bird, startBird } from '../interop/peers/bird.ts'
import { Lab, type LabProcess, type Place, connect, droverProgram, until } from '../lab/index.ts'

const NOBODY = 65534
/** To listen on 179, and to read a repository that only root may read. Bits 10 and 2 of capabilities(7). */
const capabilities = '-all,+net_bind_service,+dac_read_search'
const capabilityBits = 0x404

const reflectorAddress = '10.98.0.100'
const clients = [1, 2, 3] as const
const addressOf = (client: number): string => `10.98.0.${String(client)}`
const routesOf: Readonly<Record<number, string[]>> = {
  1: ['10.1.0.0/24', '10.50.0.0/24'],
  2: ['10.2.0.0/24', '10.50.0.0/24', '10.66.1.0/24'],
  3: ['10.3.0.0/24'],
}

t.setTimeout(240_000)

const lab = new Lab('refl')
const folder = path.join(lab.folder, 'reflector')
const file = path.join(folder, 'reflector.yaml')
const socket = path.join(folder, 'control.sock')
const birds = new Map<number, Bird>()
let place: Place
let reflector: LabProcess

t.teardown(() => lab.destroy())

function configuration(peers: readonly number[], more = ''): string {
  return [
    'asNumber: 64512',
    `routerID: ${reflectorAddress}`,
    'clusterID: 10.98.0.99',
    'filters:',
    '  careful:',
    '    rules:',
    '      - { name: no sixty-six, match: { prefixes: [{ prefix: 10.66.0.0/16 }] }, then: reject }',
    '      - { then: accept }',
    'peers:',
    ...peers.map(
      (client) =>
        `  - { name: client${String(client)}, address: ${addressOf(client)}, asNumber: internal, routeReflectorClient: true, import: careful }`,
    ),
    'routes:',
    '  - { prefix: 192.0.2.0/24, communities: ["64512:1"] }',
    more,
  ].join('\n')
}

function startReflector(): LabProcess {
  return place.start('reflector', 'setpriv', [
    ...[`--reuid=${String(NOBODY)}`, `--regid=${String(NOBODY)}`, '--clear-groups'],
    ...[`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`, `--bounding-set=${capabilities}`],
    ...[process.execPath, droverProgram, 'reflector', '--config', file, '--socket', socket],
  ])
}

function drover(...words: string[]) {
  return place.attempt(process.execPath, [droverProgram, 'bgp', ...words, '--socket', socket])
}

async function json<T>(...words: string[]): Promise<T> {
  const done = await drover(...words, '-o', 'json')
  if (done.exitCode !== 0) throw new Error(`drover bgp ${words.join(' ')}: ${done.stderr}`)
  return JSON.parse(done.stdout) as T
}

const peers = (): Promise<BgpPeerReport[]> => json('peers')

async function established(...names: number[]): Promise<void> {
  await until(`sessions ${names.join(', ')} are up`, async () => {
    const up = (await peers()).filter(({ state }) => state === 'Established').map(({ name }) => name)
    return names.every((client) => up.includes(`client${String(client)}`))
  })
}

async function knows(client: number, prefixes: readonly string[]): Promise<void> {
  await until(`client ${String(client)} has ${prefixes.join(', ')}`, async () => {
    const learned = (await birds.get(client)?.learned('reflector')) ?? []
    return prefixes.every((prefix) => learned.includes(prefix))
  })
}

t.before(async () => {
  place = await lab.namespace('rr')
  await place.run('ip', ['link', 'add', 'wire', 'type', 'bridge'])
  await place.run('ip', ['addr', 'add', `${reflectorAddress}/24`, 'dev', 'wire'])
  await place.run('ip', ['link', 'set', 'wire', 'up'])
  mkdirSync(folder)
  chownSync(folder, NOBODY, NOBODY)
  writeFileSync(file, configuration([1, 2]))
  for (const client of clients) {
    const host = await lab.namespace(`c${String(client)}`)
    await connect(place, `c${String(client)}`, host, 'eth0')
    await place.run('ip', ['link', 'set', `c${String(client)}`, 'master', 'wire'])
    await host.run('ip', ['addr', 'add', `${addressOf(client)}/24`, 'dev', 'eth0'])
    const session = {
      ...{ name: 'reflector', local: addressOf(client), neighbor: reflectorAddress, neighborAs: 64512 },
      families: ['ipv4', 'ipv6'] as const,
    }
    const options = {
      asn: 64512,
      routerId: addressOf(client),
      routes: routesOf[client] ?? [],
      sessions: [session],
    }
    birds.set(client, await startBird(host, path.join(lab.folder, `bird${String(client)}`), options))
  }
  reflector = startReflector()
})

t.test('it reflects, without root', async (t) => {
  await until('it answers', async () => (await drover('peers')).exitCode === 0)
  await established(1, 2)
  const status = readFileSync(`/proc/${String(reflector.pid)}/status`, 'utf8')
  t.match(status, new RegExp(`^Uid:\\s+${String(NOBODY)}\\s`, 'm'))
  t.equal(Number.parseInt(/^CapEff:\s+(\S+)$/m.exec(status)?.[1] ?? '', 16), capabilityBits)

  t.equal(statSync(socket).mode & 0o777, 0o600, 'its control socket is for its user alone')

  await knows(1, ['10.2.0.0/24', '192.0.2.0/24'])
  await knows(2, ['10.1.0.0/24', '10.50.0.0/24', '192.0.2.0/24'])
  const route = (await birds.get(1)?.route('10.2.0.0/24')) ?? ''
  t.match(route, /BGP\.next_hop: 10\.98\.0\.2/, 'the next hop is the client')
  t.match(route, /BGP\.originator_id: 10\.98\.0\.2/)
  t.match(route, /BGP\.cluster_list: 10\.98\.0\.99/)
  const learned = await birds.get(1)?.learned('reflector')
  t.equal(learned?.includes('10.66.1.0/24'), false, 'what the filter refuses stays out')
})

t.test('drover bgp looks at it', async (t) => {
  t.match(await peers(), [
    { name: 'client1', address: addressOf(1), asn: 64512, origin: 'peers[0]', prefixesReceived: 2 },
    { name: 'client2', prefixesReceived: 3, prefixesAccepted: 2 },
  ])
  t.match((await drover('peers')).stdout, /^PEER .*\nclient1 +10\.98\.0\.1 +64512 +Established /)
  const received = await json<BgpRoutesReport>('received', addressOf(2))
  t.same(received.routes.map(({ prefix }) => prefix).sort(), [...(routesOf[2] ?? [])].sort())
  const advertised = await json<BgpRoutesReport>('advertised', 'client1')
  t.same(advertised.routes.map(({ prefix }) => prefix).sort(), ['10.2.0.0/24', '192.0.2.0/24'])
  const within = await json<BgpRoutesReport>('routes', '10.0.0.0/14')
  t.same(
    within.routes.map(({ prefix, from }) => `${prefix} ${from}`),
    ['10.1.0.0/24 client1', '10.2.0.0/24 client2'],
  )

  const refused = await json<BgpWhyReport>('why', '10.66.1.5')
  t.match(refused, { prefix: '10.66.1.0/24', routes: [{ accepted: false, step: 'refused' }] })
  t.match((await drover('why', '10.66.1.5')).stdout, /no sixty-six/, 'the filter is named')
  const decided = await json<BgpWhyReport>('why', '10.50.0.0/24')
  t.match(decided.routes, [
    { from: 'client1', best: true, step: 'best' },
    { from: 'client2', best: false, decidedBy: /RFC 4271|RFC 4456/ },
  ])
  t.match(await drover('why', '203.0.113.0/24'), { exitCode: 3, stderr: /203\.0\.113\.0\/24/ })
  t.match(await drover('advertised', 'nobody'), { exitCode: 3, stderr: /client1, client2/ })
})

t.test('SIGHUP adds a peer and resets no other', async (t) => {
  const before = await peers()
  writeFileSync(file, configuration([1, 2, 3]))
  reflector.signal('SIGHUP')
  await until('the third peer is declared', async () => (await peers()).length === 3)
  await established(1, 2, 3)
  await knows(1, ['10.3.0.0/24'])
  await knows(3, ['10.1.0.0/24', '10.2.0.0/24'])
  const after = await peers()
  for (const { name, since, flaps } of before) {
    const same = after.find((peer) => peer.name === name)
    t.match(same, { since, flaps }, `${name} stayed up`)
  }
})

t.test('a file that makes no sense changes nothing and says why', async (t) => {
  const before = (await peers()).map(({ name, since }) => ({ name, since }))
  const bad: [content: string, says: RegExp][] = [
    [configuration([1, 2, 3], 'peerz: []'), /reflector\.yaml:\d+: peerz: .*'peers'/],
    [configuration([1, 2, 2]), /peers\[2\]\.address: '10\.98\.0\.2'.*peers\[1\]/],
    [configuration([1, 100]), /own|itself/],
    [configuration([1]).replace('64512', '64513'), /asNumber from 64512 to 64513/],
  ]
  for (const [content, says] of bad) {
    writeFileSync(file, content)
    t.match(await drover('reload'), { exitCode: 2, stderr: says })
    const logged = reflector.log().length
    reflector.signal('SIGHUP')
    await until('the log says so', () => reflector.log().slice(logged).includes('everything stays as it was'))
  }
  t.same(
    (await peers()).map(({ name, since }) => ({ name, since })),
    before,
  )
  writeFileSync(file, configuration([1, 2, 3]))
  t.match(await drover('reload'), { exitCode: 0, stdout: /changes nothing/ })
})

t.test('shutdown tells the peer why, keeps it down, and can be undone', async (t) => {
  t.match(await drover('shutdown', 'client3', '--message', 'rack 3 is moved'), {
    exitCode: 0,
    stdout: 'Shut down: client3.',
  })
  const bird = birds.get(3)
  await until('BIRD has the message', () => bird?.log().includes('rack 3 is moved'))
  t.match((await bird?.protocol('reflector'))?.text, /Received: Administrative shutdown/)
  reflector.signal('SIGHUP')
  t.match(
    (await peers()).find(({ name }) => name === 'client3'),
    { shutdown: 'rack 3 is moved' },
  )
  await until('its routes are gone', async () => {
    return (await birds.get(1)?.learned('reflector'))?.includes('10.3.0.0/24') === false
  })
  t.match(await drover('shutdown', 'client3', '--undo'), { exitCode: 0 })
  await established(1, 2, 3)
  await knows(1, ['10.3.0.0/24'])
})

t.test('refresh asks for everything again', async (t) => {
  const [client] = await peers()
  t.match(await drover('refresh', 'client1'), { exitCode: 0, stdout: 'Asked to send again: client1.' })
  await until('routes came again', async () => {
    return ((await peers())[0]?.messagesIn ?? 0) > (client?.messagesIn ?? 0)
  })
})

t.test('clients keep their routes while it is stopped and started', async (t) => {
  const kept = ['10.2.0.0/24', '10.3.0.0/24', '192.0.2.0/24']
  // BIRD tells since when it has a route: one that went and came again has a time of some seconds later. It reckons
  // that time anew at each look, from two clocks, so that the last digit changes by itself.
  const since = (): Promise<number[]> =>
    Promise.all(
      kept.map(async (prefix) => {
        const shown = (await birds.get(1)?.route(prefix)) ?? ''
        const [, hours, minutes, seconds] = /\[reflector (\d+):(\d+):(\d+\.\d+)/.exec(shown) ?? []
        return (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)
      }),
    )
  const before = await since()
  t.notOk(before.some(Number.isNaN), before.join())
  const areKept = async (when: string): Promise<void> => {
    const now = await since()
    for (const [i, prefix] of kept.entries()) {
      const shift = Math.abs((now[i] ?? Number.NaN) - (before[i] ?? Number.NaN))
      t.ok(shift < 0.1, `${prefix} ${when}: ${String(shift)} s`)
    }
  }
  await reflector.stop()
  t.equal((await reflector.ended).exitCode, 0)
  await areKept('while it is away')
  reflector = startReflector()
  await until('it answers', async () => (await drover('peers')).exitCode === 0)
  await established(1, 2, 3)
  await knows(3, ['10.1.0.0/24', '10.2.0.0/24'])
  await until('it has told everything', async () => {
    const sent = (await peers()).map(({ prefixesSent }) => prefixesSent)
    return sent.every((count) => count >= 3)
  })
  await areKept('when it is back')
})

t.test('a port that takes a capability is refused with how to get it', async (t) => {
  await reflector.stop()
  const done = await place.attempt('setpriv', [
    ...[`--reuid=${String(NOBODY)}`, `--regid=${String(NOBODY)}`, '--clear-groups'],
    ...['--inh-caps=-all,+dac_read_search', '--ambient-caps=-all,+dac_read_search'],
    ...[process.execPath, droverProgram, 'reflector', '--config', file, '--socket', socket],
  ])
  t.match(done, { exitCode: 5, stderr: /179.*\n.*CAP_NET_BIND_SERVICE.*setcap/ })
})
