import { resourcePrefix } from '../model/keys.ts'
import { type ResourceOf } from '../model/resource.ts'
import { listAll } from './pool-rules.ts'
import { type Store } from './store.ts'

/**
 * What a person should know who deletes profiles that endpoints name, by the profile's name: a profile that nobody
 * defines denies. It is told and not refused, because deleting a profile to shut its endpoints off is a fair wish.
 */
export async function profilesInUse(
  store: Store,
  profiles: readonly ResourceOf<'Profile'>[],
): Promise<ReadonlyMap<string, string>> {
  const users = new Map(profiles.map(({ metadata }) => [metadata.name, { count: 0, first: '' }]))
  if (users.size === 0) return new Map()
  for (const kind of ['WorkloadEndpoint', 'HostEndpoint'] as const) {
    const prefix = resourcePrefix(kind)
    for (const { key, value } of (await listAll(store, prefix)).items) {
      for (const name of storedProfiles(value)) {
        const use = users.get(name)
        if (use === undefined) continue
        if (use.count++ === 0) use.first = `${kind} ${key.slice(prefix.length)}`
      }
    }
  }
  return new Map(
    [...users]
      .filter(([, { count }]) => count > 0)
      .map(([name, { count, first }]) => [
        name,
        count === 1
          ? `${first} names it: what no policy decides there is dropped once it is gone`
          : `${String(count)} endpoints name it, among them ${first}: what no policy decides there is dropped once it is gone`,
      ]),
  )
}

function storedProfiles(value: string): string[] {
  try {
    const stored = JSON.parse(value) as { spec?: { profiles?: unknown } } | null
    const profiles = stored?.spec?.profiles
    return Array.isArray(profiles) ? profiles.filter((name) => typeof name === 'string') : []
  } catch {
    return []
  }
}
