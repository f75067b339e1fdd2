import { resourceName, selector, selectorOrNone } from '../formats.ts'
import { type ReportFault } from '../kind.ts'
import { list, number, oneOf, optional, text, withDefault } from '../schema.ts'
import { refineRules, type Rule, rules } from './rule.ts'
import { DEFAULT_TIER, ORDER_LIMIT } from './tier.ts'

/*
 * What the four kinds of policy share. The staged kinds have the same fields as those that they would replace; a
 * namespaced policy selects within its own namespace and has nothing of host endpoints.
 */

export type PolicyType = 'Ingress' | 'Egress'

/** What a staged policy would do to the enforced one of its name. */
export type StagedAction = 'Set' | 'Delete' | 'Ignore'

export interface PolicySpec {
  tier: string
  /** Lower is judged first; without it last, ties by name. */
  order?: number
  selector: string
  serviceAccountSelector?: string
  /** Which directions it judges; `policyTypes` says what holds where it is absent. */
  types?: PolicyType[]
  ingress?: Rule[]
  egress?: Rule[]
}

/** What only policies of the whole cluster have. */
export interface GlobalPolicySpec extends PolicySpec {
  namespaceSelector?: string
  /** On host endpoints before connection tracking, in the raw table. */
  doNotTrack: boolean
  /** On host endpoints before address translation, in the mangle table. */
  preDNAT: boolean
  /** On host endpoints also what is forwarded. */
  applyOnForward: boolean
}

/** The directions that a policy judges: as it says, else Ingress, Egress alone with egress rules alone, both with both. */
export function policyTypes(spec: Pick<PolicySpec, 'types' | 'ingress' | 'egress'>): readonly PolicyType[] {
  if (spec.types !== undefined && spec.types.length > 0) return spec.types
  if ((spec.egress?.length ?? 0) === 0) return ['Ingress']
  return (spec.ingress?.length ?? 0) === 0 ? ['Egress'] : ['Ingress', 'Egress']
}

/** Fields before and after those of the global kinds. */
export const policyHead = {
  tier: withDefault(text(resourceName), DEFAULT_TIER.name, 'The tier in which it is judged.'),
  order: optional(number(-ORDER_LIMIT, ORDER_LIMIT), 'Lower is judged first; without it last, ties by name.'),
  selector: withDefault(text(selector), 'all()', 'Endpoints that it judges, by their labels.'),
}

export const policyTail = {
  serviceAccountSelector: optional(
    text(selectorOrNone),
    'Only endpoints whose service account has these labels.',
  ),
  types: optional(
    list(oneOf(['Ingress', 'Egress']), { max: 2, distinct: true }),
    'Directions that it judges (default: Ingress; Egress alone if there are only egress rules; both if both).',
  ),
  ingress: optional(rules, 'Inbound rules, in order.'),
  egress: optional(rules, 'Outbound rules, in order.'),
}

export const stagedAction = withDefault(
  oneOf(['Set', 'Delete', 'Ignore']),
  'Set',
  'What would happen to the enforced policy of this name: this in its place, gone, or nothing.',
)

/** Rules between the fields of a policy of either scope. */
export function refinePolicy(spec: PolicySpec & Partial<GlobalPolicySpec>, report: ReportFault): void {
  refineRules(['spec', 'ingress'], spec.ingress ?? [], report)
  refineRules(['spec', 'egress'], spec.egress ?? [], report)
  if (spec.namespaceSelector === '') delete spec.namespaceSelector
  if (spec.serviceAccountSelector === '') delete spec.serviceAccountSelector
  if (spec.types?.length === 0) delete spec.types
  const special = spec.doNotTrack === true ? 'doNotTrack' : spec.preDNAT === true ? 'preDNAT' : undefined
  if (spec.doNotTrack === true && spec.preDNAT === true) {
    report(
      ['spec', 'preDNAT'],
      true,
      'false, because doNotTrack is true',
      'a policy has one of the two places',
    )
  }
  if (special !== undefined && spec.applyOnForward !== true) {
    report(
      ['spec', 'applyOnForward'],
      false,
      `true, because ${special} is true`,
      'that early nobody knows yet whether a packet is forwarded',
    )
  }
  if (spec.preDNAT === true) {
    if ((spec.egress?.length ?? 0) > 0) {
      report(
        ['spec', 'egress'],
        spec.egress,
        'no egress rules, because preDNAT is true',
        'it is judged on the way in',
      )
    }
    if (spec.types?.includes('Egress') === true) {
      report(['spec', 'types'], spec.types, 'Ingress alone, because preDNAT is true')
    }
  }
}

/** A staged deletion says nothing else. */
export function refineStaged(spec: PolicySpec & { stagedAction: StagedAction }, report: ReportFault): void {
  refinePolicy(spec, report)
  if (spec.stagedAction !== 'Delete') return
  for (const field of ['ingress', 'egress'] as const) {
    if ((spec[field]?.length ?? 0) === 0) continue
    report(['spec', field], spec[field], 'no rules, because stagedAction is Delete')
  }
}
