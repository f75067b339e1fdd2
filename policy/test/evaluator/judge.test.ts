import t from 'tap'
import { createEvaluator, type EvaluatorModel, type Party } from '../../src/index.ts'
import { policy } from '../calc/updates.ts'
import { hostCases } from './host-cases.ts'
import { type Name, cluster, is } from './judge-cluster.ts'
import { workloadCases } from './workload-cases.ts'

t.test('what becomes of a packet, and who says so', (t) => {
  for (const one of [...workloadCases, ...hostCases]) {
    const { flow, settings, enforceStaged = false } = one
    const model: EvaluatorModel = {
      resources: [...cluster, ...(one.add ?? [])],
      settings: (name) => (name === 'here' ? (settings ?? {}) : {}),
      enforceStaged,
    }
    const party = (given: Name | Party): Party => (typeof given === 'string' ? is[given] : given)
    const verdict = createEvaluator(model).judge({
      from: party(flow[0]),
      to: party(flow[1]),
      family: one.family ?? 'ipv4',
      protocol: one.protocol ?? 'TCP',
      ...(one.icmp === undefined
        ? { sourcePort: one.sourcePort ?? 40_000, destinationPort: one.port ?? 1234 }
        : { icmp: one.icmp }),
    })
    t.equal(verdict.action, one.expected, one.name)
    if (one.because !== undefined) t.match(verdict.steps.at(-1), one.because, `${one.name}: why`)
    if (one.untracked !== undefined) t.equal(verdict.untracked, one.untracked, `${one.name}: tracked or not`)
  }
  t.end()
})

t.test('every step on the way is told', (t) => {
  const verdict = createEvaluator({
    resources: [
      ...cluster,
      policy('logged', {
        order: 1,
        selector: "app == 'db'",
        ingress: [{ action: 'Log' }, { action: 'Pass', source: { selector: "app == 'web'" } }],
      }),
    ],
  }).judge({ from: is.web, to: is.db, family: 'ipv4', protocol: 'TCP', sourcePort: 1, destinationPort: 2 })
  t.same(
    verdict.steps.map(({ at, stage, action, rule, policy: by, profile: inProfile }) => [
      at,
      stage,
      action,
      by ?? inProfile,
      rule,
    ]),
    [
      ['WorkloadEndpoint web', 'profiles', 'allow', 'open', 0],
      ['WorkloadEndpoint db', 'policy', 'log', 'GlobalNetworkPolicy/logged', 0],
      ['WorkloadEndpoint db', 'policy', 'pass', 'GlobalNetworkPolicy/logged', 1],
      ['WorkloadEndpoint db', 'profiles', 'allow', 'open', 0],
    ],
  )
  t.end()
})
