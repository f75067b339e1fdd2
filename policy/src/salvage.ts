/**
 * What is still understood of a value that is not a resource of its kind: enough of it to keep protecting. A policy
 * denies whatever its rules said, in its tier and for the endpoints of its selector, as far as these can be read and
 * for everything where they can't; a profile is one that nobody defined; of sets and endpoints the readable members count.
 */
import { DEFAULT_TIER, parseSelector, policyTypes, type Rule } from '@network/datastore/model'
import {
  type AnyPolicySpec,
  identityOf,
  type PolicyKind,
  type PolicyKinds,
  type PolicyResource,
} from './input.ts'

type Fields = Readonly<Record<string, unknown>>

/** The one rule of a policy whose rules are lost. */
export const DENYING: readonly Rule[] = [{ action: 'Deny' }]

/** The resource that stands for the broken value; undefined: nothing of it can be used. */
export function salvage<K extends PolicyKind>(
  kind: K,
  name: string,
  value: unknown,
): PolicyResource<PolicyKinds[K]> | undefined {
  const spec = fieldsOf(fieldsOf(value)['spec'])
  const labels = labelsOf(fieldsOf(fieldsOf(value)['metadata'])['labels'])
  const salvaged = salvagers[kind](spec)
  return salvaged === undefined
    ? undefined
    : { metadata: { ...identityOf(kind, name), labels }, spec: salvaged }
}

type Salvagers = {
  [K in PolicyKind]: (spec: Fields) => PolicyKinds[K] | undefined
}

const salvagers: Salvagers = {
  Node: () => undefined,
  StagedGlobalNetworkPolicy: () => undefined,
  StagedNetworkPolicy: () => undefined,
  WorkloadEndpoint: () => undefined,
  IPPool: (spec) =>
    typeof spec['cidr'] === 'string'
      ? { cidr: spec['cidr'], natOutgoing: spec['natOutgoing'] === true }
      : undefined,
  Profile: (spec) => ({ labelsToApply: labelsOf(spec['labelsToApply']) }),
  Tier: (spec) => ({
    ...(typeof spec['order'] === 'number' ? { order: spec['order'] } : {}),
    defaultAction: spec['defaultAction'] === 'Pass' ? 'Pass' : 'Deny',
  }),
  GlobalNetworkPolicy: denyingPolicy,
  NetworkPolicy: denyingPolicy,
  GlobalNetworkSet: (spec) => ({ nets: textsOf(spec['nets']) }),
  NetworkSet: (spec) => ({ nets: textsOf(spec['nets']) }),
  HostEndpoint: (spec) =>
    typeof spec['node'] === 'string'
      ? {
          node: spec['node'],
          ...(typeof spec['interfaceName'] === 'string' ? { interfaceName: spec['interfaceName'] } : {}),
          expectedIPs: textsOf(spec['expectedIPs']),
          profiles: textsOf(spec['profiles']),
        }
      : undefined,
}

function denyingPolicy(spec: Fields): AnyPolicySpec {
  const order = spec['order']
  const directions = typesOf(spec)
  const selectors = (['selector', 'namespaceSelector', 'serviceAccountSelector'] as const).flatMap(
    (field) => {
      const text = spec[field]
      return typeof text === 'string' && parseSelector(text).ok ? [[field, text] as const] : []
    },
  )
  const flags = (['doNotTrack', 'preDNAT', 'applyOnForward'] as const).flatMap((field) =>
    spec[field] === true ? [[field, true] as const] : [],
  )
  return {
    selector: 'all()',
    ...Object.fromEntries(selectors),
    ...Object.fromEntries(flags),
    tier: typeof spec['tier'] === 'string' ? spec['tier'] : DEFAULT_TIER.name,
    ...(typeof order === 'number' ? { order } : {}),
    types: directions,
    ...(directions.includes('Ingress') ? { ingress: [...DENYING] } : {}),
    ...(directions.includes('Egress') ? { egress: [...DENYING] } : {}),
  }
}

/** As policyTypes says it, or both where it can't be said. */
function typesOf(spec: Fields): ('Ingress' | 'Egress')[] {
  const { types, ingress, egress } = spec as Record<'types' | 'ingress' | 'egress', unknown>
  if (Array.isArray(types) && types.length > 0) {
    const known = (['Ingress', 'Egress'] as const).filter((type) => types.includes(type))
    return known.length === new Set(types).size ? known : ['Ingress', 'Egress']
  }
  const unreadable = [types, ingress, egress].some(
    (list) => (list ?? undefined) !== undefined && !Array.isArray(list),
  )
  if (unreadable || Object.keys(spec).length === 0) return ['Ingress', 'Egress']
  return [...policyTypes({ ingress: (ingress ?? []) as Rule[], egress: (egress ?? []) as Rule[] })]
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}

function labelsOf(value: unknown): Record<string, string> {
  const entries = Object.entries(fieldsOf(value))
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}
