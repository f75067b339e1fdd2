/** Values of JSON that somebody else wrote, read one by one with an error that names the place. */
import { CniError, brief } from './cni-error.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type JsonRecord = Readonly<Record<string, Json | undefined>>

function wrong(place: string, value: Json, expected: string): CniError {
  return new CniError('decode', `${place} is ${brief(JSON.stringify(value))}, where ${expected} is expected.`)
}

/** @throws CniError decode */
export function parseJson(text: string, place: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    throw new CniError('decode', `${place} is not JSON: ${(error as Error).message}.`)
  }
}

export function isRecord(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function asRecord(value: Json | undefined, place: string): JsonRecord {
  if (isRecord(value)) return value
  throw wrong(place, value ?? null, 'an object')
}

/**
 * An object by the names of its keys in lower case: plugins written in Go take `HostPort` for `hostPort`, and containerd
 * writes it so.
 */
export function asFolded(value: Json | undefined, place: string): JsonRecord {
  return Object.fromEntries(
    Object.entries(asRecord(value, place)).map(([key, field]) => [key.toLowerCase(), field]),
  )
}

/** Absent and null are the empty list. */
export function asArray(value: Json | undefined, place: string): readonly Json[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value)) return value as readonly Json[]
  throw wrong(place, value, 'a list')
}

export function asText(value: Json | undefined, place: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  throw wrong(place, value, 'a text')
}

export function asTexts(value: Json | undefined, place: string): string[] {
  return asArray(value, place).map((each, index) => {
    const text = asText(each, `${place}[${String(index)}]`)
    if (text === undefined) throw wrong(`${place}[${String(index)}]`, each, 'a text')
    return text
  })
}

/** A whole number; text of digits counts, since some runtimes write numbers so. */
export function asNumber(value: Json | undefined, place: string): number | undefined {
  if (value === undefined || value === null) return undefined
  const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isSafeInteger(number)) return number
  throw wrong(place, value, 'a whole number')
}

/** true or false, also as text, as Calico's configuration has it. */
export function asBoolean(value: Json | undefined, place: string): boolean | undefined {
  if (value === undefined || value === null) return undefined
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  throw wrong(place, value, 'true or false')
}

/** An object of texts; numbers and booleans in it become text. */
export function asLabels(value: Json | undefined, place: string): Record<string, string> {
  if (value === undefined || value === null) return {}
  return Object.fromEntries(
    Object.entries(asRecord(value, place)).map(([key, label]) => {
      if (typeof label === 'string' || typeof label === 'number' || typeof label === 'boolean')
        return [key, String(label)]
      throw wrong(`${place}.${brief(key)}`, label ?? null, 'a text')
    }),
  )
}

/** `[{"key":…,"value":…}]` */
export function asKeyValues(value: Json | undefined, place: string): Record<string, string> {
  return Object.fromEntries(
    asArray(value, place).flatMap((each, index) => {
      const at = `${place}[${String(index)}]`
      const record = asRecord(each, at)
      const key = asText(record['key'], `${at}.key`)
      return key === undefined ? [] : [[key, asText(record['value'], `${at}.value`) ?? '']]
    }),
  )
}
