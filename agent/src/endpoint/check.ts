/**
 * Whether an attached interface is still as it was made: both ends and the workload's namespace, the host's routes to
 * it, its rules, and the addresses that are allocated to it. Looks only; what drifted is upkeep's to put right.
 */
import type { Allocator } from '@network/datastore'
import type { CheckRequest, CheckResult } from '../client/messages.ts'
import type { Exec } from '../exec.ts'
import type { Backend } from '../drivers/iptables/programs.ts'
import type { Deadline } from './deadline.ts'
import { ASSIGNED_ELSEWHERE_ANNOTATION, NAMESPACE_ANNOTATION, handlesOf } from './endpoint-resource.ts'
import { handleOf } from './handle.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { Endpoint, LocalEndpoints } from './local-endpoints.ts'
import { openNamespace } from './netns.ts'
import { lockName } from './releases.ts'
import { ruleDifferences } from './rule-differences.ts'
import type { Wire, WireDifference } from './wire.ts'
import { wireSpec } from './workload-wire.ts'

export interface CheckModules {
  wire: Wire
  endpoints: LocalEndpoints
  allocator: Pick<Allocator, 'get'>
  exec: Pick<Exec, 'run'>
  locks: KeyedLock
  /** The iptables that holds policy; undefined until it is chosen. */
  backend: () => Backend | undefined
  createDeadline: (operation: string, ms: number) => Deadline
}

export function createCheck(
  modules: CheckModules,
  options: { node: string; deadlineMs: () => number },
): (request: CheckRequest) => Promise<CheckResult> {
  const { wire, endpoints, allocator, exec } = modules

  const look = async (request: CheckRequest, handle: string): Promise<CheckResult> => {
    const local =
      endpoints.byHandle(handle) ??
      endpoints
        .byContainer(request.containerId)
        .find(({ endpoint }) => endpoint.spec.containerInterface === request.interfaceName)
    if (local === undefined)
      return { endpoint: undefined, hostInterface: undefined, addresses: [], differences: [] }
    const { endpoint } = local
    const { spec } = endpoint
    const namespace = await namespaceDifferences(endpoint, request.netns)
    const backend = modules.backend()
    const [ofWire, ofHost, ofRules, ofAddresses] = await Promise.all([
      namespace.length > 0
        ? []
        : wire.inspect({ ...wireSpec(endpoint), netns: request.netns ?? spec.netns ?? '' }),
      routeDifferences(exec, endpoint),
      backend === undefined || spec.interfaceName === undefined
        ? []
        : ruleDifferences(exec, backend, spec.interfaceName),
      addressDifferences(allocator, endpoint),
    ])
    return {
      endpoint: `${spec.orchestrator}/${spec.workload}/${spec.endpoint}`,
      hostInterface: spec.interfaceName,
      addresses: [...spec.ipNetworks],
      differences: [...namespace, ...ofWire, ...ofHost, ...ofRules, ...ofAddresses].map((difference) => ({
        ...difference,
      })),
    }
  }

  return (request) => {
    const deadline = modules.createDeadline(
      `check of ${request.containerId} ${request.interfaceName}`,
      request.deadlineMs ?? options.deadlineMs(),
    )
    const handle = handleOf(request.containerId, request.interfaceName, options.node)
    return modules.locks.run(lockName(request), deadline, () =>
      deadline.within(look(request, handle), 'the interface was being looked at'),
    )
  }
}

async function namespaceDifferences(
  endpoint: Endpoint,
  netns: string | undefined,
): Promise<WireDifference[]> {
  const expected = endpoint.metadata.annotations?.[NAMESPACE_ANNOTATION] ?? ''
  const path = netns ?? endpoint.spec.netns ?? ''
  let actual: string
  try {
    const namespace = await openNamespace(path)
    await namespace.close()
    actual = namespace.id
  } catch (error) {
    actual = (error as Error).message
  }
  return actual === expected ? [] : [{ field: `container.namespace ${path}`, expected, actual }]
}

/** One route to each address, by the host's end and nothing else. */
async function routeDifferences(exec: Pick<Exec, 'run'>, { spec }: Endpoint): Promise<WireDifference[]> {
  const found = await Promise.all(
    spec.ipNetworks.map(async (destination) => {
      const family = destination.includes(':') ? '-6' : '-4'
      const shown = await exec.run('ip', ['-j', family, 'route', 'show', 'exact', destination])
      return { destination, devices: shown.exitCode === 0 ? devicesIn(shown.stdout) : [] }
    }),
  )
  const expected = `dev ${spec.interfaceName ?? ''}`
  return found
    .map(({ destination, devices }) => ({
      field: `host.route ${destination}`,
      expected,
      actual: devices.length === 0 ? 'absent' : devices.map((device) => `dev ${device}`).join(', '),
    }))
    .filter(({ actual }) => actual !== expected)
}

function devicesIn(output: string): string[] {
  const routes = JSON.parse(output === '' ? '[]' : output) as { dev?: unknown; type?: unknown }[]
  return routes.map(({ dev, type }) =>
    typeof dev === 'string' ? dev : `none (${typeof type === 'string' ? type : 'no device'})`,
  )
}

/** An endpoint whose addresses somebody else assigns has no handle, and nothing to compare with. */
async function addressDifferences(
  allocator: Pick<Allocator, 'get'>,
  endpoint: Endpoint,
): Promise<WireDifference[]> {
  const { metadata, spec } = endpoint
  if (metadata.annotations?.[ASSIGNED_ELSEWHERE_ANNOTATION] !== undefined) return []
  const handles = handlesOf(endpoint)
  const assignments = await Promise.all(handles.map((handle) => allocator.get(handle)))
  const held = new Set(
    assignments.flatMap((assignment) => assignment?.addresses.map(({ address }) => address) ?? []),
  )
  return spec.ipNetworks
    .filter((network) => !held.has(network.slice(0, network.indexOf('/'))))
    .map((network) => ({
      field: `allocation ${network}`,
      expected: `held by ${handles.join(' or ')}`,
      actual: 'not held',
    }))
}
