import { failure, type Result, success } from '@network/net'
import { calicoToDrover } from './calico.ts'
import { fieldFault, formatPath, SECRET_MASK } from './field-fault.ts'
import { labelKey, resourceName } from './formats.ts'
import { type FieldFault, type KindDefinition, type ReportFault } from './kind.ts'
import { kindDefinition, type KindName, kindNames } from './kinds/index.ts'
import { type Metadata } from './metadata.ts'
import { API_VERSION, CALICO_API_VERSION, type Resource } from './resource.ts'
import { type Field, map, object, optional, required, type Schema, string, text } from './schema.ts'
import { suggest } from './suggest.ts'

/*
 * Holds a value of unknown origin against a schema and against the rules of its kind. The answer is a fresh value
 * with defaults filled in and texts in canonical form, or every fault that could be found in one pass. A value that
 * validated validates again to an equal value. Values are read through own properties only and keys are never
 * assigned by `=`, so `__proto__` in a file is one more unknown field.
 */

type Segments = readonly (string | number)[]

/** Holds a value against a schema alone. */
export function validateValue<T>(
  schema: Schema<T>,
  value: unknown,
  at: Segments = [],
): Result<T, FieldFault[]> {
  const faults: FieldFault[] = []
  const checked = check(schema, value, at, faults)
  return faults.length === 0 ? success(checked as T) : failure(faults)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function check(schema: Schema, value: unknown, at: Segments, faults: FieldFault[]): unknown {
  const refuse = (expected: string, reason?: string): unknown => {
    faults.push(fieldFault(at, value, expected, reason))
    return undefined
  }
  switch (schema.is) {
    case 'boolean':
      return typeof value === 'boolean' ? value : refuse('true or false')
    case 'integer':
    case 'number':
      return checkNumber(schema, value, refuse)
    case 'word':
      return schema.words.includes(value as string | number)
        ? value
        : refuse(oneOfWords(schema.words), didYouMean(value, schema.words))
    case 'as-number':
      return checkAsNumber(value, refuse)
    case 'string':
      return checkString(schema, value, at, faults)
    case 'text': {
      const given =
        typeof value === 'number' && schema.format.fromNumber !== undefined
          ? schema.format.fromNumber(value)
          : value
      if (typeof given !== 'string') return refuse(schema.format.expected)
      const parsed = schema.format.parse(given)
      return parsed.ok ? parsed.value : refuse(schema.format.expected, parsed.error)
    }
    case 'list':
      return checkList(schema, value, at, faults)
    case 'map':
      return checkMap(schema, value, at, faults)
    case 'object':
      return checkObject(schema.fields, value, at, faults)
    case 'union':
      for (const option of schema.options) {
        const tried: FieldFault[] = []
        const checked = check(option, value, at, tried)
        if (tried.length === 0) return checked
      }
      return refuse(schema.expected)
  }
}

/** Notes a fault; what it answers stands for the value that there isn't. */
type Refuse = (expected: string, reason?: string) => unknown

function oneOfWords(words: readonly (string | number)[]): string {
  const head = words.slice(0, -1).map(String).join(', ')
  return head === '' ? String(words[0]) : `${head} or ${String(words.at(-1))}`
}

function didYouMean(value: unknown, words: readonly (string | number)[]): string | undefined {
  const near = typeof value === 'string' ? suggest(value, words.map(String)) : undefined
  return near === undefined ? undefined : `did you mean '${near}'?`
}

function checkNumber(
  schema: Extract<Schema, { is: 'integer' | 'number' }>,
  value: unknown,
  refuse: Refuse,
): unknown {
  const what = schema.is === 'integer' ? 'a whole number' : 'a number'
  const good = schema.is === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value)
  const inRange = good && (value as number) >= schema.min && (value as number) <= schema.max
  return inRange ? value : refuse(`${what} from ${String(schema.min)} to ${String(schema.max)}`)
}

