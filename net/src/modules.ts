/** A pending call that can be taken back. */
export interface Timer {
  cancel(): void
}

/** The only source of time: a module that needs time is given one, so that tests can turn it by hand. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Milliseconds from an arbitrary start, never going back. */
  monotonic(): number
  setTimeout(call: () => void, ms: number): Timer
}

/** Structured log: data first, then a sentence. pino's loggers fit as they are. */
export interface Log {
  debug(data: object, message: string): void
  info(data: object, message: string): void
  warn(data: object, message: string): void
  error(data: object, message: string): void
  child(bindings: Record<string, unknown>): Log
}
