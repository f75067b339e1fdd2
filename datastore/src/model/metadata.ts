/** What every resource says of itself, whatever its kind. */
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
