import { type Family, formatPrefix, parsePrefix, type Prefix, prefixFamily } from '@network/net'
import {
  type EndpointIdentity,
  endpointName,
  escapeSegment,
  isName,
  parseEndpointName,
  requireName,
  unescapeSegment,
} from './endpoint-name.ts'
import { kindDefinition, type KindName, kindNames } from './kinds/index.ts'

export { type EndpointIdentity, endpointName, escapeSegment, parseEndpointName, unescapeSegment }

/*
 * Every key of the store is made and taken apart here; docs/keys.md explains them to other tools. Names that were
 * validated (resources, nodes) stand as they are. Anything else that runtimes make up is escaped segment by
 * segment, so that no identity can reach outside its own place. Parsing answers undefined for a key that this
 * module wouldn't have made.
 */

export const ROOT = '/drover/v1/'

/** Prefixes for listing and watching, each with its final slash. */
export const prefixes = {
  all: ROOT,
  resources: `${ROOT}resources/`,
  endpoints: `${ROOT}endpoints/`,
  ipam: `${ROOT}ipam/`,
  blocks: `${ROOT}ipam/blocks/`,
  affinities: `${ROOT}ipam/affinities/`,
  handles: `${ROOT}ipam/handles/`,
  reservations: `${ROOT}ipam/reservations/`,
  status: `${ROOT}status/`,
  locks: `${ROOT}locks/`,
} as const

/** Where a resource is kept. WorkloadEndpoints are kept under their node. */
export function resourceKey(resource: {
  kind: KindName
  name: string
  namespace?: string | undefined
}): string {
  if (resource.kind === 'WorkloadEndpoint') {
    if (parseEndpointName(resource.name) === undefined) {
      throw new TypeError(`'${resource.name}' can't be the name of a WorkloadEndpoint`)
    }
    return `${prefixes.endpoints}${resource.name}`
  }
  const { namespaced } = kindDefinition(resource.kind)
  const prefix = resourcePrefix(resource.kind, namespaced ? resource.namespace : undefined)
  if (namespaced && resource.namespace === undefined) {
    throw new TypeError(`a ${resource.kind} needs a namespace`)
  }
  return `${prefix}${requireName('name', resource.name)}`
}

/** The prefix of all resources of a kind, or of those in one namespace. */
export function resourcePrefix(kind: KindName, namespace?: string): string {
  if (kind === 'WorkloadEndpoint') return prefixes.endpoints
  const prefix = `${prefixes.resources}${kindDefinition(kind).plural}/`
  return namespace === undefined ? prefix : `${prefix}${requireName('namespace', namespace)}/`
}

const byPlural = new Map(kindNames.map((kind) => [kindDefinition(kind).plural, kind]))

export interface ResourceReference {
  kind: KindName
  name: string
  namespace?: string
}

export function parseResourceKey(key: string): ResourceReference | undefined {
  if (key.startsWith(prefixes.endpoints)) {
    const name = key.slice(prefixes.endpoints.length)
    return parseEndpointName(name) === undefined ? undefined : { kind: 'WorkloadEndpoint', name }
  }
  if (!key.startsWith(prefixes.resources)) return undefined
  const [plural = '', ...names] = key.slice(prefixes.resources.length).split('/')
  const kind = byPlural.get(plural)
  if (kind === undefined || kind === 'WorkloadEndpoint' || !names.every((name) => isName(name)))
    return undefined
  const { namespaced } = kindDefinition(kind)
  if (names.length !== (namespaced ? 2 : 1)) return undefined
  const [first = '', second = ''] = names
  return namespaced ? { kind, namespace: first, name: second } : { kind, name: first }
}

/** Where a workload endpoint is kept. */
export function endpointKey(identity: EndpointIdentity): string {
  return `${prefixes.endpoints}${endpointName(identity)}`
}

export function parseEndpointKey(key: string): EndpointIdentity | undefined {
  return key.startsWith(prefixes.endpoints)
    ? parseEndpointName(key.slice(prefixes.endpoints.length))
    : undefined
}