function checkAsNumber(value: unknown, refuse: Refuse): unknown {
  let parsed = value
  if (typeof value === 'string') {
    const dotted = /^([0-9]{1,5})\.([0-9]{1,5})$/.exec(value)
    const high = Number(dotted?.[1] ?? 0)
    const low = Number(dotted?.[2] ?? 0)
    if (dotted !== null && high <= 65535 && low <= 65535) parsed = high * 65536 + low
    else if (/^[0-9]{1,10}$/.test(value)) parsed = Number(value)
  }
  return Number.isInteger(parsed) && (parsed as number) >= 1 && (parsed as number) <= 4294967295
    ? parsed
    : refuse('an AS number from 1 to 4294967295')
}

function checkString(
  schema: Extract<Schema, { is: 'string' }>,
  value: unknown,
  at: Segments,
  faults: FieldFault[],
): unknown {
  const shown = schema.secret && typeof value === 'string' ? SECRET_MASK : value
  const refuse = (expected: string, reason?: string): unknown => {
    faults.push(fieldFault(at, shown, expected, reason))
    return undefined
  }
  if (typeof value !== 'string') {
    return refuse('text', value === undefined || value === null ? undefined : 'put it in quotes')
  }
  if (/[\p{Surrogate}\0]/u.test(value)) return refuse('text without NUL and lone surrogates')
  if (value.length < schema.minLength || value.length > schema.maxLength) {
    return refuse(
      `text of ${String(schema.minLength)} to ${String(schema.maxLength)} characters`,
      `it has ${String(value.length)}`,
    )
  }
  return value
}

function checkList(
  schema: Extract<Schema, { is: 'list' }>,
  value: unknown,
  at: Segments,
  faults: FieldFault[],
): unknown {
  if (!Array.isArray(value)) {
    faults.push(fieldFault(at, value, 'a list'))
    return undefined
  }
  if (value.length < schema.min || value.length > schema.max) {
    const expected = `a list of ${String(schema.min)} to ${String(schema.max)} items`
    faults.push(fieldFault(at, value, expected, `it has ${String(value.length)}`))
    return undefined
  }
  const items = value.map((item, index) => check(schema.item, item, [...at, index], faults))
  if (schema.distinct) {
    const seen = new Map<unknown, number>()
    items.forEach((item, index) => {
      const first = item === undefined ? undefined : seen.get(item)
      if (first !== undefined) {
        faults.push(
          fieldFault(
            [...at, index],
            value[index],
            'each item once',
            `it is the same as item [${String(first)}]`,
          ),
        )
      }
      seen.set(item, index)
    })
  }
  return items
}

function checkMap(
  schema: Extract<Schema, { is: 'map' }>,
  value: unknown,
  at: Segments,
  faults: FieldFault[],
): unknown {
  if (!isRecord(value)) {
    faults.push(fieldFault(at, value, 'a map'))
    return undefined
  }
  const entries = Object.entries(value)
  if (entries.length > schema.max) {
    faults.push(
      fieldFault(at, undefined, `at most ${String(schema.max)} entries`, `it has ${String(entries.length)}`),
    )
    return undefined
  }
  const checked = entries.map(([key, item]): [string, unknown] => {
    const name = schema.key.parse(key)
    if (!name.ok) faults.push(fieldFault([...at, key], key, schema.key.expected, name.error))
    return [key, check(schema.value, item, [...at, key], faults)]
  })
  return Object.fromEntries(checked)
}

function checkObject(
  fields: Readonly<Record<string, Field>>,
  value: unknown,
  at: Segments,
  faults: FieldFault[],
): unknown {
  if (!isRecord(value)) {
    faults.push(fieldFault(at, value, `a map with the fields ${Object.keys(fields).join(', ')}`))
    return undefined
  }
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(fields, key)) faults.push(unknownField([...at, key], value[key], Object.keys(fields)))
  }
  const checked: [string, unknown][] = []
  for (const [name, field] of Object.entries(fields)) {
    const given = Object.hasOwn(value, name) ? value[name] : undefined
    // YAML writers leave a key empty when they mean absent; a required field is still missed.
    if (given === undefined || given === null) {
      if (field.presence === 'required') {
        faults.push(fieldFault([...at, name], undefined, expectation(field.schema)))
      } else if (field.presence === 'default') {
        checked.push([name, structuredClone(field.fallback)])
      }
      continue
    }
    checked.push([name, check(field.schema, given, [...at, name], faults)])
  }
  return Object.fromEntries(checked)
}

