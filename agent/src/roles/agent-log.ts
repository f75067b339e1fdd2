import { type Logger, pino } from 'pino'
import type { Log } from '@network/net'

/** Structured log on standard output, one JSON object a line; `setLevel` takes effect at once. */
export function createAgentLog(level: string): Log & { setLevel(level: string): void } {
  const logger: Logger = pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: {
      error: (error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : error),
    },
  })
  const children = new Set<WeakRef<Logger>>([new WeakRef(logger)])
  const wrap = (target: Logger): Log => ({
    debug: (data, message) => target.debug(data, message),
    info: (data, message) => target.info(data, message),
    warn: (data, message) => target.warn(data, message),
    error: (data, message) => target.error(data, message),
    child: (bindings) => {
      const child = target.child(bindings)
      children.add(new WeakRef(child))
      return wrap(child)
    },
  })
  return {
    ...wrap(logger),
    setLevel(next) {
      for (const reference of children) {
        const each = reference.deref()
        if (each === undefined) children.delete(reference)
        else each.level = next
      }
    },
  }
}
