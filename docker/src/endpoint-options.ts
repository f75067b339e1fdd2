/** What `docker network connect --driver-opt` and `docker run --network name=…,driver-opt=…` may say. */
import { suggest } from '@network/datastore/model'
import { DroverError } from '@network/net'

/** Name of the option, and of the label of a container, that names a reservation. */
export const RESERVE = 'drover.reserve'

const PREFIX = 'drover.'
const KNOWN = [RESERVE] as const

export interface EndpointOptions {
  /** The reservation whose address it is to have: the person's word for it. */
  readonly reserve?: string
}

/**
 * @param given the options of the call, Docker's own among them
 * @throws DroverError 'invalid-request' that names the option and what there is
 */
export function readEndpointOptions(given: Readonly<Record<string, unknown>>): EndpointOptions {
  for (const name of Object.keys(given)) {
    if (!name.startsWith(PREFIX) || (KNOWN as readonly string[]).includes(name)) continue
    const close = suggest(name, KNOWN)
    throw new DroverError(
      'invalid-request',
      `There is no option '${name.slice(0, 80)}' of a container on a drover network${close === undefined ? '.' : `; did you mean '${close}'?`}`,
      { remedy: `The options are ${KNOWN.join(', ')}.` },
    )
  }
  const reserve = given[RESERVE]
  if (reserve === undefined) return {}
  if (typeof reserve === 'string' && reserve !== '') return { reserve }
  throw new DroverError('invalid-request', `Option ${RESERVE} names no reservation.`, {
    remedy: `Give it a name: ${RESERVE}=shop.`,
  })
}
