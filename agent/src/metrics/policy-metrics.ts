/** What is measured of policy on this node. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { RuleCounter } from '../drivers/iptables/iptables-driver.ts'
import type { PolicyReport } from '../drivers/policy-driver.ts'
import type { PolicySize } from '../managers/policy-manager.ts'

/** Numbers that are looked up when somebody scrapes. */
export interface PolicySources {
  size: () => PolicySize
  faults: () => number
  counters: () => Promise<readonly RuleCounter[]>
}

export interface PolicyMetrics {
  applied(report: PolicyReport): void
  cut(flows: number): void
  observe(sources: PolicySources): void
}

/** How long what was counted is good for a second question: packets and bytes of one scrape are one reading. */
const FRESH_MS = 1_000

export function createPolicyMetrics(registry: Registry): PolicyMetrics {
  const registers = [registry]
  const applies = new Histogram({
    name: 'drover_policy_apply_seconds',
    help: 'Duration of bringing chains and sets into the desired state, where something was written.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    registers,
  })
  const written = new Counter({
    name: 'drover_policy_written_total',
    help: 'Chains, rules and sets written, members added and removed.',
    labelNames: ['what'],
    registers,
  })
  const cut = new Counter({
    name: 'drover_policy_flows_cut_total',
    help: 'Established flows that were cut because policy no longer allowed them.',
    registers,
  })
  return {
    applied({ chainsWritten, rulesWritten, setsWritten, membersAdded, membersRemoved, durationMs }) {
      const counts = {
        chain: chainsWritten,
        rule: rulesWritten,
        set: setsWritten,
        'member-added': membersAdded,
        'member-removed': membersRemoved,
      }
      for (const [what, count] of Object.entries(counts)) if (count > 0) written.inc({ what }, count)
      if (chainsWritten + rulesWritten + setsWritten > 0) applies.observe(durationMs / 1000)
    },
    cut: (flows) => cut.inc(flows),
    observe(sources) {
      new Gauge({
        name: 'drover_policy_active',
        help: 'What bears on this node: policies, profiles, endpoints, host-endpoints, sets, members of sets.',
        labelNames: ['what'],
        registers,
        collect() {
          const { hostEndpoints, ...others } = sources.size()
          for (const [what, count] of Object.entries(others)) this.set({ what }, count)
          this.set({ what: 'host-endpoints' }, hostEndpoints)
        },
      })
      new Gauge({
        name: 'drover_policy_faults',
        help: 'Rules, tables and sets that are not in the kernel as they should be.',
        registers,
        collect() {
          this.set(sources.faults())
        },
      })
      let reading: { at: number; counters: Promise<readonly RuleCounter[]> } | undefined
      const read = (): Promise<readonly RuleCounter[]> => {
        const now = performance.now()
        if (reading === undefined || now - reading.at > FRESH_MS)
          reading = { at: now, counters: sources.counters().catch(() => []) }
        return reading.counters
      }
      for (const what of ['packets', 'bytes'] as const) {
        new Counter({
          name: `drover_policy_rule_${what}_total`,
          help: `What rules of policies and profiles decided, in ${what}; begins anew when the rule is written anew.`,
          labelNames: ['policy', 'direction', 'rule'],
          registers,
          async collect() {
            const counters = await read()
            this.reset()
            for (const { origin, counts, [what]: count } of counters) {
              if (origin === undefined || !counts) continue
              const policy = origin.kind === 'profile' ? `Profile/${origin.id}` : origin.id
              this.inc({ policy, direction: origin.direction, rule: String(origin.position) }, count)
            }
          },
        })
      }
    },
  }
}
