import { type Clock, DroverError, type Timer } from '@network/net'
import type { Exec, RunningProgram } from '../../exec.ts'

/** The program refused the text, or ended: nothing of its last table was done. */
export class RestoreError extends DroverError {
  /** Line of the text that was refused, from 0; undefined if the program named none of it. */
  declare readonly line: number | undefined
}

/**
 * An `iptables-restore --noflush` that stays open: each `*table … COMMIT` acts as it arrives. Starting the program
 * takes several milliseconds, a table on an open one takes a few tenths. It reads what it needs of the kernel anew for
 * every table. Texts run one after another.
 */
export interface RestoreSession {
  /** Resolves when the text has acted. @throws RestoreError */
  run(text: string, options?: { timeoutMs?: number }): Promise<void>
  /** Starts the program now, so that the first text does not wait for it. */
  open(): void
  close(): void
}

/**
 * With --verbose the program prints every comment line that it comes past. Its output passes a buffer of 4096 bytes, so a
 * comment longer than that is seen from outside as far as its beginning at once.
 */
const PADDING = 'x'.repeat(4200)
/** Seconds for which the lock of xtables is waited for. */
const LOCK_SECONDS = 60
const TIMEOUT_MS = 75_000

interface Run {
  readonly firstLine: number
  readonly lines: number
  settle(error?: RestoreError): void
}

export function createRestoreSession(
  modules: { exec: Exec; clock: Clock },
  options: { program: string },
): RestoreSession {
  let program: RunningProgram | undefined
  let linesSent = 0
  let number = 0
  let run: Run | undefined
  let said = ''
  let rest = ''
  let queue: Promise<unknown> = Promise.resolve()

  function start(): RunningProgram {
    linesSent = 0
    said = ''
    rest = ''
    const started = modules.exec.start(
      options.program,
      ['--noflush', '--verbose', '--wait', String(LOCK_SECONDS)],
      {
        stdout(text) {
          if (started !== program) return
          const joined = rest + text
          rest = joined.slice(-64)
          if (joined.includes(endMark(number))) run?.settle()
        },
        stderr(text) {
          if (started === program) said = (said + text).slice(0, 8_192)
        },
      },
    )
    void started.ended.then(({ reason }) => {
      if (started !== program) return
      program = undefined
      run?.settle(refusal(said.trim() === '' ? reason : said.trim(), run))
    })
    return started
  }

  function refusal(words: string, { firstLine, lines }: Run): RestoreError {
    const named = /line:? (\d+)/i.exec(words)
    const line = named === null ? NaN : Number(named[1]) - firstLine
    const error = new RestoreError('refused', `${options.program} refused: ${firstSentence(words)}`, {
      details: { stderr: words },
    })
    return Object.assign(error, { line: line >= 0 && line < lines ? line : undefined })
  }

  async function runOne(text: string, timeoutMs: number): Promise<void> {
    const current = (program ??= start())
    let timer: Timer | undefined
    const lines = countLines(text)
    const firstLine = linesSent + 1
    linesSent += lines + 1
    number++
    try {
      await new Promise<void>((resolve, reject) => {
        run = {
          firstLine,
          lines,
          settle: (error) => (error === undefined ? resolve() : reject(error)),
        }
        timer = modules.clock.setTimeout(() => {
          const old = program
          program = undefined
          old?.kill()
          reject(
            new RestoreError(
              'timeout',
              `${options.program} did not finish within ${String(timeoutMs)} ms and was ended.`,
              { remedy: 'Another program may hold the lock of xtables (/run/xtables.lock).' },
            ),
          )
        }, timeoutMs)
        current.write(`${text}${endMark(number)}${PADDING}\n`)
      })
    } finally {
      run = undefined
      timer?.cancel()
    }
  }

  return {
    run(text, { timeoutMs = TIMEOUT_MS } = {}) {
      const done = queue.then(() => runOne(text, timeoutMs))
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
      run?.settle(new RestoreError('closed', `${options.program} was closed in the middle of its work.`))
    },
  }
}

function countLines(text: string): number {
  let lines = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines++
  return lines
}

function endMark(number: number): string {
  return `#drv-end:${String(number)}:`
}

function firstSentence(words: string): string {
  return words.replaceAll(/\s+/g, ' ').slice(0, 400)
}
