import type { AgentSettings, EndpointPort, KindName, Rule } from '@network/datastore/model'
import type { PolicyKind } from '@network/policy'
import { type ActorName, thisNode, uplink } from './actors.ts'

/** What of a workload is a case's; the rest is the same in all of them. */
export interface Traits {
  /** Besides `name`, which is the actor's. */
  readonly labels?: Readonly<Record<string, string>>
  /** Default: `open`, which allows everything. */
  readonly profiles?: readonly string[]
  readonly namespace?: string
  readonly serviceAccount?: string
  readonly ports?: readonly EndpointPort[]
  readonly allowSpoofedSourcePrefixes?: readonly string[]
  readonly portMappings?: readonly {
    readonly protocol: 'TCP' | 'UDP' | 'SCTP'
    readonly hostPort: number
    readonly port: number
    readonly hostIP?: string
  }[]
}

export interface Draft {
  readonly kind: Exclude<KindName, 'WorkloadEndpoint'>
  readonly name: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly spec: Readonly<Record<string, unknown>>
}

/** Settings of the agent that bear on policy, as AgentConfiguration has them. */
export type Settings = Partial<
  Pick<
    AgentSettings,
    | 'failsafeInbound'
    | 'failsafeOutbound'
    | 'endpointToHostAction'
    | 'dnsListen'
    | 'natPortRange'
    | 'natOutgoingAddress'
    | 'denyLogGroup'
  >
>

/** A state of the cluster. */
export interface State {
  readonly workloads?: Readonly<Partial<Record<ActorName, Traits | 'gone'>>>
  readonly resources?: readonly Draft[]
  /** Values of the store that are no resources of their kind. */
  readonly broken?: readonly { readonly kind: PolicyKind; readonly name: string; readonly value: unknown }[]
  readonly settings?: Settings
}

/** What must be so in a state: lines of probe.ts. */
export interface Expectation {
  readonly allowed?: readonly string[]
  readonly denied?: readonly string[]
  /** Of connections that earlier states opened, or of none: what tracking lets through or drops before any policy. */
  readonly tracked?: { readonly allowed?: readonly string[]; readonly denied?: readonly string[] }
}

/**
 * A case: a state, who reaches whom in it, and what becomes of that in the states that follow, which begin with the
 * connections that the state before has left.
 */
export interface Case extends State, Expectation {
  readonly name: string
  /** Each replaces the whole state; one that says `tracked` alone looks again, at the connections of before. */
  readonly then?: readonly Phase[]
}

export type Phase = State & Expectation

/** The states of a case one after the other, each whole. */
export function phasesOf(given: Case): readonly Phase[] {
  let last: State = given
  return [given, ...(given.then ?? [])].map((phase) => {
    const looksAgain = Object.keys(phase).every((key) => key === 'tracked')
    if (!looksAgain) last = phase
    const { workloads, resources, broken, settings } = last
    return {
      ...(workloads === undefined ? {} : { workloads }),
      ...(resources === undefined ? {} : { resources }),
      ...(broken === undefined ? {} : { broken }),
      ...(settings === undefined ? {} : { settings }),
      ...(phase.allowed === undefined ? {} : { allowed: phase.allowed }),
      ...(phase.denied === undefined ? {} : { denied: phase.denied }),
      ...(phase.tracked === undefined ? {} : { tracked: phase.tracked }),
    }
  })
}

export interface Topic {
  readonly topic: string
  readonly cases: readonly Case[]
}

/** A GlobalNetworkPolicy. */
export function policy(name: string, spec: Readonly<Record<string, unknown>>): Draft {
  return { kind: 'GlobalNetworkPolicy', name, spec }
}

/** The one policy of a case: it judges what comes to the actor `web`. */
export function intoWeb(...ingress: readonly Rule[]): Draft {
  return policy('p', { selector: named('web'), ingress })
}

/** The same for what `web` sends. */
export function outOfWeb(...egress: readonly Rule[]): Draft {
  return policy('p', { selector: named('web'), egress })
}

export function tier(name: string, order?: number, defaultAction?: 'Deny' | 'Pass'): Draft {
  return {
    kind: 'Tier',
    name,
    spec: {
      ...(order === undefined ? {} : { order }),
      ...(defaultAction === undefined ? {} : { defaultAction }),
    },
  }
}

export function profile(
  name: string,
  rules: { ingress?: readonly Rule[]; egress?: readonly Rule[]; labelsToApply?: Record<string, string> },
): Draft {
  return { kind: 'Profile', name, spec: rules }
}

/** A NetworkPolicy. */
export function namespaced(namespace: string, name: string, spec: Readonly<Record<string, unknown>>): Draft {
  return { kind: 'NetworkPolicy', namespace, name, spec }
}

/** A GlobalNetworkSet. */
export function networkSet(
  name: string,
  labels: Readonly<Record<string, string>>,
  nets: readonly string[],
): Draft {
  return { kind: 'GlobalNetworkSet', name, labels, spec: { nets } }
}

/** Rules without conditions. */
export const allow: Rule = { action: 'Allow' }
export const deny: Rule = { action: 'Deny' }
export const pass: Rule = { action: 'Pass' }

/** A selector of one actor by its name. */
export function named(...names: readonly ActorName[]): string {
  return names.length === 1
    ? `name == '${String(names[0])}'`
    : `name in {${names.map((n) => `'${n}'`).join(', ')}}`
}

/** A rule for what comes from these actors. */
export function from(action: Rule['action'], ...names: readonly ActorName[]): Rule {
  return { action, source: { selector: named(...names) } }
}

/** A rule for what goes to these actors. */
export function to(action: Rule['action'], ...names: readonly ActorName[]): Rule {
  return { action, destination: { selector: named(...names) } }
}

/** A rule for ports of TCP at the destination. */
export function tcp(action: Rule['action'], ...ports: readonly (number | string)[]): Rule {
  return { action, protocol: 'TCP', destination: { ports: [...ports] } }
}

/** A HostEndpoint of this node's uplink, with the label `host`. */
export function hostEndpoint(spec: Readonly<Record<string, unknown>> = {}, name = 'uplink'): Draft {
  return {
    kind: 'HostEndpoint',
    name,
    labels: { host: 'yes' },
    spec: { node: thisNode, interfaceName: uplink, ...spec },
  }
}
