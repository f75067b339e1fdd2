import type { Prefix } from '@network/net'
import type { EndpointPort } from '@network/datastore/model'

export type LabelMap = Readonly<Record<string, string>>

/** Something with labels and addresses: an endpoint or a network set. */
export interface Thing {
  /** 'WorkloadEndpoint <name>' */
  readonly id: string
  readonly name: string
  readonly labels: LabelMap
  readonly namespace: string | undefined
  readonly namespaceLabels: LabelMap
  readonly serviceAccount: string | undefined
  readonly serviceAccountLabels: LabelMap
  readonly nets: readonly Prefix[]
  readonly ports: readonly EndpointPort[]
  readonly profiles: readonly string[]
}
