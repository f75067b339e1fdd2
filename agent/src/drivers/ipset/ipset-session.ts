import { type Clock, DroverError, type Timer } from '@network/net'
import type { Exec, RunningProgram } from '../../exec.ts'

/** The program ended, or did not answer: what was done is not known. */
export class IpsetSessionError extends DroverError {}

/**
 * An `ipset -` that stays open, for changes of a few lines: each line acts at once, and one that fails does not stop the
 * next. Groups run one after another.
 */
export interface IpsetSession {
  /** Resolves when all lines have been tried, with the program's words about those that failed. */
  run(lines: readonly string[], options?: { timeoutMs?: number }): Promise<readonly string[]>
  open(): void
  close(): void
}

interface Group {
  readonly mark: string
  readonly errors: string[]
  settle(error?: IpsetSessionError): void
}

export function createIpsetSession(modules: { exec: Exec; clock: Clock }): IpsetSession {
  let program: RunningProgram | undefined
  let group: Group | undefined
  let rest = ''
  let number = 0
  let queue: Promise<unknown> = Promise.resolve()

  function onLine(line: string): void {
    if (group === undefined || line.trim() === '') return
    if (line.includes(group.mark)) group.settle()
    else group.errors.push(line.replace(/^ipset v[\d.]+: /, ''))
  }

  function start(): RunningProgram {
    rest = ''
    const started = modules.exec.start('ipset', ['-'], {
      stdout: () => undefined,
      stderr(text) {
        if (started !== program) return
        const lines = (rest + text).split('\n')
        rest = (lines.pop() ?? '').slice(-4096)
        for (const line of lines) onLine(line)
      },
    })
    void started.ended.then(({ reason }) => {
      if (started !== program) return
      program = undefined
      group?.settle(
        new IpsetSessionError(
          'ipset-ended',
          `ipset ended in the middle of its work: ${[...group.errors, rest].join(' ').trim() || reason}.`,
        ),
      )
    })
    return started
  }

  async function runOne(lines: readonly string[], timeoutMs: number): Promise<readonly string[]> {
    const current = (program ??= start())
    // A type that ipset doesn't know: its complaint, on the pipe that has no buffer, ends the group.
    const mark = `drv:end:${String(++number)}`
    const errors: string[] = []
    let timer: Timer | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        group = { mark, errors, settle: (error) => (error === undefined ? resolve() : reject(error)) }
        timer = modules.clock.setTimeout(() => {
          const old = program
          program = undefined
          old?.kill()
          reject(
            new IpsetSessionError(
              'ipset-timeout',
              `ipset did not finish within ${String(timeoutMs)} ms and was ended.`,
            ),
          )
        }, timeoutMs)
        current.write(`${lines.join('\n')}\ncreate drv-end ${mark}\n`)
      })
    } finally {
      group = undefined
      timer?.cancel()
    }
    return errors
  }

  return {
    run(lines, { timeoutMs = 30_000 } = {}) {
      if (lines.length === 0) return Promise.resolve([])
      const done = queue.then(() => runOne(lines, timeoutMs))
      queue = done.catch(() => undefined)
      return done
    },
    open() {
      program ??= start()
    },
    close() {
      const old = program
      program = undefined
      old?.end()
      group?.settle(new IpsetSessionError('ipset-ended', 'ipset was closed in the middle of its work.'))
    },
  }
}