/** The prefix of all endpoints of a node. */
export function nodeEndpointsPrefix(node: string): string {
  return `${prefixes.endpoints}${requireName('node', node)}/`
}

function prefixSegment(prefix: Prefix): string {
  return formatPrefix(prefix).replace('/', '-')
}

function parsePrefixSegment(family: string | undefined, segment: string | undefined): Prefix | undefined {
  if (segment === undefined) return undefined
  const parsed = parsePrefix(segment.replace('-', '/'))
  if (!parsed.ok || prefixFamily(parsed.value) !== family) return undefined
  return prefixSegment(parsed.value) === segment ? parsed.value : undefined
}

/** The allocations of one block: /drover/v1/ipam/blocks/ipv4/10.0.0.0-26. */
export function blockKey(block: Prefix): string {
  return `${blocksPrefix(prefixFamily(block))}${prefixSegment(block)}`
}

export function blocksPrefix(family: Family): string {
  return `${prefixes.blocks}${family}/`
}

export function parseBlockKey(key: string): Prefix | undefined {
  if (!key.startsWith(prefixes.blocks)) return undefined
  const [family, segment, ...rest] = key.slice(prefixes.blocks.length).split('/')
  return rest.length > 0 ? undefined : parsePrefixSegment(family, segment)
}

/** A node's claim on a block: /drover/v1/ipam/affinities/node-1/ipv4/10.0.0.0-26. */
export function affinityKey(node: string, block: Prefix): string {
  return `${affinitiesPrefix(node, prefixFamily(block))}${prefixSegment(block)}`
}

/** The prefix of a node's claims, of both families or of one. */
export function affinitiesPrefix(node: string, family?: Family): string {
  return `${prefixes.affinities}${requireName('node', node)}/${family === undefined ? '' : `${family}/`}`
}

export function parseAffinityKey(key: string): { node: string; block: Prefix } | undefined {
  if (!key.startsWith(prefixes.affinities)) return undefined
  const [node, family, segment, ...rest] = key.slice(prefixes.affinities.length).split('/')
  const block = rest.length > 0 ? undefined : parsePrefixSegment(family, segment)
  return block === undefined || node === undefined || !isName(node) ? undefined : { node, block }
}

/** The addresses held together under an id, which may be any text. */
export function handleKey(id: string): string {
  return `${prefixes.handles}${escapeSegment(id)}`
}

export function parseHandleKey(key: string): string | undefined {
  return key.startsWith(prefixes.handles) ? unescapeSegment(key.slice(prefixes.handles.length)) : undefined
}

/** The addresses kept under a name, which may be any text, for whichever workload uses it. */
export function reservationKey(name: string): string {
  return `${prefixes.reservations}${escapeSegment(name)}`
}

export function parseReservationKey(key: string): string | undefined {
  return key.startsWith(prefixes.reservations)
    ? unescapeSegment(key.slice(prefixes.reservations.length))
    : undefined
}

/** A leased key of a node's state: statusKey('node-1', 'heartbeat'), statusKey('node-1', 'bgp', 'fd00::1'). */
export function statusKey(node: string, ...path: readonly [string, ...string[]]): string {
  return `${statusPrefix(node)}${path.map(escapeSegment).join('/')}`
}

export function statusPrefix(node: string): string {
  return `${prefixes.status}${requireName('node', node)}/`
}

export function parseStatusKey(key: string): { node: string; path: string[] } | undefined {
  if (!key.startsWith(prefixes.status)) return undefined
  const [node, ...segments] = key.slice(prefixes.status.length).split('/')
  const path = segments.map(unescapeSegment)
  if (node === undefined || !isName(node) || path.length === 0) return undefined
  return path.every((segment) => segment !== undefined) ? { node, path } : undefined
}

/**
 * A key that is written by every transaction whose rules look at more than its own keys ('pools': no two pools
 * overlap), so that two such transactions can't both succeed on the same view.
 */
export function lockKey(name: string): string {
  return `${prefixes.locks}${escapeSegment(name)}`
}
