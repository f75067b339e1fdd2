import { type TextFormat } from './formats.ts'

/**
 * A description of a value as data. Validation, defaults, the suggestion after a misspelt field, the field order of
 * printed resources and the masking of secrets all come from it. `T` is the type of a value that passed validation;
 * it exists for the compiler alone.
 */
export type Schema<T = unknown> = SchemaNode & { readonly type?: T }

export type SchemaNode =
  | {
      readonly is: 'string'
      readonly minLength: number
      readonly maxLength: number
      /** Printed as `********` unless asked for in clear. */
      readonly secret: boolean
    }
  | { readonly is: 'integer' | 'number'; readonly min: number; readonly max: number }
  | { readonly is: 'boolean' }
  | { readonly is: 'word'; readonly words: readonly (string | number)[] }
  | { readonly is: 'text'; readonly format: TextFormat }
  | { readonly is: 'as-number' }
  | {
      readonly is: 'list'
      readonly item: Schema
      readonly min: number
      readonly max: number
      readonly distinct: boolean
    }
  | { readonly is: 'map'; readonly key: TextFormat; readonly value: Schema; readonly max: number }
  | { readonly is: 'object'; readonly fields: Readonly<Record<string, Field>> }
  | { readonly is: 'union'; readonly expected: string; readonly options: readonly Schema[] }

/** A field of an object: present, absent or filled in, and what it means in one line. */
export interface Field<T = unknown> {
  readonly schema: Schema<T>
  readonly presence: 'required' | 'optional' | 'default'
  readonly fallback?: T
  readonly description: string
}

interface RequiredField<T> extends Field<T> {
  readonly presence: 'required' | 'default'
}

interface OptionalField<T> extends Field<T> {
  readonly presence: 'optional'
}

/** The fields that describe exactly the properties of `T`: none missing, none too many, optional where `T` says so. */
export type FieldsOf<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K>
    ? OptionalField<Exclude<T[K], undefined>>
    : RequiredField<T[K]>
}

export function string(
  options: { minLength?: number; maxLength?: number; secret?: boolean } = {},
): Schema<string> {
  return {
    is: 'string',
    minLength: options.minLength ?? 0,
    maxLength: options.maxLength ?? 1024,
    secret: options.secret ?? false,
  }
}

export function integer(min: number, max: number): Schema<number> {
  return { is: 'integer', min, max }
}

/** Any finite number in the range, fractions allowed. */
export function number(min: number, max: number): Schema<number> {
  return { is: 'number', min, max }
}

export function boolean(): Schema<boolean> {
  return { is: 'boolean' }
}

/** One of a closed set of words. */
export function oneOf<const W extends readonly (string | number)[]>(words: W): Schema<W[number]> {
  return { is: 'word', words }
}

/** Text in one of the formats of formats.ts; the validated value is its canonical form. */
export function text(format: TextFormat): Schema<string> {
  return { is: 'text', format }
}

/** An AS number 1–4294967295; '1.10' (RFC 5396 asdot) is read as 65546. */
export function asNumber(): Schema<number> {
  return { is: 'as-number' }
}

export function list<T>(
  item: Schema<T>,
  options: { min?: number; max?: number; distinct?: boolean } = {},
): Schema<T[]> {
  return {
    is: 'list',
    item,
    min: options.min ?? 0,
    max: options.max ?? 1024,
    distinct: options.distinct ?? false,
  }
}

export function map<T>(
  key: TextFormat,
  value: Schema<T>,
  options: { max?: number } = {},
): Schema<Record<string, T>> {
  return { is: 'map', key, value, max: options.max ?? 256 }
}

export function object<T>(fields: FieldsOf<T>): Schema<T> {
  return { is: 'object', fields }
}

/** The first option that accepts the value wins; `expected` is said when none does. */
export function union<T>(expected: string, options: readonly Schema<T>[]): Schema<T> {
  return { is: 'union', expected, options }
}

export function required<T>(schema: Schema<T>, description: string): RequiredField<T> {
  return { schema, presence: 'required', description }
}

export function optional<T>(schema: Schema<T>, description: string): OptionalField<T> {
  return { schema, presence: 'optional', description }
}

/** A field that validation fills in where it is absent. */
export function withDefault<T>(schema: Schema<T>, fallback: T, description: string): RequiredField<T> {
  return { schema, presence: 'default', fallback, description }
}
