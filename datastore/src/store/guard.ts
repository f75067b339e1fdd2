import { lockKey } from '../model/keys.ts'
import { type Condition, type Operation, type Store } from './store.ts'

/** What a transaction takes along so that the rules it was checked against still hold when it commits. */
export interface Guard {
  when: Condition[]
  then: Operation[]
}

/**
 * The guard that makes transactions follow one another whose rules look at the same resources: each rewrites the lock
 * key under the condition that it is as it was before the rules were checked. Take it before reading what they need.
 */
export async function takeLock(store: Store, name: string): Promise<Guard> {
  const key = lockKey(name)
  const held = await store.get(key)
  return {
    when: [held === undefined ? { key, is: 'absent' } : { key, is: 'at', modRevision: held.modRevision }],
    then: [{ put: key, value: '{}' }],
  }
}

/** Both. */
export function joinGuards(a: Guard, b: Guard): Guard {
  return { when: [...a.when, ...b.when], then: [...a.then, ...b.then] }
}

export const NO_GUARD: Guard = { when: [], then: [] }
