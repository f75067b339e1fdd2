import { describeReference, type ResourceChange, ResourceError, type Resources } from '@network/datastore'
import { type KindName, kindDefinition, type ResourceOf } from '@network/datastore/model'

/** Rounds until somebody who keeps changing the same resource wins; each round one of the contenders gets through. */
const ROUNDS = 100

/**
 * Changes one resource by compare-and-swap: what somebody else writes between our reading and our writing is read again
 * and the change made anew from it. `change` answers the new resource; it is called once a round with what is stored.
 * @throws ResourceError not-found, conflict, and what Resources throws
 */
export async function updateResource<K extends KindName>(
  resources: Resources,
  kind: K,
  name: string,
  change: (stored: ResourceOf<K>, round: number) => ResourceOf<K>,
): Promise<ResourceChange> {
  for (let round = 0; ; round++) {
    const stored = await resources.get(kind, name)
    if (stored === undefined) throw notFound(kind, name)
    try {
      const [done] = await resources.replace([change(stored, round)])
      if (done !== undefined) return done
    } catch (error) {
      if (!(error instanceof ResourceError) || error.code !== 'conflict' || round >= ROUNDS) throw error
    }
  }
}

export function notFound(kind: KindName, name: string, namespace?: string): ResourceError {
  const reference = { kind, name, ...(namespace === undefined ? {} : { namespace }) }
  return new ResourceError('not-found', `There is no ${describeReference(reference)}.`, {
    reference,
    remedy: `'drover get ${kindDefinition(kind).plural}' lists those that exist.`,
  })
}
