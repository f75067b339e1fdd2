import { DroverError, type Family, parseInterfaceAddress, addressEquals } from '@network/net'
import type { ResourceOf } from '@network/datastore/model'

export type Node = ResourceOf<'Node'>

/** Interface addresses as found on the machine: '192.0.2.10/24'. */
export type DetectedAddresses = Readonly<Partial<Record<Family, string>>>

const FIELDS = { ipv4: 'ipv4Address', ipv6: 'ipv6Address' } as const

/** Where the agent notes what it wrote itself: an address that differs from its note was edited by a person and stays. */
const NOTES = {
  ipv4: 'drover.network/detected-ipv4-address',
  ipv6: 'drover.network/detected-ipv6-address',
} as const

/**
 * The Node as this agent registers it: what people wrote stays, addresses that the agent itself had found follow the
 * machine. A family that is no longer found keeps its address, since a cable may come back.
 * @returns the very same node if nothing changes
 */
export function registeredNode(
  present: Node | undefined,
  facts: { name: string; detected: DetectedAddresses; uid: string; createdAt: number },
): Node {
  const annotations: Record<string, string> = { ...present?.metadata.annotations }
  const bgp: Record<string, unknown> = { ...present?.spec.bgp }
  let changed = present === undefined
  for (const family of ['ipv4', 'ipv6'] as const) {
    const found = facts.detected[family]
    const stands = bgp[FIELDS[family]]
    if (found === undefined) continue
    const edited = stands !== undefined && stands !== annotations[NOTES[family]]
    if (edited || (stands === found && annotations[NOTES[family]] === found)) continue
    bgp[FIELDS[family]] = found
    annotations[NOTES[family]] = found
    changed = true
  }
  if (present !== undefined && !changed) return present
  return {
    apiVersion: 'drover.network/v1',
    kind: 'Node',
    metadata: {
      ...(present?.metadata ?? {
        name: facts.name,
        uid: facts.uid,
        creationTimestamp: new Date(facts.createdAt).toISOString(),
      }),
      annotations,
    },
    spec: { ...present?.spec, bgp },
  }
}

/** Another node that has an address of this one; undefined if none has. */
export function addressConflict(node: Node, others: readonly Node[]): DroverError | undefined {
  for (const family of ['ipv4', 'ipv6'] as const) {
    const own = node.spec.bgp?.[FIELDS[family]]
    if (own === undefined) continue
    const twin = others.find(
      (other) =>
        other.metadata.name !== node.metadata.name && sameAddress(own, other.spec.bgp?.[FIELDS[family]]),
    )
    if (twin === undefined) continue
    return new DroverError(
      'address-claimed',
      `The address ${own.slice(0, own.indexOf('/'))} of this node is registered by the node ${twin.metadata.name}.`,
      {
        remedy: `Choose another address (--${family}-address-method), or, if ${twin.metadata.name} is no more: drover delete node ${twin.metadata.name}`,
        details: { address: own, node: twin.metadata.name },
      },
    )
  }
  return undefined
}

function sameAddress(a: string, b: string | undefined): boolean {
  if (b === undefined) return false
  const [first, second] = [parseInterfaceAddress(a), parseInterfaceAddress(b)]
  return first.ok && second.ok && addressEquals(first.value.address, second.value.address)
}
