import { PENDING_ANNOTATION, type ResourceOf, formatEndpointNames } from '@network/datastore/model'
import { NAMES_ANNOTATION } from '@network/datastore/model'

export type Endpoint = ResourceOf<'WorkloadEndpoint'>

/** An endpoint as far as names go. */
export interface Draft {
  readonly node?: string
  readonly container?: string
  /** The Network. */
  readonly network?: string
  /** What the runtime calls it; default: as the Network is called. */
  readonly called?: string
  /** undefined: its runtime has not said any. */
  readonly names?: readonly string[]
  readonly addresses: readonly string[]
  readonly pending?: boolean
}

export function endpoint(draft: Draft): Endpoint {
  const {
    node = 'n1',
    container = draft.addresses.join(),
    network,
    names,
    addresses,
    pending = false,
  } = draft
  const said = names === undefined ? undefined : { container, network: draft.called ?? network ?? '', names }
  return {
    apiVersion: 'drover.network/v1',
    kind: 'WorkloadEndpoint',
    metadata: {
      name: 'e',
      annotations: {
        ...(said === undefined ? {} : { [NAMES_ANNOTATION]: formatEndpointNames(said) }),
        ...(pending ? { [PENDING_ANNOTATION]: 'true' } : {}),
      },
    },
    spec: {
      node,
      orchestrator: 'docker',
      workload: 'w',
      endpoint: 'e',
      ...(network === undefined ? {} : { network }),
      ipNetworks: addresses.map((address) => `${address}/${address.includes(':') ? '128' : '32'}`),
      profiles: [],
    },
  }
}
