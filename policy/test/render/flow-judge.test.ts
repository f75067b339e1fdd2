import fc from 'fast-check'
import t from 'tap'
import {
  createCalculator,
  createEvaluator,
  createFlowJudge,
  type FlowRoute,
  type PolicyUpdate,
  RENDER_DEFAULTS,
  type TrackedFlow,
} from '../../src/index.ts'
import { ADDRESSES, PORTS, news, probes, someHost } from '../calc/arbitraries.ts'
import { apply, emptyMirror } from '../calc/mirror.ts'

const familyOf = (one: string): 'ipv4' | 'ipv6' => (one.includes(':') ? 'ipv6' : 'ipv4')

t.test('it denies what the evaluator denies, and says when it may have turned against a flow', (t) => {
  let [allowed, denied, turns] = [0, 0, 0]
  fc.assert(
    fc.property(news, fc.integer({ min: 1, max: 7 }), probes, (updates, every, questions) => {
      const calculator = createCalculator({ node: 'here' })
      const judge = createFlowJudge({ members: (set) => calculator.members(set) }, RENDER_DEFAULTS)
      const mirror = emptyMirror()
      const flows = questions
        .filter(({ source, destination }) => familyOf(source) === familyOf(destination))
        .map(({ protocol, icmp, sourcePort, destinationPort, ...ends }): TrackedFlow => {
          const hasPorts = [6, 17, 132].includes(protocol)
          return {
            ...{
              source: ends.source,
              destination: ends.destination,
              family: familyOf(ends.source),
              protocol,
            },
            sourcePort: hasPorts ? sourcePort : undefined,
            destinationPort: hasPorts ? destinationPort : undefined,
            icmp: protocol === 1 ? icmp : undefined,
            asked: {
              destination: ends.destination,
              destinationPort: hasPorts ? destinationPort : undefined,
            },
          }
        })
      const locals = (): ReadonlySet<string> =>
        new Set(
          [...mirror.endpoints.values()].flatMap(({ addresses }) =>
            addresses.map((one) => one.replace(/\/.*/, '')),
          ),
        )
      const drain = (): void => {
        const before = { denies: flows.map((flow) => judge.denies(flow)), locals: locals() }
        const changes = calculator.drain()
        apply(mirror, changes)
        const turned = judge.update(changes)
        const after = locals()
        flows.forEach((flow, i) => {
          // An endpoint that has just come had no flows.
          const stayed = [flow.source, flow.destination].every(
            (one) => before.locals.has(one) === after.has(one),
          )
          if (!stayed || before.denies[i] === true || !judge.denies(flow)) return
          turns++
          if (!turned) throw new Error(`it turned against ${JSON.stringify(flow)} and didn't say so`)
        })
      }
      updates.forEach((update, at) => {
        calculator.onUpdate(update)
        if (at % every === 0) drain()
      })
      drain()

      const evaluator = createEvaluator({ resources: updates })
      const holders = new Map<string, string[]>()
      for (const [name, { addresses }] of mirror.endpoints)
        for (const one of addresses) {
          const address = one.replace(/\/.*/, '')
          holders.set(address, [...(holders.get(address) ?? []), name])
        }
      for (const flow of flows) {
        const [from = [], to = []] = [holders.get(flow.source), holders.get(flow.destination)]
        if (from.length > 1 || to.length > 1) continue
        const { sourcePort, destinationPort, icmp, asked: _, ...rest } = flow
        const probe = {
          ...rest,
          ...(sourcePort === undefined || destinationPort === undefined
            ? {}
            : { sourcePort, destinationPort }),
          ...(icmp === undefined ? {} : { icmp }),
        }
        const expected =
          from.some((name) => evaluator.judgeEndpoint(name, 'egress', probe).action === 'deny') ||
          to.some((name) => evaluator.judgeEndpoint(name, 'ingress', probe).action === 'deny')
        const actual = judge.denies(flow)
        if (actual) denied++
        else allowed++
        if (actual !== expected)
          throw new Error(`${JSON.stringify(flow)}: ${String(actual)}, not ${String(expected)}`)
      }
    }),
    { numRuns: 300 },
  )
  t.ok(allowed > 100 && denied > 100 && turns > 10, `${allowed} allowed, ${denied} denied, ${turns} turned`)
  t.end()
})

