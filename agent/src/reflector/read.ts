import {
  type FieldFault,
  fieldFault,
  lineAt,
  PARSE_LIMITS,
  tooDeepLine,
  validateValue,
} from '@network/datastore/model'
import { type Result, failure, success } from '@network/net'
import { type Document, LineCounter, parseDocument } from 'yaml'
import { alternatives, type ReflectorConfiguration, reflectorConfiguration } from './configuration.ts'
import { checkConfiguration } from './rules.ts'

/** A fault in a reflector's file. */
export interface ConfigurationFault {
  /** As given by the caller. */
  readonly source: string
  readonly line: number
  /** 'peers[2].asNumber'; '' where it is not about a field. */
  readonly path: string
  /** A sentence that begins with the place: what stands there, and what is expected. */
  readonly message: string
}

/** Reads a reflector's file, YAML or JSON: all of it is good, or every fault is told with line and path. */
export function readReflectorConfiguration(
  content: string,
  source: string,
): Result<ReflectorConfiguration, ConfigurationFault[]> {
  const fault = (line: number, message: string, path = ''): ConfigurationFault => ({
    source,
    line,
    path,
    message: `${source}:${String(line)}: ${message}`,
  })
  if (content.length > PARSE_LIMITS.characters) {
    return failure([fault(1, `the file is longer than ${String(PARSE_LIMITS.characters)} characters`)])
  }
  const deep = tooDeepLine(content, PARSE_LIMITS.nesting)
  if (deep !== undefined) {
    return failure([fault(deep, `nested deeper than ${String(PARSE_LIMITS.nesting)} levels`)])
  }
  const lines = new LineCounter()
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false, stringKeys: true })
  const problems = [...document.errors, ...document.warnings]
  if (problems.length > 0) {
    return failure(
      problems.map((problem) => {
        const { line, col } = lines.linePos(problem.pos[0])
        return fault(line, `column ${String(col)}: ${problem.message.split('\n')[0] ?? 'not YAML'}`)
      }),
    )
  }
  const value = plainValue(document)
  if (!value.ok) return failure([fault(1, value.error)])
  const told = (faults: readonly FieldFault[]): ConfigurationFault[] =>
    faults.map(({ segments, path, message }) => fault(lineAt(document, segments, lines), message, path))
  const checked = validateValue(reflectorConfiguration, value.value ?? {})
  if (!checked.ok) return failure(told(checked.error.flatMap(inDetail)))
  const faults: FieldFault[] = []
  checkConfiguration(checked.value, (segments, given, expected, reason) => {
    faults.push(fieldFault(segments, given, expected, reason))
  })
  return faults.length === 0 ? success(checked.value) : failure(told(faults))
}

function plainValue(document: Document): Result<unknown, string> {
  try {
    return success(document.toJS({ maxAliasCount: PARSE_LIMITS.aliases }))
  } catch (error) {
    // The library says by ReferenceError that an alias has no anchor or that aliases multiply without bound.
    if (error instanceof ReferenceError) return failure(error.message)
    throw error
  }
}

/** Where a field may be several things and a map was given, what is wrong with the map says more. */
function inDetail(fault: FieldFault): readonly FieldFault[] {
  const { value, segments } = fault
  const schema = alternatives[String(segments.at(-1))]
  if (schema === undefined || typeof value !== 'object' || value === null || Array.isArray(value))
    return [fault]
  const checked = validateValue(schema, value, segments)
  return checked.ok ? [fault] : checked.error
}
