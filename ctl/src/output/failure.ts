import { DroverError } from '@network/net'
import { printable } from './table.ts'

/** What the process exits with; documented in docs/command-line.md. */
export const ExitCode = {
  done: 0,
  /** It was understood and could not be done. */
  failed: 1,
  /** The command line, a file or a resource is wrong. */
  invalid: 2,
  /** What was named does not exist. */
  notFound: 3,
  /** etcd or the agent could not be reached, or gave no answer in time. */
  unreachable: 4,
  /** Not allowed: root, a password or a certificate is missing. */
  denied: 5,
} as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

const exitCodes: Readonly<Record<string, ExitCode>> = {
  usage: ExitCode.invalid,
  invalid: ExitCode.invalid,
  'invalid-options': ExitCode.invalid,
  'invalid-setting': ExitCode.invalid,
  immutable: ExitCode.invalid,
  'not-found': ExitCode.notFound,
  unreachable: ExitCode.unreachable,
  deadline: ExitCode.unreachable,
  'unknown-outcome': ExitCode.unreachable,
  'agent-not-running': ExitCode.unreachable,
  'agent-deadline': ExitCode.unreachable,
  'agent-answer': ExitCode.unreachable,
  'agent-permission': ExitCode.denied,
  authentication: ExitCode.denied,
  permission: ExitCode.denied,
  certificate: ExitCode.denied,
  'no-root': ExitCode.denied,
}

/** A command line that makes no sense. */
export class UsageError extends DroverError {
  constructor(message: string, remedy?: string) {
    super('usage', message, { remedy })
  }
}

/** The exit code for what was thrown. */
export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof DroverError ? (exitCodes[error.code] ?? ExitCode.failed) : ExitCode.failed
}

/** `error: sentence` and, on lines of their own, the faults that belong to it and what to do. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof DroverError)) {
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return `error: this is a defect in drover, please report it.\n${words}\n`
  }
  const listed = 'faults' in error ? error.faults : error.details['faults']
  const faults = Array.isArray(listed) ? (listed as { message?: unknown }[]) : []
  const lines = faults.map((fault) => `  - ${String(fault.message)}`)
  const remedy = error.remedy === undefined ? [] : [`remedy: ${error.remedy}`]
  return [`error: ${error.message}`, ...lines, ...remedy].map((line) => `${printable(line)}\n`).join('')
}

/** The same for scripts: one JSON object. */
export function failureAsJson(error: unknown): string {
  const body =
    error instanceof DroverError
      ? { code: error.code, message: error.message, remedy: error.remedy, details: error.details }
      : { code: 'defect', message: error instanceof Error ? error.message : String(error) }
  return `${JSON.stringify({ error: body })}\n`
}