t.test('what the host begins reaches its workloads whatever policy says', (t) => {
  const judge = createFlowJudge({ members: () => [] }, RENDER_DEFAULTS)
  judge.setHostAddresses(new Set(['192.0.2.1']))
  judge.update({
    ...{
      sets: new Map(),
      policies: new Map(),
      profiles: new Map(),
      hostEndpoints: new Map(),
      pools: undefined,
    },
    endpoints: new Map([
      [
        'k',
        {
          ...{ interfaceName: 'drva', addresses: ['10.0.0.1/32'], allowedSources: [], portMappings: [] },
          ...{ tiers: [], profiles: [] },
        },
      ],
    ]),
  })
  const flow = (source: string, destination: string): TrackedFlow => ({
    ...{
      family: 'ipv4',
      protocol: 6,
      source,
      destination,
      sourcePort: 1,
      destinationPort: 2,
      icmp: undefined,
      asked: { destination, destinationPort: 2 },
    },
  })
  t.equal(judge.denies(flow('192.0.2.1', '10.0.0.1')), false)
  t.equal(judge.denies(flow('192.0.2.2', '10.0.0.1')), true)
  t.equal(judge.denies(flow('10.0.0.1', '192.0.2.1')), true)
  t.equal(judge.denies(flow('192.0.2.2', '192.0.2.3')), false, 'nobody of ours')
  t.end()
})

t.test(
  'of what enters, leaves or passes by an interface of the host it denies what the evaluator denies',
  (t) => {
    const own = { ipv4: '192.0.2.1', ipv6: '2001:db8::1' }
    const node: PolicyUpdate = {
      kind: 'Node',
      name: 'here',
      resource: {
        metadata: { name: 'here' },
        spec: { bgp: { ipv4Address: `${own.ipv4}/32`, ipv6Address: `${own.ipv6}/128` } },
      },
    }
    /** Addresses outside, and the interface that leads there. */
    const outside: Readonly<Record<string, string>> = {
      '198.51.100.7': 'eth0',
      '203.0.113.9': 'eth1',
      '2001:db8:1::7': 'eth0',
    }
    const someone = fc.constantFrom(...ADDRESSES, ...Object.values(own), ...Object.keys(outside))
    const flows = fc.array(
      fc.record({
        source: someone,
        destination: someone,
        protocol: fc.constantFrom(6, 17),
        sourcePort: fc.constantFrom(...PORTS),
        destinationPort: fc.constantFrom(...PORTS, 22),
      }),
      { minLength: 30, maxLength: 30 },
    )
    const hosts = fc.array(someHost, { minLength: 1, maxLength: 3 })
    let [allowed, denied] = [0, 0]
    fc.assert(
      fc.property(news, hosts, flows, (updates, more, questions) => {
        // A workload elsewhere with an address of one here would be another mistake than those that are looked for.
        const isElsewhere = (update: PolicyUpdate): boolean =>
          update.kind === 'WorkloadEndpoint' &&
          !('broken' in update) &&
          update.resource?.spec.node === 'there'
        const all = [...updates.filter((update) => !isElsewhere(update)), ...more, node]
        const calculator = createCalculator({ node: 'here' })
        const failsafes = { failsafeInbound: ['tcp:22'], failsafeOutbound: ['udp:53@198.51.100.0/24'] }
        const judge = createFlowJudge(
          { members: (set) => calculator.members(set) },
          {
            ...{ interfacePrefix: 'drv', failsafeInbound: [{ protocol: 6, port: 22 }] },
            failsafeOutbound: [{ protocol: 17, port: 53, net: '198.51.100.0/24' }],
          },
        )
        judge.setHostAddresses(new Set(Object.values(own)))
        for (const update of all) calculator.onUpdate(update)
        const mirror = emptyMirror()
        const changes = calculator.drain()
        apply(mirror, changes)
        judge.update(changes)
        const holders = new Map<string, string>()
        for (const [name, { addresses }] of mirror.endpoints)
          for (const one of addresses) {
            const address = one.replace(/\/.*/, '')
            holders.set(address, holders.has(address) ? 'several' : name)
          }
        const routeOf = (to: string): FlowRoute => ({ interfaceName: outside[to] ?? 'eth0', isLocal: false })
        for (const { source, destination, ...rest } of questions) {
          const family = familyOf(source)
          const isOwn = (one: string): boolean => one === own[family]
          const ends = [source, destination].map((one) => ({
            ...{ one, holder: holders.get(one), foreign: one in outside },
          }))
          // What the model says nothing of, or something else: two that claim one address, both ends on the host.
          if (family !== familyOf(destination) || (isOwn(source) && isOwn(destination))) continue
          if (ends.some(({ holder }) => holder === 'several')) continue
          if (ends.some(({ one, holder, foreign }) => holder === undefined && !foreign && !isOwn(one)))
            continue
          const [from, to] = ends.map(({ one, holder }) =>
            isOwn(one)
              ? { is: 'host' as const, node: 'here', address: one }
              : holder === undefined
                ? { is: 'address' as const, address: one, interfaceName: outside[one] ?? 'eth0' }
                : { is: 'workload' as const, name: holder, address: one },
          )
          if (from === undefined || to === undefined) continue
          // Through the node without a workload at either end is no way that the evaluator knows; to the host from one neither.
          if (from.is === 'address' && to.is === 'address') continue
          if (from.is === 'workload' && to.is === 'host') continue
          const evaluator = createEvaluator({
            resources: all,
            settings: () => ({ ...failsafes, uplink: outside[destination] ?? outside[source] ?? 'eth0' }),
          })
          const verdict = evaluator.judge({ from, to, family, ...rest })
          const flow: TrackedFlow = {
            ...{ family, source, destination, ...rest, icmp: undefined },
            asked: { destination, destinationPort: rest.destinationPort },
          }
          const actual = judge.denies(flow, ({ to: peer }) => routeOf(peer))
          if (actual) denied++
          else allowed++
          if (actual !== (verdict.action === 'deny'))
            throw new Error(
              `${JSON.stringify(flow)}: ${String(actual)}, not ${verdict.steps.map((step) => JSON.stringify(step)).join(' ')}`,
            )
        }
      }),
      { numRuns: 400 },
    )
    t.ok(allowed > 200 && denied > 200, `${String(allowed)} allowed, ${String(denied)} denied`)
    t.end()
  },
)

