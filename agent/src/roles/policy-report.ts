import { resourceKey, parseEndpointName } from '@network/datastore/model'
import { DroverError } from '@network/net'
import type { PolicyReport, PolicyRuleCount } from '../client/messages.ts'
import type { PolicyControl } from './policy-control.ts'

/**
 * What the kernel counted for rules, and what is wrong.
 * @param endpoint name of a WorkloadEndpoint or HostEndpoint of this node; absent: everything that is active
 * @throws DroverError 'not-found', 'not-ready'
 */
export async function policyReport(
  policy: PolicyControl,
  endpoint: string | undefined,
): Promise<PolicyReport> {
  const { backend } = policy
  if (backend === undefined) {
    throw new DroverError('not-ready', 'The agent has not found out yet which iptables is in use.', {
      remedy: 'Try again in a moment.',
    })
  }
  const bearing = endpoint === undefined ? undefined : bearingOn(policy, endpoint)
  const rules = new Map<string, PolicyRuleCount>()
  for (const { origin, counts, packets, bytes } of await policy.counters()) {
    if (origin === undefined || !counts) continue
    const { kind, id, direction, position } = origin
    const bears = kind === 'policy' ? bearing?.policies.has(id) : bearing?.profiles.has(id)
    if (bears === false) continue
    const key = [kind, id, direction, position].join(' ')
    const known = rules.get(key)
    if (known !== undefined) {
      known.packets += packets
      known.bytes += bytes
      continue
    }
    rules.set(key, {
      ...(kind === 'policy' ? { policy: id } : { profile: id }),
      direction: direction === 'inbound' ? 'ingress' : 'egress',
      ...{ position, packets, bytes },
    })
  }
  return {
    iptables: backend,
    rules: [...rules.values()],
    faults: policy
      .faults()
      .map(({ message, remedy }) => ({ message, ...(remedy === undefined ? {} : { remedy }) })),
    problems: [...policy.problems()],
  }
}

function bearingOn(policy: PolicyControl, name: string): ReturnType<PolicyControl['bearingOn']> {
  const found =
    (parseEndpointName(name) === undefined
      ? undefined
      : policy.bearingOn(resourceKey({ kind: 'WorkloadEndpoint', name }))) ?? policy.bearingOn(name)
  if (found !== undefined) return found
  throw new DroverError('not-found', `No endpoint of this node is named '${name}'.`, {
    remedy: "'drover get endpoints' and 'drover get hostendpoints' list them with their nodes.",
  })
}
