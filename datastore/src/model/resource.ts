import { type KindName, type SpecOf } from './kinds/index.ts'
import { type Metadata } from './metadata.ts'

/** The version that is stored and printed. */
export const API_VERSION = 'drover.network/v1'

/** Accepted on input; see calico.ts for what is translated. */
export const CALICO_API_VERSION = 'projectcalico.org/v3'

/** What the store holds under a resource key, less `resourceVersion`, which is the key's own revision. */
export interface Resource<Spec = unknown, Status = unknown> {
  apiVersion: typeof API_VERSION
  kind: KindName
  metadata: Metadata
  spec: Spec
  status?: Status
}

/** A resource of one kind, after validation. */
export type ResourceOf<K extends KindName> = Resource<SpecOf<K>> & { kind: K }