function unknownField(at: Segments, value: unknown, known: readonly string[]): FieldFault {
  const name = String(at.at(-1))
  const near = suggest(name, known)
  const expected = near === undefined ? `one of ${known.join(', ')}` : `'${near}'`
  return {
    code: 'unknown-field',
    path: formatPath(at),
    segments: at,
    value,
    expected,
    message: `${formatPath(at)}: unknown field${near === undefined ? '' : `, did you mean '${near}'?`}; expected ${expected}`,
  }
}

/** What a schema expects, for a value that is missing. */
function expectation(schema: Schema): string {
  switch (schema.is) {
    case 'text':
      return schema.format.expected
    case 'word':
      return oneOfWords(schema.words)
    case 'integer':
    case 'number':
      return `a number from ${String(schema.min)} to ${String(schema.max)}`
    case 'boolean':
      return 'true or false'
    case 'as-number':
      return 'an AS number from 1 to 4294967295'
    case 'list':
      return 'a list'
    case 'map':
    case 'object':
      return 'a map'
    case 'string':
      return 'text'
    case 'union':
      return schema.expected
  }
}

const metadataSchema = object<Metadata>({
  name: required(string({ minLength: 1, maxLength: 2048 }), 'Name of the resource.'),
  namespace: optional(text(resourceName), 'Namespace, of kinds that have one.'),
  labels: optional(map(labelKey, string({ maxLength: 253 })), 'Labels, which selectors look at.'),
  annotations: optional(map(labelKey, string({ maxLength: 65536 })), 'Notes of people and programs.'),
  uid: optional(string({ minLength: 1, maxLength: 64 }), 'Given at creation.'),
  creationTimestamp: optional(string({ minLength: 1, maxLength: 64 }), 'Given at creation.'),
  resourceVersion: optional(string({ minLength: 1, maxLength: 20 }), 'Revision that a write expects.'),
})

/** A resource and what was left out of it on the way from a foreign API version. */
export interface ReadResource {
  resource: Resource
  warnings: readonly string[]
}

export interface ReadResourceOptions {
  /** 'ignore' leaves them out without a fault: for what a newer version stored. Default 'refuse'. */
  unknownFields?: 'refuse' | 'ignore'
}

/** validateResource for callers who show warnings: fields of projectcalico.org/v3 that were dropped as harmless. */
export function readResource(
  value: unknown,
  options: ReadResourceOptions = {},
): Result<ReadResource, FieldFault[]> {
  if (!isRecord(value))
    return failure([fieldFault([], value, 'a resource: a map with apiVersion, kind, metadata and spec')])
  const own = (name: string): unknown => (Object.hasOwn(value, name) ? value[name] : undefined)
  const apiVersion = own('apiVersion')
  if (apiVersion !== API_VERSION && apiVersion !== CALICO_API_VERSION) {
    return failure([fieldFault(['apiVersion'], apiVersion, `${API_VERSION} or ${CALICO_API_VERSION}`)])
  }
  const kind = kindNames.find((name) => name === own('kind'))
  if (kind === undefined) {
    return failure([
      fieldFault(['kind'], own('kind'), oneOfWords(kindNames), didYouMean(own('kind'), kindNames)),
    ])
  }
  if (apiVersion === API_VERSION) {
    const checked = checkResource(kind, value, [], options)
    return checked.ok ? success({ resource: checked.value, warnings: [] }) : checked
  }
  const translated = calicoToDrover(kind, value)
  const checked = checkResource(kind, translated.value, translated.faults, options)
  return checked.ok ? success({ resource: checked.value, warnings: translated.warnings }) : checked
}

/** A value of unknown origin as a resource of drover.network/v1, normalised; or everything that is wrong with it. */
export function validateResource(value: unknown): Result<Resource, FieldFault[]> {
  const read = readResource(value)
  return read.ok ? success(read.value.resource) : read
}

