import fc from 'fast-check'
import t from 'tap'
import { createCalculator, createEvaluator, createFlowJudge, type TrackedFlow } from '../../src/index.ts'
import { news, probes } from '../calc/arbitraries.ts'
import { apply, emptyMirror } from '../calc/mirror.ts'

const familyOf = (one: string): 'ipv4' | 'ipv6' => (one.includes(':') ? 'ipv6' : 'ipv4')

t.test('it denies what the evaluator denies, and says when it may have turned against a flow', (t) => {
  let [allowed, denied, turns] = [0, 0, 0]
  fc.assert(
    fc.property(news, fc.integer({ min: 1, max: 7 }), probes, (updates, every, questions) => {
      const calculator = createCalculator({ node: 'here' })
      const judge = createFlowJudge({ members: (set) => calculator.members(set) })
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
        const { sourcePort, destinationPort, icmp, ...rest } = flow
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
  const judge = createFlowJudge({ members: () => [] })
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
    },
  })
  t.equal(judge.denies(flow('192.0.2.1', '10.0.0.1')), false)
  t.equal(judge.denies(flow('192.0.2.2', '10.0.0.1')), true)
  t.equal(judge.denies(flow('10.0.0.1', '192.0.2.1')), true)
  t.equal(judge.denies(flow('192.0.2.2', '192.0.2.3')), false, 'nobody of ours')
  t.end()
})
