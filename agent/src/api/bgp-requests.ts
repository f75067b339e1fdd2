import {
  type Address,
  type Family,
  type Prefix,
  addressBits,
  formatPrefix,
  parseAddress,
  parsePrefix,
  prefixOf,
} from '@network/net'
import type { Schema } from '@network/datastore/model'
import type {
  BgpRefreshRequest,
  BgpRouteQuery,
  BgpRouteView,
  BgpShutdownRequest,
} from '../client/messages.ts'
import { invalid, read } from './requests.ts'

/** RFC 9003: the communication's length is one octet. */
const MAX_MESSAGE_OCTETS = 255

const views: readonly BgpRouteView[] = ['best', 'received', 'accepted', 'advertised']

const peer: Schema = { is: 'string', minLength: 1, maxLength: 512, secret: false }

const refreshRequest: Schema = {
  is: 'object',
  fields: {
    peer: { schema: peer, presence: 'optional', description: '' },
    family: {
      schema: { is: 'word', words: ['ipv4', 'ipv6'] },
      presence: 'optional',
      description: '',
    },
  },
}

const shutdownRequest: Schema = {
  is: 'object',
  fields: {
    peer: { schema: peer, presence: 'optional', description: '' },
    message: {
      schema: { is: 'string', minLength: 0, maxLength: MAX_MESSAGE_OCTETS, secret: false },
      presence: 'optional',
      description: '',
    },
    undo: { schema: { is: 'boolean' }, presence: 'optional', description: '' },
  },
}

/** @throws DroverError 'invalid-request' */
export function readRouteQuery(query: URLSearchParams): BgpRouteQuery {
  const { family, view, peer, prefix } = parameters(query, ['family', 'view', 'peer', 'prefix'])
  if (family !== undefined && family !== 'ipv4' && family !== 'ipv6') {
    throw invalid([`family: '${family}'; expected ipv4 or ipv6`])
  }
  const wanted = views.find((each) => each === view)
  if (view !== undefined && wanted === undefined) {
    throw invalid([`view: '${view}'; expected ${views.slice(0, -1).join(', ')} or ${String(views.at(-1))}`])
  }
  if (wanted === 'advertised' && peer === undefined) {
    throw invalid(['peer: missing; expected the name or address of the peer that the routes go to'])
  }
  const within = prefix === undefined ? undefined : readPrefix(prefix)
  if (family !== undefined && within !== undefined && family !== within.address.family) {
    throw invalid([`prefix: '${prefix ?? ''}'; expected one of family ${family}`])
  }
  const wantedFamily: Family | undefined = within?.address.family ?? family
  return {
    ...(wantedFamily === undefined ? {} : { family: wantedFamily }),
    ...(wanted === undefined ? {} : { view: wanted }),
    ...(peer === undefined ? {} : { peer }),
    ...(within === undefined ? {} : { prefix: formatPrefix(within) }),
  }
}

/**
 * What `why` is asked about: one prefix, or an address with every prefix around it, longest first.
 * @throws DroverError 'invalid-request'
 */
export function readBgpLookUp(query: URLSearchParams): { prefixes: readonly string[] } {
  const { prefix } = parameters(query, ['prefix'])
  if (prefix === undefined) throw invalid(['prefix: missing; expected a prefix such as 10.0.0.0/26'])
  if (prefix.includes('/')) return { prefixes: [formatPrefix(readPrefix(prefix))] }
  const parsed = parseAddress(prefix)
  if (!parsed.ok)
    throw invalid([`prefix: '${prefix}': ${parsed.error.reason}; expected a prefix or an address`])
  return { prefixes: prefixesAround(parsed.value) }
}

/** @throws DroverError 'invalid-request' */
export function readRefreshRequest(body: unknown): BgpRefreshRequest {
  return read(refreshRequest as Schema<BgpRefreshRequest>, body)
}

/** @throws DroverError 'invalid-request' */
export function readShutdownRequest(body: unknown): BgpShutdownRequest {
  const request = read(shutdownRequest as Schema<BgpShutdownRequest>, body)
  const octets = new TextEncoder().encode(request.message ?? '').length
  if (octets > MAX_MESSAGE_OCTETS) {
    throw invalid([
      `message: it has ${octets} octets in UTF-8; expected at most ${MAX_MESSAGE_OCTETS} (RFC 9003)`,
    ])
  }
  if (request.undo === true && request.message !== undefined) {
    throw invalid(['message: nothing is sent where a shutdown is undone; expected none'])
  }
  return request
}

function parameters<const Name extends string>(
  query: URLSearchParams,
  known: readonly Name[],
): Partial<Record<Name, string>> {
  const found: Partial<Record<string, string>> = {}
  for (const [name, value] of query) {
    if (!(known as readonly string[]).includes(name)) {
      throw invalid([`unknown parameter '${name}'; expected ${known.join(', ')}`])
    }
    if (Object.hasOwn(found, name)) throw invalid([`${name}: given twice; expected once`])
    found[name] = value
  }
  return found
}

function readPrefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (parsed.ok) return parsed.value
  throw invalid([`prefix: '${text}': ${parsed.error.reason}; expected a prefix such as 10.0.0.0/26`])
}

function prefixesAround(address: Address): string[] {
  const bits = addressBits(address.family)
  return Array.from({ length: bits + 1 }, (_, shorter) => formatPrefix(prefixOf(address, bits - shorter)))
}
