/** An expected failure is a value, never an exception: callers must look before they use it. */
export type Result<T, E> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E }

/** Wraps a value as success. */
export function success<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value }
}

/** Wraps an error as failure. */
export function failure<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error }
}

export interface DroverErrorOptions {
  remedy?: string | undefined
  /** Data that belongs to the code, JSON-able. */
  details?: Readonly<Record<string, unknown>>
  cause?: unknown
}

/**
 * A failure at the edge of an API that people call. `message` is a whole sentence that says what went wrong and
 * where; `remedy` says what to do about it; `code` is what programs look at.
 */
export class DroverError extends Error {
  readonly code: string
  readonly remedy: string | undefined
  /** Data that belongs to the code, JSON-able. */
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, options: DroverErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.remedy = options.remedy
    this.details = options.details ?? {}
  }
}
