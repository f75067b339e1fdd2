import { policyTypes, type Selector } from '@network/datastore/model'
import { type AnyPolicySpec, identityOf, type PolicyResource } from '../input.ts'
import type { OrderedPolicy } from './policy-order.ts'
import type { RuleSource } from './rule-book.ts'
import { readScope } from './scope.ts'

/** A policy as calculation keeps it; a query over local endpoints. Replaced as a whole when it changes. */
export interface PolicyRecord extends OrderedPolicy {
  readonly selector: Selector
  /** Which of a host endpoint's lists has it; workloads have the normal one alone. */
  readonly place: 'untracked' | 'preDNAT' | 'normal'
  /** Besides 'normal', in the list of what is forwarded. */
  readonly forward: boolean
  readonly rules: RuleSource
}

/** The record of a policy; undefined if a selector that says whom it judges doesn't parse. */
export function policyRecord(
  kind: 'GlobalNetworkPolicy' | 'NetworkPolicy',
  path: string,
  { spec }: Pick<PolicyResource<AnyPolicySpec>, 'spec'>,
): PolicyRecord | undefined {
  const { name, namespace } = identityOf(kind, path)
  const scope = readScope({
    selector: spec.selector,
    namespaceSelector: spec.namespaceSelector === '' ? undefined : spec.namespaceSelector,
    serviceAccountSelector: spec.serviceAccountSelector === '' ? undefined : spec.serviceAccountSelector,
    namespace,
  })
  if (!scope.ok) return undefined
  const types = policyTypes(spec)
  const place = spec.doNotTrack === true ? 'untracked' : spec.preDNAT === true ? 'preDNAT' : 'normal'
  return {
    id: `${kind}/${path}`,
    name,
    namespace,
    tier: spec.tier,
    order: spec.order,
    inbound: types.includes('Ingress'),
    outbound: types.includes('Egress') && place !== 'preDNAT',
    selector: scope.value,
    place,
    forward: place === 'normal' && spec.applyOnForward === true,
    rules: { inbound: spec.ingress ?? [], outbound: spec.egress ?? [], namespace },
  }
}
