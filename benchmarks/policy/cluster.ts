/**
 * The cluster that the figures of policy are about: 250 workloads on this node, each with a profile of its own and five
 * policies, among 10,000 endpoints and 1,000 policies. Two hundred applications have five policies each, and this node
 * has workloads of all of them, so every policy is in its kernel.
 */
import {
  API_VERSION,
  endpointKey,
  type KindName,
  type Resource,
  validateResource,
} from '@network/datastore/model'
import type { PolicyUpdate } from '@network/policy'

export const here = 'here'
export const localWorkloads = 250
export const applications = 200
const policiesEach = 5
const remoteNodes = 40

export interface ClusterSize {
  readonly endpoints: number
  readonly policies: number
}

export const fullCluster: ClusterSize = { endpoints: 10_000, policies: applications * policiesEach }

export function appOf(number: number): string {
  return `app-${String(number % applications)}`
}

function resource(kind: KindName, metadata: object, spec: object): Resource {
  const checked = validateResource({ apiVersion: API_VERSION, kind, metadata, spec })
  if (!checked.ok) throw new Error(checked.error.map(({ message }) => message).join(' '))
  return checked.value
}

export function identityOf(number: number): {
  node: string
  orchestrator: string
  workload: string
  endpoint: string
} {
  const node = number < localWorkloads ? here : `far${String(number % remoteNodes)}`
  return { node, orchestrator: 'bench', workload: `w${String(number)}`, endpoint: 'eth0' }
}

/** What the model says of one workload; the first `localWorkloads` are of this node. */
export function endpoint(number: number, labels: Readonly<Record<string, string>> = {}): Resource {
  const [high, low] = [String(number >> 8), String(number & 255)]
  return resource(
    'WorkloadEndpoint',
    { labels: { app: appOf(number), tier: number % 2 === 0 ? 'front' : 'back', ...labels } },
    {
      ...identityOf(number),
      interfaceName: `drv${String(number)}`,
      ipNetworks: [`10.100.${high}.${low}/32`, `fd65::${high}:${low}/128`],
      profiles: number < localWorkloads ? [profileName(number)] : [],
      ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    },
  )
}

export function profileName(number: number): string {
  return `profile-${String(number)}`
}

export function profile(number: number): Resource {
  return resource(
    'Profile',
    { name: profileName(number) },
    {
      ingress: [{ action: 'Allow', source: { selector: `app == '${appOf(number)}'` } }],
      egress: [{ action: 'Allow' }],
    },
  )
}

/** Three rules inbound, one of them by networks, and two outbound. */
export function policy(number: number): Resource {
  const of = (step: number): string => `app == '${appOf(number + step)}'`
  const front = `${of(1)} && tier == 'front'`
  return resource(
    'GlobalNetworkPolicy',
    { name: `policy-${String(number)}` },
    {
      order: number,
      selector: of(0),
      types: ['Ingress', 'Egress'],
      ingress: [
        { action: 'Allow', protocol: 'TCP', source: { selector: front }, destination: { ports: [80, 443] } },
        { action: 'Allow', protocol: 'TCP', source: { selector: of(2) }, destination: { ports: ['http'] } },
        {
          action: 'Deny',
          source: { nets: [`172.16.${String(number % 256)}.0/24`, `fd99:${String(number % 256)}::/64`] },
        },
      ],
      egress: [
        { action: 'Allow', protocol: 'UDP', destination: { ports: [53] } },
        { action: 'Pass', protocol: 'TCP', destination: { selector: of(3) } },
      ],
    },
  )
}

/** Everything of the cluster that bears on policy. */
export function clusterResources({ endpoints, policies }: ClusterSize): Resource[] {
  const list = <T>(count: number, make: (number: number) => T): T[] =>
    Array.from({ length: count }, (_, n) => make(n))
  return [
    ...list(localWorkloads, profile),
    ...list(endpoints, (number) => endpoint(number)),
    ...list(policies, policy),
  ]
}

export function updateOf(made: Resource, number?: number): PolicyUpdate {
  const name =
    made.kind === 'WorkloadEndpoint' && number !== undefined
      ? endpointKey(identityOf(number))
      : made.metadata.name
  return { kind: made.kind, name, resource: made } as PolicyUpdate
}

/** The same as changes of the model. */
export function clusterUpdates(size: ClusterSize): PolicyUpdate[] {
  let endpoints = 0
  return clusterResources(size).map((made) =>
    made.kind === 'WorkloadEndpoint' ? updateOf(made, endpoints++) : updateOf(made),
  )
}
