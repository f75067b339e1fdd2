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
  /** etcd, the agent or Docker could not be reached, is not ready, or gave no answer in time: try again. */
  unreachable: 4,
  /** Not allowed: root, a password or a certificate is missing. */
  denied: 5,
} as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

const exitCodes: Readonly<Record<string, ExitCode>> = {
  usage: ExitCode.invalid,
  invalid: ExitCode.invalid,
  'invalid-options': ExitCode.invalid,
  'invalid-settings': ExitCode.invalid,
  'invalid-request': ExitCode.invalid,
  ambiguous: ExitCode.invalid,
  'duplicate-peer': ExitCode.invalid,
  'own-address': ExitCode.invalid,
  'file-unreadable': ExitCode.invalid,
  immutable: ExitCode.invalid,
  'not-found': ExitCode.notFound,
  'unknown-peer': ExitCode.notFound,
  'namespace-missing': ExitCode.notFound,
  unreachable: ExitCode.unreachable,
  deadline: ExitCode.unreachable,
  'unknown-outcome': ExitCode.unreachable,
  'agent-not-running': ExitCode.unreachable,
  'agent-deadline': ExitCode.unreachable,
  'agent-answer': ExitCode.unreachable,
  'not-ready': ExitCode.unreachable,
  stopping: ExitCode.unreachable,
  'agent-permission': ExitCode.denied,
  authentication: ExitCode.denied,
  permission: ExitCode.denied,
  'permission-denied': ExitCode.denied,
  certificate: ExitCode.denied,
  'not-root': ExitCode.denied,
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

/** One of several things that are wrong, as far as it may be shown: values may be secrets. */
interface ShownFault {
  message: string
  path?: string
  source?: string
  line?: number
}

/** `error: sentence` and, on lines of their own, the faults that belong to it and what to do. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof DroverError)) {
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return `error: this is a defect in drover, please report it.\n${words}\n`
  }
  const faults = faultsOf(error)
  // One fault is the error already, where the error's own sentence quotes it.
  const listed = faults.filter(({ message }) => !error.message.includes(message.replace(/\.$/, '')))
  const remedy = error.remedy === undefined ? [] : [`remedy: ${error.remedy}`]
  return [`error: ${error.message}`, ...listed.map(({ message }) => `  - ${message}`), ...remedy]
    .map((line) => `${printable(line)}\n`)
    .join('')
}

/** The same for scripts: one JSON object. */
export function failureAsJson(error: unknown): string {
  if (!(error instanceof DroverError)) {
    const message = error instanceof Error ? error.message : String(error)
    return `${JSON.stringify({ error: { code: 'defect', message } })}\n`
  }
  const { code, message, remedy } = error
  const faults = faultsOf(error)
  const details = Object.fromEntries(Object.entries(error.details).filter(([name]) => name !== 'faults'))
  const body = { code, message, remedy, details, ...(faults.length === 0 ? {} : { faults }) }
  return `${JSON.stringify({ error: body })}\n`
}

function faultsOf(error: DroverError): ShownFault[] {
  const listed = 'faults' in error ? error.faults : error.details['faults']
  return Array.isArray(listed) ? listed.map(shownFault) : []
}

function shownFault(fault: {
  message?: unknown
  path?: unknown
  source?: unknown
  line?: unknown
  field?: { path?: unknown }
}): ShownFault {
  const path = fault.path ?? fault.field?.path
  return {
    message: String(fault.message),
    ...(typeof path === 'string' ? { path } : {}),
    ...(typeof fault.source === 'string' ? { source: fault.source } : {}),
    ...(typeof fault.line === 'number' ? { line: fault.line } : {}),
  }
}
