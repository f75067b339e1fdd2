import { selectorOrNone } from '../formats.ts'
import { defineKind } from '../kind.ts'
import { boolean, object, optional, text, withDefault } from '../schema.ts'
import {
  type GlobalPolicySpec,
  policyHead,
  policyTail,
  refinePolicy,
  refineStaged,
  type StagedAction,
  stagedAction,
} from './policy.ts'

/** Judges endpoints of every namespace, and host endpoints. */
export type GlobalNetworkPolicySpec = GlobalPolicySpec

/** A GlobalNetworkPolicy that is shown and never acts. */
export interface StagedGlobalNetworkPolicySpec extends GlobalPolicySpec {
  stagedAction: StagedAction
}

const fields = {
  ...policyHead,
  namespaceSelector: optional(
    text(selectorOrNone),
    'Only endpoints of namespaces with these labels; global() means host endpoints.',
  ),
  ...policyTail,
  doNotTrack: withDefault(
    boolean(),
    false,
    'On host endpoints: before connection tracking, so that answers need rules of their own.',
  ),
  preDNAT: withDefault(boolean(), false, 'On host endpoints: before address translation; inbound only.'),
  applyOnForward: withDefault(boolean(), false, 'On host endpoints: also what the host forwards.'),
}

export const globalNetworkPolicy = defineKind<GlobalNetworkPolicySpec>()({
  kind: 'GlobalNetworkPolicy',
  plural: 'globalnetworkpolicies',
  aliases: ['globalnetworkpolicy', 'gnp', 'gnps'],
  description: 'An ordered list of rules for the endpoints that its selector takes, in every namespace.',
  spec: object<GlobalNetworkPolicySpec>(fields),
  refine: refinePolicy,
})

export const stagedGlobalNetworkPolicy = defineKind<StagedGlobalNetworkPolicySpec>()({
  kind: 'StagedGlobalNetworkPolicy',
  plural: 'stagedglobalnetworkpolicies',
  aliases: ['stagedglobalnetworkpolicy', 'sgnp', 'sgnps'],
  description: "A GlobalNetworkPolicy that never acts: 'drover policy diff' shows what it would change.",
  spec: object<StagedGlobalNetworkPolicySpec>({ stagedAction, ...fields }),
  refine: refineStaged,
})
