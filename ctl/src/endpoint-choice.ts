import { DroverError } from '@network/net'
import type { ResourceOf } from '@network/datastore/model'

export type AnyEndpoint = ResourceOf<'WorkloadEndpoint'> | ResourceOf<'HostEndpoint'>

/** Enough of a container's id that it isn't met by chance. */
const SHORTEST_ID = 4

/**
 * The one endpoint that a word means: its whole name, or what a person has at hand — the workload, the beginning of the
 * container's id, the interface, an address.
 * @throws DroverError 'not-found' if there is none, 'ambiguous' if there are several
 */
export function chooseEndpoint<E extends AnyEndpoint>(word: string, endpoints: readonly E[]): E {
  const whole = endpoints.find(({ metadata }) => metadata.name === word)
  if (whole !== undefined) return whole
  const meant = endpoints.filter((endpoint) => isMeant(word, endpoint))
  const [first, second] = meant
  if (first === undefined) {
    throw new DroverError('not-found', `There is no endpoint '${word}'.`, {
      remedy:
        "Name one by node/orchestrator/workload/endpoint, workload, container id, interface or address; 'drover get endpoints -o wide' lists them.",
    })
  }
  if (second === undefined) return first
  const names = meant.slice(0, 5).map(({ metadata }) => metadata.name)
  const more = meant.length > names.length ? `, and ${String(meant.length - names.length)} more` : ''
  throw new DroverError('ambiguous', `'${word}' may be ${names.join(', ')}${more}.`, {
    remedy: 'Give the whole name of the one that is meant.',
    details: { names },
  })
}

function isMeant(word: string, endpoint: AnyEndpoint): boolean {
  if (endpoint.kind === 'HostEndpoint') {
    return endpoint.spec.interfaceName === word || endpoint.spec.expectedIPs?.includes(word) === true
  }
  const { workload, containerID, interfaceName, ipNetworks } = endpoint.spec
  return (
    workload === word ||
    interfaceName === word ||
    (word.length >= SHORTEST_ID && containerID?.startsWith(word) === true) ||
    ipNetworks.some((network) => network.split('/')[0] === word || network === word)
  )
}
