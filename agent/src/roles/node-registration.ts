import type { Clock, DroverError } from '@network/net'
import { type KeyValue, type Store } from '@network/datastore'
import { lockKey, resourceKey, resourcePrefix, validateResource } from '@network/datastore/model'
import {
  type DetectedAddresses,
  type Node,
  addressConflict,
  registeredNode,
} from '../managers/node-resource.ts'

export interface RegistrationModules {
  store: Store
  clock: Clock
  random: () => number
  uuid: () => string
}

const FIRST_PAUSE_MS = 20
const LAST_PAUSE_MS = 1_000

/**
 * Writes this node's Node, unless it stands there as it should. All registrations go through one lock key, so that
 * of two nodes with the same address one sees the other, however they race.
 * @throws DroverError 'address-claimed'; StoreError
 */
export async function registerNode(
  modules: RegistrationModules,
  options: { node: string; detected: DetectedAddresses },
): Promise<Node> {
  const { store, clock } = modules
  const key = resourceKey({ kind: 'Node', name: options.node })
  const lock = lockKey('node-addresses')
  const uid = modules.uuid()
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)) {
    const held = await store.get(lock)
    const { items } = await store.list(resourcePrefix('Node'))
    const nodes = items.flatMap((item) => readNode(item) ?? [])
    const stands = items.find((item) => item.key === key)
    const present = stands === undefined ? undefined : readNode(stands)
    const node = registeredNode(present, {
      name: options.node,
      detected: options.detected,
      uid,
      createdAt: clock.now(),
    })
    const conflict: DroverError | undefined = addressConflict(node, nodes)
    if (conflict !== undefined) throw conflict
    if (present !== undefined && node === present) return node
    const done = await store.transact({
      when: [
        held === undefined
          ? { key: lock, is: 'absent' }
          : { key: lock, is: 'at', modRevision: held.modRevision },
        stands === undefined ? { key, is: 'absent' } : { key, is: 'at', modRevision: stands.modRevision },
      ],
      then: [
        { put: key, value: JSON.stringify(node) },
        { put: lock, value: options.node },
      ],
    })
    if (done.committed) return node
    await new Promise<void>((resolve) => {
      clock.setTimeout(resolve, pauseMs * (0.5 + modules.random()))
    })
  }
}

function readNode({ value }: KeyValue): Node | undefined {
  try {
    const checked = validateResource(JSON.parse(value))
    return checked.ok && checked.value.kind === 'Node' ? (checked.value as Node) : undefined
  } catch {
    return undefined
  }
}
