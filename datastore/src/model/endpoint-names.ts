/** By which names containers find an endpoint: what its runtime has said, as it stands in an annotation. */
import type { Metadata } from './metadata.ts'

export const NAMES_ANNOTATION = 'drover.network/names'

export interface EndpointNames {
  /** The runtime's id of the container: its endpoints together say which networks it may ask about. */
  readonly container: string
  /** What the runtime calls the network. */
  readonly network: string
  /** The container's name first, then its others on this network. Normal, see `normalName`. */
  readonly names: readonly string[]
}

const MAX_NAMES = 64
const encoder = new TextEncoder()

/**
 * A name as names are compared: lower case (of ASCII alone, RFC 4343), without a dot at its end.
 * @returns undefined if nobody could ask for it (RFC 1035, section 2.3.4)
 */
export function normalName(text: string): string | undefined {
  const name = text.replace(/\.$/, '').replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  const fits = name.split('.').every((label) => label !== '' && bytesOf(label) <= 63)
  return fits && bytesOf(name) <= 253 ? name : undefined
}

function bytesOf(text: string): number {
  return /^[ -~]*$/.test(text) ? text.length : encoder.encode(text).length
}

/** The annotation's value. Names that nobody could ask for are left out. */
export function formatEndpointNames({ container, network, names }: EndpointNames): string {
  return JSON.stringify({ container, network, names: normalNames(names) } satisfies EndpointNames)
}

/** @returns undefined if the endpoint has none, or something else in their place */
export function readEndpointNames({ annotations }: Metadata): EndpointNames | undefined {
  const text = annotations?.[NAMES_ANNOTATION]
  if (text === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { container, network, names } = value as Record<string, unknown>
  if (typeof container !== 'string' || typeof network !== 'string' || !Array.isArray(names)) return undefined
  return { container, network, names: normalNames(names) }
}

function normalNames(names: readonly unknown[]): string[] {
  const normal = names.flatMap((name) => (typeof name === 'string' ? (normalName(name) ?? []) : []))
  return [...new Set(normal)].slice(0, MAX_NAMES)
}
