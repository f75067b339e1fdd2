/**
 * `drover-ipam`: addresses for interfaces that another plugin makes. They are held as an attach holds them, by the same
 * handle and beside an endpoint, so that policy, audit and people know whose they are; only the interface is not ours.
 */
import { hostPrefixText } from '@network/net'
import { stat } from 'node:fs/promises'
import type { AttachRequest } from '@network/agent/client'
import type { Assignment } from '@network/datastore'
import {
  type Resource,
  type ResourceOf,
  endpointKey,
  endpointName,
  validateResource,
} from '@network/datastore/model'
import { CniError } from '../cni-error.ts'
import { readArgs } from '../input/args.ts'
import { attachRequestOf } from '../input/attachment.ts'
import { type CniCall } from '../input/call.ts'
import { readConfiguration } from '../input/configuration.ts'
import { attachmentName } from '../promises.ts'
import type { CniResult } from '../result/result.ts'
import { formatResult } from '../result/versions.ts'
import { del } from './del.ts'
import { gatewayOf, releaseGateways } from './gateways.ts'
import type { Operation, OperationModules } from './operations.ts'
import { namedPools } from './pools.ts'
import { keepPromise } from './promised.ts'

const everything = { ipv4: '0.0.0.0/0', ipv6: '::/0' } as const

/** ADD of an IPAM plugin: addresses with the length of their block, so that a plugin like ptp makes a route of it. */
export const assign: Operation = (modules, call) => {
  const configuration = readConfiguration(call.stdin, 'ipam')
  const request = attachRequestOf(call, readArgs(call.args), configuration)
  return modules.turns.take(attachmentName(call), async () => {
    await keepPromise(modules, call)
    await requireReady(modules)
    const pools = namedPools(modules.services.model(), configuration)
    const assignment = await assigned(
      modules,
      call,
      request,
      pools?.map(({ metadata }) => metadata.name),
    )
    const gateways = await Promise.all(assignment.addresses.map(({ block }) => gatewayOf(modules, block)))
    return formatResult(resultOf(assignment, gateways, configuration.dns), configuration.cniVersion)
  })
}

async function requireReady({ services }: OperationModules): Promise<void> {
  const { ok, checks } = await services.agent.ready()
  if (ok) return
  const reasons = checks.filter((each) => !each.ok).map(({ reason }) => reason)
  throw new CniError('tryAgainLater', `The agent is not ready: ${reasons.join(' ')}`)
}

async function assigned(
  { services }: OperationModules,
  call: CniCall,
  request: AttachRequest,
  pools: readonly string[] | undefined,
): Promise<Assignment> {
  const handle = services.handleOf(call.containerId, call.ifname)
  const identity = {
    node: services.node,
    orchestrator: request.orchestrator,
    workload: request.workload,
    endpoint: request.endpoint,
  }
  const namespace = `net:[${String(await namespaceInode(call.netns))}]`
  const resourceFor = (addresses: readonly string[]): Resource => {
    const checked = validateResource({
      apiVersion: 'drover.network/v1',
      kind: 'WorkloadEndpoint',
      metadata: {
        name: endpointName(identity),
        labels: request.labels,
        annotations: { 'drover.network/namespace': namespace },
      },
      spec: {
        ...identity,
        ...(request.namespace === undefined ? {} : { namespace: request.namespace }),
        containerID: call.containerId,
        containerInterface: call.ifname,
        netns: call.netns,
        handle,
        ipNetworks: addresses.map(hostPrefixText),
        profiles: request.profiles ?? (request.network === undefined ? [] : [request.network]),
      },
    })
    if (checked.ok) return checked.value
    throw new CniError('configuration', checked.error.map(({ message }) => message).join('; '))
  }
  resourceFor([])
  const key = endpointKey(identity)
  const fixed = request.addresses ?? []
  const wanted = request.families ?? familiesOf(services.model().list('IPPool'), pools)
  const count = (family: 'ipv4' | 'ipv6'): number =>
    wanted.includes(family) || fixed.some((address) => address.includes(':') === (family === 'ipv6')) ? 1 : 0
  return services.allocator().assign({
    handle,
    owner: identity,
    ipv4: count('ipv4'),
    ipv6: count('ipv6'),
    ...(fixed.length === 0 ? {} : { addresses: fixed }),
    ...(pools === undefined ? {} : { pools }),
    ...(request.reservation === undefined ? {} : { reservation: request.reservation }),
    alongside: ({ addresses }) => ({
      when: [{ key, is: 'absent' }],
      then: [{ put: key, value: JSON.stringify(resourceFor(addresses.map(({ address }) => address))) }],
    }),
  })
}

function familiesOf(
  pools: readonly ResourceOf<'IPPool'>[],
  named: readonly string[] | undefined,
): readonly ('ipv4' | 'ipv6')[] {
  const usable = pools.filter(({ metadata, spec }) =>
    named === undefined
      ? !spec.disabled && spec.assignmentMode === 'Automatic'
      : named.includes(metadata.name),
  )
  return (['ipv4', 'ipv6'] as const).filter((family) =>
    usable.some(({ spec }) => spec.cidr.includes(':') === (family === 'ipv6')),
  )
}

async function namespaceInode(netns: string): Promise<number> {
  try {
    return (await stat(netns)).ino
  } catch {
    throw new CniError('unknownContainer', `There is no network namespace at ${netns}.`)
  }
}

function resultOf({ addresses }: Assignment, gateways: readonly string[], dns: CniResult['dns']): CniResult {
  return {
    interfaces: [],
    ips: addresses.map(({ address, block }, index) => {
      const gateway = gateways[index]
      return {
        address: `${address}${block.slice(block.indexOf('/'))}`,
        ...(gateway === undefined ? {} : { gateway }),
      }
    }),
    routes: addresses.map(({ family }) => ({ dst: everything[family] })),
    dns,
  }
}

/** DEL of an IPAM plugin: a gateway that nobody needs any more goes with the last address. */
export const unassign: Operation = async (modules, call) => {
  const answer = await del(modules, call)
  await releaseGateways(modules).catch((error: unknown) => {
    modules.services.log.warn({ error: String(error) }, 'gateways are looked at again after the next DEL')
  })
  return answer
}

/** CHECK of an IPAM plugin: the addresses are still held. */
export const checkAssigned: Operation = async ({ services }, call) => {
  readConfiguration(call.stdin, 'ipam')
  const held = await services.allocator().get(services.handleOf(call.containerId, call.ifname))
  if (held !== undefined) return ''
  throw new CniError(
    'different',
    `No address is held for the interface ${call.ifname} of container ${call.containerId}.`,
  )
}
