import { failure, type Result, success } from '@network/net'
import { type Document, LineCounter, parseAllDocuments, type YAMLError } from 'yaml'
import { fieldFault } from './field-fault.ts'
import { type FieldFault } from './kind.ts'
import { type Resource } from './resource.ts'
import { readResource } from './validate.ts'
import { lineAt, tooDeepLine } from './yaml-text.ts'

/** Bounds on a text of resources; a text past them is refused, never half read. */
export const PARSE_LIMITS = {
  characters: 4 * 1024 * 1024,
  resources: 10_000,
  aliases: 100,
  nesting: 100,
} as const

/** Where in a text a resource stands. */
export interface ResourceOrigin {
  /** As given by the caller: a file's name. */
  readonly source: string
  /** Counted from 1. */
  readonly document: number
  readonly line: number
}

export interface ParsedResource {
  readonly resource: Resource
  readonly origin: ResourceOrigin
}

export interface ParseFault extends ResourceOrigin {
  readonly code: 'syntax' | 'invalid' | 'too-large'
  /** A whole sentence that begins with the place. */
  readonly message: string
  /** Where `code` is 'invalid'. */
  readonly field: FieldFault | undefined
}

export interface ParsedResources {
  readonly resources: readonly ParsedResource[]
  /** Sentences that begin with the place. */
  readonly warnings: readonly string[]
}

interface Reading {
  readonly source: string
  readonly lines: LineCounter
  readonly resources: ParsedResource[]
  readonly warnings: string[]
  readonly faults: ParseFault[]
}

/**
 * Reads YAML or JSON: one resource or several documents, each a resource or a list of them (`kind: List`, or
 * `IPPoolList`). Either all of it is good, or every fault is told with file, line and path.
 */
export function parseResources(
  text: string,
  options: { source: string },
): Result<ParsedResources, ParseFault[]> {
  const { source } = options
  const reading: Reading = { source, lines: new LineCounter(), resources: [], warnings: [], faults: [] }
  const refuse = (code: ParseFault['code'], message: string, document = 1, line = 1): void => {
    reading.faults.push({
      code,
      source,
      document,
      line,
      message: `${place(source, line)}: ${message}`,
      field: undefined,
    })
  }
  if (text.length > PARSE_LIMITS.characters) {
    refuse('too-large', `the text is longer than ${String(PARSE_LIMITS.characters)} characters; split it`)
    return failure(reading.faults)
  }
  const deep = tooDeepLine(text, PARSE_LIMITS.nesting)
  if (deep !== undefined) {
    refuse('syntax', `nested deeper than ${String(PARSE_LIMITS.nesting)} levels`, 1, deep)
    return failure(reading.faults)
  }
  const parsed = parseAllDocuments(text, {
    lineCounter: reading.lines,
    prettyErrors: false,
    stringKeys: true,
  })
  const documents = Array.isArray(parsed) ? parsed : []
  documents.forEach((document, index) => {
    const problems: YAMLError[] = [...document.errors, ...document.warnings]
    for (const problem of problems) {
      const { line, col } = reading.lines.linePos(problem.pos[0])
      refuse('syntax', `column ${String(col)}: ${sentence(problem.message)}`, index + 1, line)
    }
    if (problems.length === 0) readDocument(document, index + 1, reading)
  })
  if (reading.faults.length === 0 && reading.resources.length === 0) {
    refuse('syntax', 'there is no resource in it')
  }
  if (reading.faults.length > 0) return failure(reading.faults)
  return success({ resources: reading.resources, warnings: reading.warnings })
}

function place(source: string, line: number): string {
  return `${source}:${String(line)}`
}

function sentence(message: string): string {
  return message.split('\n')[0] ?? message
}

function readDocument(document: Document, number: number, reading: Reading): void {
  const lineOf = (segments: readonly (string | number)[]): number => lineAt(document, segments, reading.lines)
  const refuse = (
    code: ParseFault['code'],
    segments: readonly (string | number)[],
    message: string,
  ): void => {
    const line = lineOf(segments)
    const where = place(reading.source, line)
    reading.faults.push({
      code,
      source: reading.source,
      document: number,
      line,
      message: `${where}: ${message}`,
      field: undefined,
    })
  }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: PARSE_LIMITS.aliases })
  } catch (error) {
    // The library says by ReferenceError that an alias has no anchor or that aliases multiply without bound.
    if (!(error instanceof ReferenceError)) throw error
    refuse('syntax', [], `document ${String(number)}: ${sentence(error.message)}`)
    return
  }
  if (value === null || value === undefined) return
  const items = listItems(value)
  const read = (item: unknown, at: readonly (string | number)[]): void => {
    if (reading.resources.length >= PARSE_LIMITS.resources) {
      if (reading.faults.length === 0)
        refuse('too-large', at, `more than ${String(PARSE_LIMITS.resources)} resources`)
      return
    }
    const line = lineOf(at)
    const result = readResource(item)
    if (result.ok) {
      reading.resources.push({
        resource: result.value.resource,
        origin: { source: reading.source, document: number, line },
      })
      for (const warning of result.value.warnings) {
        reading.warnings.push(`${place(reading.source, line)}: ${title(item)}: ${warning}`)
      }
      return
    }
    for (const field of result.error) {
      const fieldLine = lineOf([...at, ...field.segments])
      reading.faults.push({
        code: 'invalid',
        source: reading.source,
        document: number,
        line: fieldLine,
        message: `${place(reading.source, fieldLine)}: ${title(item)}: ${field.message}`,
        field,
      })
    }
  }
  if (items === undefined) {
    read(value, [])
    return
  }
  if (!Array.isArray(items)) {
    refuse('invalid', ['items'], fieldFault(['items'], items, 'a list of resources').message)
    return
  }
  items.forEach((item: unknown, index) => {
    read(item, ['items', index])
  })
}

/** The items of a list kind; undefined if the value isn't one. */
function listItems(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'items')) return undefined
  const { kind, items } = value as { kind?: unknown; items: unknown }
  return typeof kind === 'string' && kind.endsWith('List') ? (items ?? []) : undefined
}

/** 'IPPool blue', as far as the value says what it is. */
function title(value: unknown): string {
  if (typeof value !== 'object' || value === null) return 'resource'
  const { kind, metadata } = value as { kind?: unknown; metadata?: { name?: unknown } | null }
  const name = typeof metadata?.name === 'string' ? ` ${metadata.name.slice(0, 253)}` : ''
  return `${typeof kind === 'string' ? kind.slice(0, 64) : 'resource'}${name}`
}
