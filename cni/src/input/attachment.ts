/**
 * From everything that a runtime says to what the agent is asked for. Who says the same thing wins in this order: the
 * runtime for this container (annotations, then CNI_ARGS and capabilities), then the network configuration. Labels that
 * say who a workload is come last and can't be overridden: policy relies on them. Pure.
 */
import type { AttachRequest } from '@network/agent/client'
import { CniError, brief } from '../cni-error.ts'
import { readAnnotations } from './annotations.ts'
import type { CniArgs } from './args.ts'
import type { CniCall } from './call.ts'
import type { Configuration } from './configuration.ts'

export interface WorkloadIdentity {
  /** 'k8s', 'nomad', 'mesos', or 'cni' where the runtime does not tell. */
  readonly orchestrator: string
  readonly workload: string
  readonly endpoint: string
  /** Of the pod; undefined where there are none. */
  readonly namespace: string | undefined
  readonly labels: Readonly<Record<string, string>>
}

/** The name of the network configuration: GC knows by it what is whose. */
export const NETWORK_LABEL = 'drover.network/cni-network'

/** How much of a container's id tells it from another of the same name. */
const SHORT_ID = 12

/**
 * One endpoint for each (container id, interface), under a name that people know. Kubernetes is only what gives a
 * namespace and a name: podman gives a name alone.
 */
export function identityOf(call: CniCall, args: CniArgs, configuration: Configuration): WorkloadIdentity {
  const endpoint = `${call.ifname}-${call.containerId.slice(0, SHORT_ID)}`
  const { podName, podNamespace, nomad } = args
  if (podNamespace !== undefined && podName !== undefined) {
    return {
      orchestrator: 'k8s',
      workload: `${podNamespace}.${podName}`,
      endpoint,
      namespace: podNamespace,
      labels: labelsOf({ pod: podName, 'pod-uid': args.podUid }),
    }
  }
  if (Object.keys(nomad).length > 0) {
    const { namespace, job_id: job, group_name: group, region } = nomad
    return {
      orchestrator: 'nomad',
      workload: [job, group].filter((part) => part !== undefined).join('.') || call.containerId,
      endpoint,
      namespace,
      labels: labelsOf({ 'nomad-job': job, 'nomad-group': group, 'nomad-region': region }),
    }
  }
  if (configuration.isMesos) {
    return {
      orchestrator: 'mesos',
      workload: call.containerId,
      endpoint: call.ifname,
      namespace: undefined,
      labels: {},
    }
  }
  return podName === undefined
    ? {
        orchestrator: 'cni',
        workload: call.containerId,
        endpoint: call.ifname,
        namespace: undefined,
        labels: {},
      }
    : {
        orchestrator: 'cni',
        workload: podName,
        endpoint,
        namespace: undefined,
        labels: labelsOf({ container: podName }),
      }
}

function labelsOf(given: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) =>
      value === undefined ? [] : [[`drover.network/${name}`, value]],
    ),
  )
}

/** @throws CniError */
export function attachRequestOf(call: CniCall, args: CniArgs, configuration: Configuration): AttachRequest {
  const wishes = readAnnotations(configuration.annotations)
  const identity = identityOf(call, args, configuration)
  if (wishes.unassigned.length > 0 && !configuration.allowsUnassigned) {
    throw new CniError(
      'configuration',
      'The annotation ipAddrsNoIpam asks for addresses that nobody assigns, and this network does not allow it.',
      'Set "allowUnassignedAddresses": true in the network configuration, or use ipAddrs.',
    )
  }
  const fixed = firstGiven(wishes.addresses, wishes.unassigned, configuration.addresses, args.addresses)
  const ipv4Pools = wishes.ipv4Pools ?? configuration.ipv4Pools
  const ipv6Pools = wishes.ipv6Pools ?? configuration.ipv6Pools
  const mac = wishes.mac ?? configuration.mac ?? args.mac
  const profiles = wishes.profiles ?? configuration.profiles
  const reservation =
    wishes.reservation ?? (configuration.keepAddresses ? reservationOf(call, identity) : undefined)
  const labels = {
    ...free(configuration.labels, 'labels'),
    ...free(configuration.runtimeLabels, 'args'),
    ...free(wishes.labels, 'the annotation drover.network/labels'),
    ...identity.labels,
    [NETWORK_LABEL]: configuration.name,
  }
  return {
    netns: call.netns,
    containerId: call.containerId,
    interfaceName: call.ifname,
    orchestrator: identity.orchestrator,
    workload: identity.workload,
    endpoint: identity.endpoint,
    ...(identity.namespace === undefined ? {} : { namespace: identity.namespace }),
    ...(configuration.network === undefined ? {} : { network: configuration.network }),
    ...(ipv4Pools === undefined ? {} : { ipv4Pools: [...ipv4Pools] }),
    ...(ipv6Pools === undefined ? {} : { ipv6Pools: [...ipv6Pools] }),
    ...(configuration.families === undefined ? {} : { families: [...configuration.families] }),
    ...(fixed.length === 0 ? {} : { addresses: [...fixed] }),
    ...(wishes.unassigned.length === 0 ? {} : { assignedElsewhere: true }),
    ...(reservation === undefined ? {} : { reservation }),
    ...(mac === undefined ? {} : { mac }),
    ...(configuration.mtuBytes === undefined ? {} : { mtuBytes: configuration.mtuBytes }),
    ...(profiles === undefined ? {} : { profiles: [...profiles] }),
    labels,
    ...(configuration.portMappings.length === 0
      ? {}
      : { portMappings: configuration.portMappings.map((mapping) => ({ ...mapping })) }),
    ...(configuration.defaultRoute === undefined ? {} : { defaultRoute: configuration.defaultRoute }),
  }
}

/** Who a workload is is not for its annotations to say. */
function free(labels: Readonly<Record<string, string>>, place: string): Readonly<Record<string, string>> {
  const reserved = Object.keys(labels).find((key) => /^(drover\.network|projectcalico\.org)\//.test(key))
  if (reserved === undefined) return labels
  throw new CniError(
    'configuration',
    `${place} gives the label ${brief(reserved)}, which only the agent gives.`,
  )
}

function firstGiven(...lists: readonly (readonly string[])[]): readonly string[] {
  return lists.find((list) => list.length > 0) ?? []
}

/** The name under which a workload's addresses are kept: the same for its next container, on any node. */
function reservationOf(call: CniCall, identity: WorkloadIdentity): string {
  if (identity.workload === call.containerId) {
    throw new CniError(
      'configuration',
      'keepAddresses needs a name that outlives the container, and the runtime gave none.',
      'Leave keepAddresses out, or let the runtime tell K8S_POD_NAME.',
    )
  }
  return `${identity.orchestrator}.${identity.workload}.${call.ifname}`
}
