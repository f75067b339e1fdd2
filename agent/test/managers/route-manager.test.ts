import type { BestBatch, BestChange } from '@network/bgp'
import t from 'tap'
import type { RouteItem } from '../../src/drivers/route.ts'
import { createRouteManager } from '../../src/managers/route-manager.ts'
import { mergeRoutes } from '../../src/managers/route-table.ts'

const change = (prefix: string, ...hops: string[]): BestChange => ({
  prefix,
  nextHops: hops.map((address) => ({ address, interface: undefined })),
  local: false,
  peer: 'x',
})
const batch = (changes: BestChange[], converged = false, family: 'ipv4' | 'ipv6' = 'ipv4'): BestBatch => ({
  family,
  changes,
  converged,
})

t.test(
  'best routes become remote routes with all their next hops; own ones and withdrawn ones do not',
  (t) => {
    const routes = createRouteManager()
    routes.setSources({ ipv4: '192.0.2.1' })
    routes.onBest(
      batch([
        change('10.0.0.0/26', '192.0.2.2', '192.0.2.3'),
        change('10.0.0.64/26', '192.0.2.2'),
        { ...change('10.0.0.128/26', '0.0.0.0'), local: true },
      ]),
    )
    routes.onBest(batch([change('10.0.0.64/26')]))
    t.same(
      [...routes.apply().routes.values()],
      [
        {
          kind: 'remote',
          destination: '10.0.0.0/26',
          nextHops: [{ gateway: '192.0.2.2' }, { gateway: '192.0.2.3' }],
          source: '192.0.2.1',
        },
      ],
    )
    t.end()
  },
)

t.test(
  "an import filter's priority becomes the route's metric, and stays it when the source changes",
  (t) => {
    const routes = createRouteManager()
    routes.onBest(batch([{ ...change('10.0.0.0/26', '192.0.2.2'), priority: 77 }]))
    t.match(routes.apply().routes.get('10.0.0.0/26'), { metric: 77 })
    routes.setSources({ ipv4: '192.0.2.1' })
    t.match(routes.apply().routes.get('10.0.0.0/26'), { metric: 77, source: '192.0.2.1' })
    routes.onBest(batch([change('10.0.0.0/26', '192.0.2.2')]))
    t.notHas(routes.apply().routes.get('10.0.0.0/26'), { metric: 77 })
    t.end()
  },
)

t.test('converged once both families are', (t) => {
  const routes = createRouteManager()
  routes.onBest(batch([], true))
  t.equal(routes.apply().converged, false)
  routes.onBest(batch([], true, 'ipv6'))
  t.equal(routes.apply().converged, true)
  t.end()
})

t.test('a speaker that begins anew takes nothing away before it has converged', (t) => {
  const routes = createRouteManager(['ipv4'])
  routes.onSpeakerStart()
  routes.onBest(batch([change('10.0.0.0/26', '192.0.2.2'), change('10.0.0.64/26', '192.0.2.2')], true))
  routes.onSpeakerStart()
  t.equal(routes.apply().converged, false)
  t.same([...routes.apply().routes.keys()], ['10.0.0.0/26', '10.0.0.64/26'])
  routes.onBest(batch([change('10.0.0.64/26', '192.0.2.9')]))
  t.same([...routes.apply().routes.keys()], ['10.0.0.0/26', '10.0.0.64/26'], 'not yet')
  routes.onBest(batch([], true))
  t.same([...routes.apply().routes.keys()], ['10.0.0.64/26'], 'what was not named again is gone')
  t.end()
})

t.test('a route that stays is the same object from apply to apply', (t) => {
  const routes = createRouteManager()
  routes.onBest(batch([change('10.0.0.0/26', '192.0.2.2')]))
  const before = routes.apply().routes.get('10.0.0.0/26')
  routes.onBest(batch([change('10.0.0.64/26', '192.0.2.2')]))
  t.equal(routes.apply().routes.get('10.0.0.0/26'), before)
  t.end()
})

t.test('a link-local next hop keeps its interface', (t) => {
  const routes = createRouteManager()
  routes.onBest(
    batch(
      [{ ...change('fd00::/122'), nextHops: [{ address: 'fe80::2', interface: 'eth0' }] }],
      false,
      'ipv6',
    ),
  )
  t.match(routes.apply().routes.get('fd00::/122'), { nextHops: [{ gateway: 'fe80::2', device: 'eth0' }] })
  t.end()
})

t.test('one table: a workload before a blackhole before what others announce', (t) => {
  const destination = '10.0.0.7/32'
  const workload = { kind: 'workload', destination, device: 'drva' } as const
  const blackhole = { kind: 'blackhole', destination } as const
  const remote = { kind: 'remote', destination, nextHops: [] } as const
  const table = (item: RouteItem) => new Map([[destination, item]])
  t.equal(mergeRoutes(table(workload), table(blackhole), table(remote)).get(destination), workload)
  t.equal(mergeRoutes(new Map(), table(blackhole), table(remote)).get(destination), blackhole)
  t.equal(mergeRoutes(new Map(), new Map(), table(remote)).get(destination), remote)
  t.end()
})
