import { type ResourceChange, type Store } from '@network/datastore'
import {
  type AgentConfigurationSpec,
  decodeResource,
  parseResourceKey,
  prefixes,
  type Resource,
  resourceKey,
  type ResourceReference,
  type Rule,
} from '@network/datastore/model'
import type { EvaluatorModel, NodeSettings, PolicyKind, PolicyUpdate } from '@network/policy'

/*
 * The state of the model that questions about policy are asked of: everything that is stored, or what files say, or what
 * is stored with changes that were only planned. Values that can't be read take part as the kernel's side takes them: a
 * policy that denies as far as it is understood.
 */

/** Of everything that is told, by key in the store. */
type Entries = ReadonlyMap<string, { resource: Resource } | { broken: unknown; fault: string }>

export interface PolicyModel {
  readonly entries: Entries
  readonly evaluator: EvaluatorModel
}

const PAGE = 500

const policyKinds: ReadonlySet<string> = new Set<PolicyKind>([
  ...(['IPPool', 'Node', 'Profile', 'Tier', 'GlobalNetworkPolicy', 'NetworkPolicy'] as const),
  ...(['StagedGlobalNetworkPolicy', 'StagedNetworkPolicy', 'GlobalNetworkSet', 'NetworkSet'] as const),
  ...(['HostEndpoint', 'WorkloadEndpoint'] as const),
])

/** What the store holds. */
export async function storedPolicyModel(store: Store): Promise<PolicyModel> {
  const entries = new Map<string, { resource: Resource } | { broken: unknown; fault: string }>()
  for (const prefix of [prefixes.resources, prefixes.endpoints]) {
    let after: string | undefined
    let revision: number | undefined
    do {
      const page = await store.list(prefix, {
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
        ...(revision === undefined ? {} : { revision }),
      })
      for (const item of page.items) {
        if (!isOfInterest(parseResourceKey(item.key))) continue
        const decoded = decodeResource(item)
        entries.set(
          item.key,
          decoded.ok
            ? { resource: decoded.value }
            : {
                broken: jsonOf(item.value),
                fault: decoded.error.map(({ message }) => message).join('; '),
              },
        )
      }
      after = page.next
      revision = page.revision
    } while (after !== undefined)
  }
  return modelOf(entries)
}

/** What files say, and nothing else. */
export function filesPolicyModel(resources: readonly Resource[]): PolicyModel {
  return modelOf(new Map(resources.map((resource) => [keyOf(resource), { resource }])))
}

/** The model as it would be after the changes. */
export function changedPolicyModel(model: PolicyModel, changes: readonly ResourceChange[]): PolicyModel {
  const entries = new Map(model.entries)
  for (const { action, resource } of changes) {
    const key = keyOf(resource)
    if (action === 'delete') entries.delete(key)
    else if (isOfInterest(parseResourceKey(key))) entries.set(key, { resource })
  }
  return modelOf(entries)
}

/** The same with every staged policy in force. */
export function enforcedPolicyModel(model: PolicyModel): PolicyModel {
  return { ...model, evaluator: { ...model.evaluator, enforceStaged: true } }
}

/** Whether any of the changes bears on who may talk to whom. Pools and nodes do so by their addresses alone. */
export function bearsOnPolicy(changes: readonly ResourceChange[]): boolean {
  return changes.some(
    ({ action, resource }) =>
      action !== 'unchanged' &&
      isOfInterest(resource) &&
      resource.kind !== 'IPPool' &&
      resource.kind !== 'Node',
  )
}

/** What can't be read, for a warning each. */
export function unreadable(model: PolicyModel): { key: string; fault: string }[] {
  return [...model.entries].flatMap(([key, entry]) =>
    'broken' in entry ? [{ key, fault: entry.fault }] : [],
  )
}

/** The readable resources of a kind. */
export function resourcesOf<K extends Resource['kind']>(
  model: PolicyModel,
  kind: K,
): (Resource & { kind: K })[] {
  return [...model.entries.values()].flatMap((entry) =>
    'resource' in entry && entry.resource.kind === kind ? [entry.resource as Resource & { kind: K }] : [],
  )
}

/** The rules of 'GlobalNetworkPolicy/web' or 'Profile/web'; with staged policies in force those of the staged one. */
export function rulesOf(
  model: PolicyModel,
  id: string,
  direction: 'ingress' | 'egress',
): readonly Rule[] | undefined {
  const [kind = '', ...names] = id.split('/')
  const candidates = model.evaluator.enforceStaged === true ? [`Staged${kind}`, kind] : [kind]
  for (const candidate of candidates) {
    const found = [...model.entries.values()].find(
      (entry) =>
        'resource' in entry &&
        entry.resource.kind === candidate &&
        [entry.resource.metadata.namespace, entry.resource.metadata.name]
          .filter((part) => part !== undefined)
          .join('/') === names.join('/'),
    )
    if (found !== undefined && 'resource' in found) {
      return (found.resource.spec as { ingress?: Rule[]; egress?: Rule[] })[direction] ?? []
    }
  }
  return undefined
}

function keyOf({ kind, metadata: { name, namespace } }: Resource): string {
  return resourceKey({ kind, name, namespace })
}

function isOfInterest(reference: Pick<ResourceReference, 'kind'> | undefined): boolean {
  return (
    reference !== undefined && (policyKinds.has(reference.kind) || reference.kind === 'AgentConfiguration')
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function modelOf(entries: Entries): PolicyModel {
  const configurations = new Map<string, AgentConfigurationSpec>()
  const updates: PolicyUpdate[] = []
  for (const [key, entry] of entries) {
    const reference = parseResourceKey(key)
    if (reference === undefined) continue
    const { kind, name, namespace } = reference
    if ('resource' in entry && kind === 'AgentConfiguration') {
      configurations.set(name, entry.resource.spec as AgentConfigurationSpec)
    }
    if (!policyKinds.has(kind)) continue
    const known = kind === 'WorkloadEndpoint' ? key : namespace === undefined ? name : `${namespace}/${name}`
    updates.push({
      kind: kind as PolicyKind,
      name: known,
      ...('resource' in entry ? { resource: entry.resource } : { broken: entry.broken }),
    } as PolicyUpdate)
  }
  const settings = (node: string): NodeSettings => {
    const { failsafeInbound, failsafeOutbound, endpointToHostAction, dnsListen } = {
      ...configurations.get('default'),
      ...configurations.get(`node.${node}`),
    }
    return {
      ...(failsafeInbound === undefined ? {} : { failsafeInbound }),
      ...(failsafeOutbound === undefined ? {} : { failsafeOutbound }),
      ...(endpointToHostAction === undefined ? {} : { endpointToHostAction }),
      ...(dnsListen === undefined ? {} : { dnsListen }),
    }
  }
  return { entries, evaluator: { resources: updates, settings } }
}
