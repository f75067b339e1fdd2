import fc from 'fast-check'
import t from 'tap'
import { createCalculator, createEvaluator } from '../../src/index.ts'
import { news, probes, WORKLOADS } from './arbitraries.ts'
import { interpret, type Probe } from './interpreter.ts'
import { apply, calculate, dangling, emptyMirror, plain } from './mirror.ts'

const DIRECTIONS = { inbound: 'ingress', outbound: 'egress' } as const
const familyOf = (one: string): 'ipv4' | 'ipv6' => (one.includes(':') ? 'ipv6' : 'ipv4')

t.test('whatever the news and the moments of draining: as if fresh, and as the evaluator says', (t) => {
  let allowed = 0
  let denied = 0
  fc.assert(
    fc.property(news, fc.integer({ min: 1, max: 7 }), probes, (updates, every, questions) => {
      const calculator = createCalculator({ node: 'here' })
      const mirror = emptyMirror()
      updates.forEach((update, at) => {
        calculator.onUpdate(update)
        if (at % every === 0) apply(mirror, calculator.drain())
      })
      apply(mirror, calculator.drain())
      if (dangling(mirror).length > 0) throw new Error(dangling(mirror).join('; '))

      const last = new Map(updates.map((update) => [`${update.kind}/${update.name}`, update]))
      const fresh = calculate([...last.values()].reverse())
      if (JSON.stringify(plain(fresh.mirror)) !== JSON.stringify(plain(mirror))) {
        throw new Error('not as if fresh')
      }
      for (const [id, { members }] of mirror.sets) {
        if ([...calculator.members(id)].sort().join() !== [...members].sort().join()) {
          throw new Error(`members of ${id}`)
        }
      }

      const evaluator = createEvaluator({ resources: updates })
      const judgeActive = interpret(mirror)
      for (const question of questions) {
        if (familyOf(question.source) !== familyOf(question.destination)) continue
        const { protocol, icmp, sourcePort, destinationPort, ...ends } = question
        const probe: Probe = {
          ...ends,
          family: familyOf(question.source),
          protocol,
          ...([6, 17, 132].includes(protocol) ? { sourcePort, destinationPort } : {}),
          ...(protocol === 1 ? { icmp } : {}),
        }
        for (const name of WORKLOADS) {
          if (!mirror.endpoints.has(name)) continue
          for (const direction of ['inbound', 'outbound'] as const) {
            const expected = evaluator.judgeEndpoint(name, DIRECTIONS[direction], probe).action
            const actual = judgeActive(name, direction, probe)
            if (actual === 'allow') allowed++
            else denied++
            if (expected !== actual) {
              throw new Error(`${name} ${direction} ${JSON.stringify(probe)}: ${actual}, not ${expected}`)
            }
          }
        }
      }
    }),
    { numRuns: 400 },
  )
  t.ok(allowed > 300 && denied > 300, `${String(allowed)} allowed, ${String(denied)} denied`)
  t.end()
})
