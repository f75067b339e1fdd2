/** Updates as tests write them: what a case doesn't say is what the model fills in. */
import type { HostEndpointSpec, Rule, WorkloadEndpointSpec } from '@network/datastore/model'
import type { AnyPolicySpec, PolicyUpdate } from '../../src/index.ts'

export interface Labelled {
  readonly labels?: Record<string, string>
}

export function workload(
  name: string,
  { labels = {}, ...spec }: Partial<WorkloadEndpointSpec> & Labelled = {},
): PolicyUpdate {
  return {
    kind: 'WorkloadEndpoint',
    name,
    resource: {
      metadata: { name, labels },
      spec: {
        node: 'here',
        orchestrator: 'cni',
        workload: name,
        endpoint: 'eth0',
        interfaceName: `drv${name}`,
        ipNetworks: [],
        profiles: [],
        ...spec,
      },
    },
  }
}

export function host(
  name: string,
  { labels = {}, ...spec }: Partial<HostEndpointSpec> & Labelled = {},
): PolicyUpdate {
  return {
    kind: 'HostEndpoint',
    name,
    resource: { metadata: { name, labels }, spec: { node: 'here', profiles: [], ...spec } },
  }
}

function metadataOf(path: string): { name: string; namespace?: string } {
  const [name = '', namespace] = path.split('/').reverse()
  return { name, ...(namespace === undefined ? {} : { namespace }) }
}

/** 'web' is a GlobalNetworkPolicy, 'prod/web' a NetworkPolicy. */
export function policy(path: string, spec: Partial<AnyPolicySpec> = {}): PolicyUpdate {
  const resource = { metadata: metadataOf(path), spec: { tier: 'default', selector: 'all()', ...spec } }
  return path.includes('/')
    ? { kind: 'NetworkPolicy', name: path, resource }
    : { kind: 'GlobalNetworkPolicy', name: path, resource }
}

/** 'bad' is a GlobalNetworkSet, 'prod/bad' a NetworkSet. */
export function networkSet(path: string, labels: Record<string, string>, nets: string[]): PolicyUpdate {
  const resource = { metadata: { ...metadataOf(path), labels }, spec: { nets } }
  return path.includes('/')
    ? { kind: 'NetworkSet', name: path, resource }
    : { kind: 'GlobalNetworkSet', name: path, resource }
}

export function profile(
  name: string,
  spec: { ingress?: Rule[]; egress?: Rule[]; labelsToApply?: Record<string, string> } = {},
): PolicyUpdate {
  return { kind: 'Profile', name, resource: { metadata: { name }, spec } }
}

export function tier(name: string, order?: number, defaultAction: 'Deny' | 'Pass' = 'Deny'): PolicyUpdate {
  const spec = { defaultAction, ...(order === undefined ? {} : { order }) }
  return { kind: 'Tier', name, resource: { metadata: { name }, spec } }
}

export function pool(name: string, cidr: string, natOutgoing = false): PolicyUpdate {
  return { kind: 'IPPool', name, resource: { metadata: { name }, spec: { cidr, natOutgoing } } }
}

/** The same thing gone. */
export function gone({ kind, name }: PolicyUpdate): PolicyUpdate {
  return { kind, name, resource: undefined } as PolicyUpdate
}

/** An allowed connection from what the selector means. */
export function from(selector: string): Rule {
  return { action: 'Allow', source: { selector } }
}

export const allow: Rule = { action: 'Allow' }
export const deny: Rule = { action: 'Deny' }
