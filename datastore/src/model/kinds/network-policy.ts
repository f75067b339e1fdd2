import { defineKind } from '../kind.ts'
import { object } from '../schema.ts'
import {
  policyHead,
  type PolicySpec,
  policyTail,
  refinePolicy,
  refineStaged,
  type StagedAction,
  stagedAction,
} from './policy.ts'

/** Judges endpoints of its own namespace. */
export type NetworkPolicySpec = PolicySpec

/** A NetworkPolicy that is shown and never acts. */
export interface StagedNetworkPolicySpec extends PolicySpec {
  stagedAction: StagedAction
}

const fields = { ...policyHead, ...policyTail }

export const networkPolicy = defineKind<NetworkPolicySpec>()({
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  aliases: ['networkpolicy', 'policy', 'policies', 'np', 'nps', 'pol', 'pols'],
  namespaced: true,
  description: 'An ordered list of rules for the endpoints of its namespace that its selector takes.',
  spec: object<NetworkPolicySpec>(fields),
  refine: refinePolicy,
})

export const stagedNetworkPolicy = defineKind<StagedNetworkPolicySpec>()({
  kind: 'StagedNetworkPolicy',
  plural: 'stagednetworkpolicies',
  aliases: ['stagednetworkpolicy', 'snp', 'snps'],
  namespaced: true,
  description: "A NetworkPolicy that never acts: 'drover policy diff' shows what it would change.",
  spec: object<StagedNetworkPolicySpec>({ stagedAction, ...fields }),
  refine: refineStaged,
})
