import type { Clock, Log } from '@network/net'

/** How long the agent lives, and why it ends: a signal, its caller, or something that waiting won't mend. */
export interface Life {
  readonly signal: AbortSignal
  /** Whether the end has been called for. */
  ended(): boolean
  /** Resolves when the end has been called for; rejects with what `fail` was given. */
  readonly over: Promise<void>
  /** Ends it in order. */
  end(reason: string): void
  /** Ends it with an error. The first one counts. */
  fail(error: unknown): void
  /** Resolves after `ms`, or at the end if that comes first. */
  pause(ms: number): Promise<void>
  /** Called at the end in reverse order, each after the one before has finished. */
  atEnd(what: string, close: () => Promise<void> | void): void
  /** Closes everything. Failures are logged and don't stop the rest. */
  close(): Promise<void>
}

export function createLife(modules: { clock: Clock; log: Log }): Life {
  const { clock, log } = modules
  const controller = new AbortController()
  const closers: { what: string; close: () => Promise<void> | void }[] = []
  let settle: { resolve: () => void; reject: (error: unknown) => void } | undefined
  const over = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  over.catch(() => undefined)

  return {
    signal: controller.signal,
    ended: () => controller.signal.aborted,
    over,
    end(reason) {
      if (controller.signal.aborted) return
      log.info({ reason }, 'the agent stops')
      settle?.resolve()
      controller.abort()
    },
    fail(error) {
      if (controller.signal.aborted) return
      settle?.reject(error)
      controller.abort()
    },
    pause: (ms) =>
      new Promise((resolve) => {
        const finish = (): void => {
          timer.cancel()
          controller.signal.removeEventListener('abort', finish)
          resolve()
        }
        const timer = clock.setTimeout(finish, ms)
        controller.signal.addEventListener('abort', finish)
        if (controller.signal.aborted) finish()
      }),
    atEnd(what, close) {
      closers.push({ what, close })
    },
    async close() {
      for (const { what, close } of closers.reverse()) {
        try {
          await close()
        } catch (error) {
          log.warn({ what, error: String(error) }, 'something did not close in order')
        }
      }
    },
  }
}
