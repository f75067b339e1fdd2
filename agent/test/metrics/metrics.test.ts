import { readFileSync } from 'node:fs'
import type { PeerStatus } from '@network/bgp'
import { DroverError } from '@network/net'
import t from 'tap'
import { createHealth } from '../../src/metrics/health.ts'
import { serveHttp } from '../../src/metrics/http-listener.ts'
import { createMetrics } from '../../src/metrics/metrics.ts'

const peer = {
  name: 'tor',
  address: '192.0.2.254',
  state: 'Established',
  since: 1_000_000,
  counters: { dropped: 2, updatesIn: 5, updatesOut: 7 },
  prefixes: {
    ipv4: { received: 4, accepted: 3, stale: 0, advertised: 1 },
    ipv6: { received: 1, accepted: 1, stale: 0, advertised: 1 },
  },
  lastError: { at: 900_000, text: 'Connection "refused"\n.' },
} as unknown as PeerStatus

function observed(peers: readonly PeerStatus[] = [peer]) {
  const metrics = createMetrics()
  metrics.observe({
    routes: () => ({ workload: 2, blackhole: 1, cluster: 4 }),
    endpoints: () => 2,
    addresses: () => ({ ipv4: 2, ipv6: 1 }),
    blocks: () => [
      { family: 'ipv4', state: 'confirmed', addresses: 64 },
      { family: 'ipv4', state: 'confirmed', addresses: 64 },
    ],
    journal: () => 3,
    faults: () => 1,
    speakerRestarts: () => 0,
    peers: () => Promise.resolve(peers),
    health: () => ({ ok: false, checks: [{ name: 'bgp', ok: false, reason: '', since: 0 }] }),
    names: () => 5,
    problems: () => 0,
    policy: {
      size: () => ({ policies: 1, profiles: 1, endpoints: 2, hostEndpoints: 0, sets: 3, members: 9 }),
      faults: () => 0,
      counters: () =>
        Promise.resolve(
          (['ipv4', 'ipv6'] as const).flatMap((family) =>
            [true, false].map((counts, index) => ({
              ...{ family, table: 'filter' as const, chain: 'drv-pi-web', index, counts },
              ...{ packets: 3, bytes: 200 },
              origin: {
                kind: 'policy' as const,
                id: 'GlobalNetworkPolicy/web',
                direction: 'inbound' as const,
                position: 1,
              },
            })),
          ),
        ),
    },
  })
  return metrics
}
const ofProcess = /^drover_(process|nodejs)_/

t.test('every metric is in docs/metrics.md with its type, labels and meaning, and no other', (t) => {
  const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8')
  const rows = page
    .split('\n')
    .filter((line) => line.startsWith('| `drover_'))
    .map((line) => line.slice(2, -2).replaceAll('`', ''))
    .sort()
  const measured = observed()
    .describe()
    .filter(({ name }) => !ofProcess.test(name))
    .map(({ name, type, labels, help }) => `${name} | ${type} | ${labels.join(', ')} | ${help}`)
    .sort()
  t.same(rows, measured)
  t.end()
})

t.test("what is measured, in Prometheus' text", async (t) => {
  const metrics = observed()
  metrics.applied('route', report({ added: 3 }), false)
  metrics.applied('route', report({ added: 1, removed: 1 }), true)
  metrics.repaired('workload')
  await metrics.timed('attach', () => Promise.resolve())(undefined)
  const failing = metrics.timed('attach', () => Promise.reject(new DroverError('taken', 'x')))
  await t.rejects(failing(undefined), { code: 'taken' })
  const text = await metrics.text()
  const labels = 'peer="tor",address="192.0.2.254"'
  for (const line of [
    'drover_routes{kind="workload"} 2',
    'drover_endpoints 2',
    'drover_journal_releases 3',
    'drover_ipam_addresses{family="ipv6"} 1',
    'drover_ipam_blocks{family="ipv4",state="confirmed"} 2',
    'drover_ipam_block_addresses{family="ipv4",state="confirmed"} 128',
    'drover_drift_repairs_total{kind="route"} 2',
    'drover_drift_repairs_total{kind="workload"} 1',
    'drover_dataplane_changes_total{kind="route",change="added"} 4',
    'drover_operation_seconds_count{operation="attach",outcome="ok"} 1',
    'drover_operation_seconds_count{operation="attach",outcome="taken"} 1',
    'drover_health{check="bgp"} 0',
    'drover_policy_active{what="members"} 9',
    'drover_policy_rule_packets_total{policy="GlobalNetworkPolicy/web",direction="inbound",rule="1"} 6',
    'drover_policy_rule_bytes_total{policy="GlobalNetworkPolicy/web",direction="inbound",rule="1"} 400',
    `drover_bgp_session_established{${labels}} 1`,
    `drover_bgp_session_state{${labels},state="Established"} 1`,
    `drover_bgp_session_flaps_total{${labels}} 2`,
    `drover_bgp_prefixes_received{${labels}} 5`,
    `drover_bgp_prefixes_accepted{${labels}} 4`,
    `drover_bgp_prefixes_advertised{${labels}} 2`,
    `drover_bgp_session_last_error_seconds{${labels},error="Connection \\"refused\\"\\n."} 900`,
  ])
    t.ok(text.split('\n').includes(line), line)
  t.equal(
    await metrics.text().then((again) => again.match(/drover_ipam_blocks\{.*\} 2/g)?.length),
    1,
    'twice the same',
  )
})

t.test('a peer that is gone, or a speaker that does not answer, leaves no samples behind', async (t) => {
  const peers = [peer]
  const metrics = observed(peers)
  t.match(await metrics.text(), /session_established\{/)
  peers.pop()
  t.notMatch(await metrics.text(), /session_established\{/)
})

t.test('a listener for monitors', async (t) => {
  const health = createHealth(
    { now: () => 5, monotonic: () => 5, setTimeout: () => ({ cancel: () => undefined }) },
    { store: ['ready'], process: ['ready', 'live'] },
  )
  health.set('process', true, 'It runs.')
  const answer = (aspect: 'ready' | 'live') => () => {
    const report = health.report(aspect)
    return { status: report.ok ? 200 : 503, contentType: 'application/json', body: JSON.stringify(report) }
  }
  t.equal(await serveHttp('healthListen', 'none', {}), undefined)
  const port = 20_000 + (process.pid % 20_000)
  const listener = await serveHttp('healthListen', `127.0.0.1:${port}`, {
    '/ready': answer('ready'),
    '/live': answer('live'),
    '/broken': () => Promise.reject(new Error('x')),
  })
  t.teardown(() => listener?.close())
  const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init)
  t.equal((await get('/live')).status, 200)
  t.equal((await get('/ready')).status, 503)
  t.match(await (await get('/ready')).json(), {
    ok: false,
    checks: [{ name: 'store', ok: false }, { ok: true }],
  })
  t.equal((await get('/elsewhere')).status, 404)
  t.equal((await get('/constructor')).status, 404)
  t.equal((await get('/live', { method: 'POST' })).status, 405)
  t.equal((await get('/broken')).status, 500)
  await t.rejects(serveHttp('metricsListen', `127.0.0.1:${port}`, {}), {
    code: 'port-taken',
    message: new RegExp(`metricsListen: 127\\.0\\.0\\.1:${port}`),
  })
})

function report(counts: { added?: number; changed?: number; removed?: number }) {
  return { added: 0, changed: 0, removed: 0, removalsHeld: 0, faults: [], durationMs: 5, ...counts }
}
