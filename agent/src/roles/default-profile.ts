import type { Store } from '@network/datastore'
import { lockKey, resourceKey, validateResource } from '@network/datastore/model'
import { DEFAULT_PROFILE } from '../endpoint/attach-plan.ts'

/**
 * Makes the Profile `default`, which lets everything through, once in the life of a cluster. A key of its own remembers
 * that: who changes the profile, or deletes it so that workloads without a profile are denied, is not overruled.
 */
export async function makeDefaultProfile(
  modules: { store: Store; uuid: () => string },
  options: { createdAt: number; node: string },
): Promise<void> {
  const { store } = modules
  const made = lockKey('default-profile')
  if ((await store.get(made)) !== undefined) return
  const profile = validateResource({
    apiVersion: 'drover.network/v1',
    kind: 'Profile',
    metadata: {
      name: DEFAULT_PROFILE,
      uid: modules.uuid(),
      creationTimestamp: new Date(options.createdAt).toISOString(),
    },
    spec: { ingress: [{ action: 'Allow' }], egress: [{ action: 'Allow' }] },
  })
  if (!profile.ok) throw new TypeError('the default profile is not valid')
  const key = resourceKey({ kind: 'Profile', name: DEFAULT_PROFILE })
  const done = await store.transact({
    when: [
      { key: made, is: 'absent' },
      { key, is: 'absent' },
    ],
    then: [
      { put: key, value: JSON.stringify(profile.value) },
      { put: made, value: options.node },
    ],
  })
  if (done.committed) return
  // Somebody's own profile of that name stands.
  await store.transact({ when: [{ key: made, is: 'absent' }], then: [{ put: made, value: options.node }] })
}
