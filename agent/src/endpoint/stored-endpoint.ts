import { type ResourceOf, validateResource } from '@network/datastore/model'

/** A WorkloadEndpoint as the store has it; undefined if the value is none. */
export function readEndpoint(value: string): ResourceOf<'WorkloadEndpoint'> | undefined {
  try {
    const checked = validateResource(JSON.parse(value))
    return checked.ok && checked.value.kind === 'WorkloadEndpoint'
      ? (checked.value as ResourceOf<'WorkloadEndpoint'>)
      : undefined
  } catch {
    return undefined
  }
}