const TOP_LEVEL = ['apiVersion', 'kind', 'metadata', 'spec', 'status'] as const

function checkResource(
  kind: KindName,
  value: Readonly<Record<string, unknown>>,
  found: readonly FieldFault[],
  options: ReadResourceOptions,
): Result<Resource, FieldFault[]> {
  const faults = [...found]
  const definition = kindDefinition(kind)
  for (const key of Object.keys(value)) {
    const known = TOP_LEVEL.filter((name) => name !== 'status' || definition.status !== undefined)
    if (!(known as readonly string[]).includes(key)) faults.push(unknownField([key], value[key], known))
  }
  const allSpecFaults: FieldFault[] = []
  const spec = check(definition.spec, value['spec'] ?? {}, ['spec'], allSpecFaults)
  const counts = (fault: FieldFault): boolean =>
    fault.code !== 'unknown-field' || options.unknownFields !== 'ignore'
  const specFaults = allSpecFaults.filter(counts)
  const metadata = checkMetadata(
    definition,
    value['metadata'],
    specFaults.length === 0 ? spec : undefined,
    faults,
  )
  faults.push(...specFaults)
  const status =
    definition.status === undefined || value['status'] === undefined || value['status'] === null
      ? undefined
      : check(definition.status, value['status'], ['status'], faults)
  if (specFaults.length === 0 && metadata !== undefined) {
    const report: ReportFault = (segments, shown, expected, reason) => {
      faults.push(fieldFault(segments, shown, expected, reason))
    }
    definition.refine?.(spec, report, metadata)
  }
  const remaining = faults.filter(counts)
  if (remaining.length > 0 || metadata === undefined) return failure(remaining)
  return success({
    apiVersion: API_VERSION,
    kind,
    metadata,
    spec,
    ...(status === undefined ? {} : { status }),
  })
}

function checkMetadata(
  definition: KindDefinition,
  value: unknown,
  spec: unknown,
  faults: FieldFault[],
): Metadata | undefined {
  const derived = definition.nameOf !== undefined && spec !== undefined ? definition.nameOf(spec) : undefined
  let given = value ?? {}
  if (isRecord(given) && derived !== undefined && (given['name'] === undefined || given['name'] === null)) {
    given = { ...given, name: derived }
  }
  const before = faults.length
  const metadata = check(metadataSchema, given, ['metadata'], faults) as Metadata
  if (faults.length > before) return undefined
  const { name, namespace, resourceVersion } = metadata
  if (resourceVersion !== undefined && !/^[1-9][0-9]{0,15}$/.test(resourceVersion)) {
    faults.push(fieldFault(['metadata', 'resourceVersion'], resourceVersion, 'a revision in decimal digits'))
  }
  if (definition.namespaced && namespace === undefined) metadata.namespace = 'default'
  if (!definition.namespaced && namespace !== undefined) {
    faults.push(
      fieldFault(
        ['metadata', 'namespace'],
        namespace,
        'no namespace',
        `a ${definition.kind} belongs to the whole cluster`,
      ),
    )
  }
  if (definition.names === 'derived') {
    if (derived !== undefined && name !== derived) {
      faults.push(fieldFault(['metadata', 'name'], name, `'${derived}', as the spec says, or no name`))
    }
    return metadata
  }
  const nameFault = faultOfName(definition, name)
  if (nameFault !== undefined) faults.push(nameFault)
  return metadata
}

function faultOfName(definition: KindDefinition, name: string): FieldFault | undefined {
  const parsed = resourceName.parse(name)
  const at = ['metadata', 'name']
  if (!parsed.ok) return fieldFault(at, name, resourceName.expected)
  if (definition.names === 'default' && name !== 'default') {
    return fieldFault(at, name, "'default'", `there is one ${definition.kind}`)
  }
  if (definition.names === 'default-or-node' && name !== 'default') {
    if (!name.startsWith('node.') || !resourceName.parse(name.slice(5)).ok) {
      return fieldFault(at, name, "'default', or 'node.' and the name of a node")
    }
  }
  return undefined
}
