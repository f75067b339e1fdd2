const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$/
const UNRESERVED = /^[A-Za-z0-9_.-]$/
/** A segment that stands for itself: not '.', '..' or nothing. */
const PLAIN = /^(?!\.{1,2}$)[A-Za-z0-9_.-]+$/
const LONE_SURROGATE = /\p{Surrogate}/u
const encoder = new TextEncoder()

/**
 * One path segment of any text: letters, digits, - _ and . stand as they are, every other byte of its UTF-8 as
 * %XX in upper case. The empty text is a lone %; '.' and '..' have their first character
 * written as %2E.
 * @throws TypeError for a text with a lone surrogate, which has no UTF-8
 */
export function escapeSegment(value: string): string {
  if (PLAIN.test(value)) return value
  if (LONE_SURROGATE.test(value)) throw new TypeError('a text with a lone surrogate has no place in a key')
  if (value === '') return '%'
  const escaped = Array.from(value, (character) =>
    UNRESERVED.test(character) ? character : percent(character),
  ).join('')
  return escaped === '.' || escaped === '..' ? `%2E${escaped.slice(1)}` : escaped
}

function percent(character: string): string {
  return Array.from(
    encoder.encode(character),
    (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('')
}

/** The text that escapeSegment made the segment of; undefined if it can't have. */
export function unescapeSegment(segment: string): string | undefined {
  if (segment === '%') return ''
  if (PLAIN.test(segment)) return segment
  let value: string
  try {
    value = decodeURIComponent(segment)
  } catch {
    return undefined
  }
  return escapeSegment(value) === segment ? value : undefined
}

/** Whether a text can be the name of a resource, and so a segment of a key as it is. */
export function isName(text: string): boolean {
  return NAME.test(text)
}

/** @throws TypeError for a name that nobody validated */
export function requireName(what: string, name: string): string {
  if (!isName(name)) throw new TypeError(`'${name}' can't be the ${what} in a key`)
  return name
}

/** What identifies a workload endpoint across the cluster. */
export interface EndpointIdentity {
  node: string
  orchestrator: string
  workload: string
  endpoint: string
}

/** The name of a WorkloadEndpoint: node/orchestrator/workload/endpoint, escaped. */
export function endpointName(identity: EndpointIdentity): string {
  return [
    requireName('node', identity.node),
    escapeSegment(identity.orchestrator),
    escapeSegment(identity.workload),
    escapeSegment(identity.endpoint),
  ].join('/')
}

/** Takes the name of a WorkloadEndpoint apart; undefined if it isn't one. */
export function parseEndpointName(name: string): EndpointIdentity | undefined {
  const [node, ...rest] = name.split('/')
  if (node === undefined || !isName(node) || rest.length !== 3) return undefined
  const [orchestrator, workload, endpoint] = rest.map(unescapeSegment)
  if (orchestrator === undefined || workload === undefined || endpoint === undefined) return undefined
  return { node, orchestrator, workload, endpoint }
}
