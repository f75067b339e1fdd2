import { labelKey } from '../formats.ts'
import { defineKind } from '../kind.ts'
import { map, object, optional, string } from '../schema.ts'
import { refineRules, type Rule, rules } from './rule.ts'

/** Judged after all policy, in the order in which an endpoint lists its profiles. */
export interface ProfileSpec {
  /** Inbound: towards the workload. */
  ingress?: Rule[]
  /** Outbound: from the workload. */
  egress?: Rule[]
  /** Inherited by the profile's endpoints; an endpoint's own label wins. */
  labelsToApply?: Record<string, string>
}

export const profile = defineKind<ProfileSpec>()({
  kind: 'Profile',
  plural: 'profiles',
  aliases: ['profile'],
  description: 'Inbound and outbound rules and labels that endpoints share.',
  spec: object<ProfileSpec>({
    ingress: optional(rules, 'Inbound rules, in order. Without any nothing comes in.'),
    egress: optional(rules, 'Outbound rules, in order. Without any nothing goes out.'),
    labelsToApply: optional(map(labelKey, string({ maxLength: 253 })), 'Labels that the endpoints inherit.'),
  }),
  refine(spec, report) {
    refineRules(['spec', 'ingress'], spec.ingress ?? [], report)
    refineRules(['spec', 'egress'], spec.egress ?? [], report)
  },
})
