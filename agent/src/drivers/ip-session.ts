import { type Clock, DroverError, type Timer } from '@network/net'
import { type Exec, type RunningProgram } from '../exec.ts'

/** One command of a group: a line of `ip -batch`, made of validated values only. */
export interface IpCommand {
  readonly line: string
  /** It prints one JSON document. */
  readonly shows?: boolean
}

/** What became of one command: the kernel's words if it failed, the document if it shows. */
export interface IpAnswer {
  readonly ok: boolean
  /** `RTNETLINK answers: File exists`; empty if ok. */
  readonly error: string
  readonly output: unknown
}

/** The session's process ended, or did not answer, in the middle of a group: what was done is not known. */
export class IpSessionError extends DroverError {}

/**
 * A kept-open `ip -force -json -details -batch -`. Groups run one after another, commands in a group in
 * order, and one that fails does not stop the next. The process starts with the first group, and again after its end.
 */
export interface IpSession {
  run(commands: readonly IpCommand[], options?: { timeoutMs?: number }): Promise<readonly IpAnswer[]>
  /** Starts the process now, so that the first group does not wait for it. */
  open(): void
  close(): void
}

/** A device name that the kernel can't have: asking for it ends a group on stderr. */
const absentDevice = 'drover:end'
/** ENODEV: the kernel has no interface of that number. A name that nobody has is told in other words. */
const numberIsGone = 'No such device'
const failedLine = /^Command failed -:(\d+)$/
const maxPendingText = 64 * 1024 * 1024

interface Group {
  readonly commands: readonly IpCommand[]
  readonly firstLine: number
  readonly documents: string[]
  readonly errors: Map<number, string>
  stderrEnded: boolean
  settle(error?: IpSessionError): void
}

/** A line that prints a document. */
export function show(line: string): IpCommand {
  return { line, shows: true }
}

/** A line that changes something. */
export function change(line: string): IpCommand {
  return { line }
}

export function createIpSession(modules: { exec: Exec; clock: Clock }): IpSession {
  let program: RunningProgram | undefined
  let linesSent = 0
  let group: Group | undefined
  let stdoutRest = ''
  let stderrRest = ''
  let words: string[] = []
  let memoryIsOld = false
  let queue: Promise<unknown> = Promise.resolve()

  function finishIfComplete(): void {
    if (group?.stderrEnded !== true) return
    const expected = group.commands.reduce(
      (count, command, i) =>
        command.shows === true && !group?.errors.has(group.firstLine + i) ? count + 1 : count,
      1,
    )
    if (group.documents.length >= expected) group.settle()
  }

  function takeLines(rest: string, text: string, each: (line: string) => void): string {
    const lines = (rest + text).split('\n')
    const last = lines.pop() ?? ''
    for (const line of lines) each(line)
    return last.length > maxPendingText ? '' : last
  }

  function onStderrLine(line: string): void {
    const failed = failedLine.exec(line)
    if (failed === null) {
      if (line.includes(numberIsGone)) memoryIsOld = true
      if (line !== '') words.push(line)
      return
    }
    const number = Number(failed[1])
    const text = words.join(' ')
    words = []
    if (group === undefined) return
    if (number === group.firstLine + group.commands.length + 1) {
      group.stderrEnded = true
    } else {
      group.errors.set(number, text === '' ? 'refused without a reason' : text)
    }
    finishIfComplete()
  }

  function start(): RunningProgram {
    linesSent = 0
    stdoutRest = ''
    stderrRest = ''
    words = []
    memoryIsOld = false
    const started = modules.exec.start('ip', ['-force', '-json', '-details', '-N', '-batch', '-'], {
      stdout(text) {
        if (started !== program) return
        stdoutRest = takeLines(stdoutRest, text, (line) => {
          if (line !== '') group?.documents.push(line)
        })
        finishIfComplete()
      },
      stderr(text) {
        if (started !== program) return
        stderrRest = takeLines(stderrRest, text, onStderrLine)
      },
    })
    void started.ended.then(({ reason }) => {
      if (started !== program) return
      program = undefined
      const said = [...words, stderrRest].join(' ').trim()
      group?.settle(
        new IpSessionError(
          'ip-ended',
          `ip ended in the middle of its work: ${said === '' ? reason : said}.`,
          {
            details: { reason, stderr: said },
          },
        ),
      )
    })
    return started
  }

  function drop(): void {
    const old = program
    program = undefined
    old?.kill()
  }

  async function runGroup(commands: readonly IpCommand[], timeoutMs: number): Promise<readonly IpAnswer[]> {
    if (commands.length === 0) return []
    const current = (program ??= start())
    const firstLine = linesSent + 1
    linesSent += commands.length + 2
    const documents: string[] = []
    const errors = new Map<number, string>()
    let timer: Timer | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        group = {
          commands,
          firstLine,
          documents,
          errors,
          stderrEnded: false,
          settle(error) {
            if (error === undefined) resolve()
            else reject(error)
          },
        }
        timer = modules.clock.setTimeout(() => {
          drop()
          reject(
            new IpSessionError(
              'ip-timeout',
              `ip did not finish within ${String(timeoutMs)} ms and was ended.`,
            ),
          )
        }, timeoutMs)
        const lines = commands.map((command) => command.line).join('\n')
        current.write(`${lines}\naddr show dev lo\naddr show dev ${absentDevice}\n`)
      })
    } finally {
      group = undefined
      timer?.cancel()
    }
    let next = 0
    return commands.map((command, i) => {
      const error = errors.get(firstLine + i)
      if (error !== undefined) return { ok: false, error, output: undefined }
      if (command.shows !== true) return { ok: true, error: '', output: undefined }
      const document: unknown = JSON.parse(documents[next++] ?? 'null')
      return { ok: true, error: '', output: document }
    })
  }

  /**
   * `ip` remembers an interface's number by its name for as long as it runs: one that was deleted and made again is
   * sought under its old number, and a `show` of it comes out empty. Nothing was done then, so what failed that way,
   * and every `show`, is asked again of an `ip` without memory.
   */
  async function runWithoutOldMemory(
    commands: readonly IpCommand[],
    timeoutMs: number,
  ): Promise<readonly IpAnswer[]> {
    const answers = await runGroup(commands, timeoutMs)
    if (!memoryIsOld) return answers
    const old = program
    program = undefined
    old?.end()
    const again = commands.flatMap((command, i) =>
      command.shows === true || answers[i]?.error.includes(numberIsGone) === true ? [i] : [],
    )
    const fresh = await runGroup(
      again.flatMap((i) => commands[i] ?? []),
      timeoutMs,
    )
    return answers.map((answer, i) => fresh[again.indexOf(i)] ?? answer)
  }

  return {
    run(commands, { timeoutMs = 30_000 } = {}) {
      // After `link show` a batch of ip 6.1 leaves out the addresses of every later `addr show`.
      if (commands.some((command) => command.line.startsWith('link show'))) {
        return Promise.reject(new TypeError('a session shows links by addr show'))
      }
      const bad = commands.find((command) => /[\n\r\\#'"\0]/.test(command.line))
      if (bad !== undefined) {
        return Promise.reject(new TypeError(`a line for ip has a character with a meaning: ${bad.line}`))
      }
      const answer = queue.then(() => runWithoutOldMemory(commands, timeoutMs))
      queue = answer.catch(() => undefined)
      return answer
    },
    open() {
      program ??= start()
    },
    close() {
      const old = program
      program = undefined
      if (group === undefined) old?.end()
      else old?.kill()
      group?.settle(
        new IpSessionError('ip-ended', 'The session with ip was closed in the middle of its work.'),
      )
    },
  }
}