t.test('interfaces of the host: who is asked which way leads where, and when policy turns', (t) => {
  const judge = createFlowJudge({ members: () => [] }, RENDER_DEFAULTS)
  const flow: TrackedFlow = {
    ...{ family: 'ipv4', protocol: 6, source: '198.51.100.7', destination: '192.0.2.1' },
    ...{ sourcePort: 4000, destinationPort: 80, icmp: undefined },
    asked: { destination: '192.0.2.1', destinationPort: 80 },
  }
  const through: TrackedFlow = {
    ...flow,
    destination: '203.0.113.9',
    asked: { destination: '203.0.113.9', destinationPort: 80 },
  }
  const nothing = { sets: new Map(), policies: new Map(), profiles: new Map(), endpoints: new Map() }
  const uplink = {
    ...{ interfaceName: 'eth0', normal: [], forward: [], untracked: [], preDNAT: [], profiles: [] },
  }
  const by = (interfaceName: string) => (): FlowRoute => ({ interfaceName, isLocal: false })
  judge.setHostAddresses(new Set(['192.0.2.1']))
  t.same(judge.pathsOf(flow), [], 'without host endpoints nobody asks for routes')
  const change = (value: typeof uplink | undefined) => ({
    ...{ ...nothing, pools: undefined },
    hostEndpoints: new Map([['uplink', value]]),
  })
  t.equal(judge.update(change(uplink)), true)
  t.same(judge.pathsOf(flow), [{ family: 'ipv4', to: '198.51.100.7', from: '192.0.2.1' }])
  t.same(judge.pathsOf(through), [
    { family: 'ipv4', to: '198.51.100.7', from: undefined },
    { family: 'ipv4', to: '203.0.113.9', from: undefined },
  ])
  t.equal(judge.denies(flow, by('eth0')), true)
  t.equal(judge.denies(flow, by('eth1')), false, 'another interface has no host endpoint')
  t.equal(
    judge.denies(flow, () => undefined),
    false,
    'a way that nobody knows is not judged',
  )
  t.equal(judge.denies(through, by('eth0')), false, 'what passes through is for policies that ask for it')
  const local = (): FlowRoute => ({ interfaceName: 'eth0', isLocal: true })
  t.equal(
    judge.denies(through, ({ to }) => (to === '203.0.113.9' ? local() : by('eth0')())),
    true,
    'a broadcast that comes in is for the host',
  )
  t.equal(judge.setOptions({ ...RENDER_DEFAULTS, failsafeInbound: [{ protocol: 6, port: 80 }] }), true)
  t.equal(judge.denies(flow, by('eth0')), false, 'a failsafe port')
  t.equal(judge.setOptions({ ...RENDER_DEFAULTS, failsafeInbound: [{ protocol: 6, port: 80 }] }), false)
  t.equal(judge.update(change({ ...uplink, interfaceName: '*' })), true)
  t.equal(judge.setOptions(RENDER_DEFAULTS), true)
  t.equal(judge.denies(flow, by('eth1')), true, 'every interface of the host')
  t.equal(judge.denies(flow, by('drvweb')), false, 'but no workload’s')
  t.equal(judge.denies(flow, by('lo')), false, 'nor loopback')
  const linkLocal = { ...flow, family: 'ipv6' as const, source: 'fe80::1', destination: 'fe80::2' }
  t.same(judge.pathsOf(linkLocal), [], 'link-local neighbours are not to be told apart')
  t.equal(judge.update(change(undefined)), true)
  t.equal(judge.denies(flow, by('eth0')), false)
  t.end()
})
