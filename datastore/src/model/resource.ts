import { type KindName } from './kinds/index.ts'

/** The version that is stored and printed. */
export const API_VERSION = 'drover.network/v1'

/** Accepted on input; see calico.ts for what is translated. */
export const CALICO_API_VERSION = 'projectcalico.org/v3'

export interface Metadata {
  name: string
  namespace?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  /** Given at creation, never changes. */
  uid?: string
  /** RFC 3339, given at creation. */
  creationTimestamp?: string
  /** The store's modification revision in decimal digits; a write that carries it is compare-and-swap. */
  resourceVersion?: string
}

/** What the store holds under a resource key, less `resourceVersion`, which is the key's own revision. */
export interface Resource<Spec = unknown, Status = unknown> {
  apiVersion: typeof API_VERSION
  kind: KindName
  metadata: Metadata
  spec: Spec
  status?: Status
}
