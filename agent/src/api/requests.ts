import { DroverError, formatAddress, formatPrefix, parseAddress, parsePrefix } from '@network/net'
import { type Field, type Schema, validateValue } from '@network/datastore/model'
import type { AttachRequest, AuditRequest, CheckRequest, DetachRequest } from '../client/messages.ts'

type TextFormat = Extract<Schema, { is: 'text' }>['format']

/*
 * The bodies that the local API takes, as data. What passes has only known fields of the right shape; what a field
 * means for an attach is judged where it is used.
 */

const MAX_DEADLINE_MS = 600_000

function string(minLength: number, maxLength: number): Schema {
  return { is: 'string', minLength, maxLength, secret: false }
}

function format(name: string, expected: string, regexp: RegExp): TextFormat {
  const parse = (text: string) =>
    regexp.test(text)
      ? ({ ok: true, value: text } as const)
      : ({ ok: false, error: `it is not ${expected}` } as const)
  return { name, expected, parse }
}

function pattern(name: string, expected: string, regexp: RegExp): Schema {
  return { is: 'text', format: format(name, expected, regexp) }
}

function list(item: Schema, max: number, distinct = true): Schema {
  return { is: 'list', item, min: 0, max, distinct }
}

const required = (schema: Schema): Field => ({ schema, presence: 'required', description: '' })
const optional = (schema: Schema): Field => ({ schema, presence: 'optional', description: '' })

const name = pattern(
  'name',
  'a name of 1 to 253 letters, digits, -, _ and ., beginning with a letter or digit',
  /^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$/,
)
const path = pattern('path', 'an absolute path without NUL', /^\/[^\0]{1,4094}$/)
const containerId = pattern(
  'container id',
  'an id of 1 to 200 letters, digits, -, _ and ., beginning with a letter or digit',
  /^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/,
)
const interfaceName = pattern(
  'interface name',
  'an interface name of 1 to 15 letters, digits, -, _, . and @',
  /^(?!\.{1,2}$)[A-Za-z0-9_.@-]{1,15}$/,
)
const identity = string(1, 512)
const address: Schema = {
  is: 'text',
  format: {
    name: 'address',
    expected: 'an IPv4 or IPv6 address such as 10.0.0.1 or fd00::1',
    parse(text) {
      const parsed = parseAddress(text)
      return parsed.ok
        ? { ok: true, value: formatAddress(parsed.value) }
        : { ok: false, error: parsed.error.reason }
    },
  },
}
const pool: Schema = {
  is: 'text',
  format: {
    name: 'pool',
    expected: "a pool's name or prefix",
    parse(text) {
      if (!text.includes('/')) {
        return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$/.test(text)
          ? { ok: true, value: text }
          : { ok: false, error: 'it is no name' }
      }
      const parsed = parsePrefix(text)
      return parsed.ok
        ? { ok: true, value: formatPrefix(parsed.value) }
        : { ok: false, error: parsed.error.reason }
    },
  },
}
const mac = pattern(
  'MAC address',
  'a unicast MAC address such as 02:42:0a:00:00:01',
  /^[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}$/,
)
const labelKey = format(
  'label',
  'a label of 1 to 512 letters, digits, -, _, . and /',
  /^[A-Za-z0-9][A-Za-z0-9_./-]{0,511}$/,
)
const deadline: Schema = { is: 'integer', min: 1, max: MAX_DEADLINE_MS }

const namedPort: Schema = {
  is: 'object',
  fields: {
    name: required(string(1, 128)),
    protocol: required(string(1, 10)),
    port: required({ is: 'integer', min: 1, max: 65535 }),
  },
}

const portMapping: Schema = {
  is: 'object',
  fields: {
    protocol: required({ is: 'word', words: ['TCP', 'UDP', 'SCTP'] }),
    hostPort: required({ is: 'integer', min: 1, max: 65535 }),
    port: required({ is: 'integer', min: 1, max: 65535 }),
    hostIP: optional(address),
  },
}

const attachRequest: Schema = {
  is: 'object',
  fields: {
    netns: required(path),
    containerId: required(containerId),
    interfaceName: required(interfaceName),
    orchestrator: required(identity),
    workload: required(identity),
    endpoint: required(identity),
    namespace: optional(name),
    serviceAccount: optional(name),
    network: optional(name),
    ipv4Pools: optional(list(pool, 64)),
    ipv6Pools: optional(list(pool, 64)),
    families: optional({
      is: 'list',
      item: { is: 'word', words: ['ipv4', 'ipv6'] },
      min: 1,
      max: 2,
      distinct: true,
    }),
    addresses: optional(list(address, 16)),
    assignedElsewhere: optional({ is: 'boolean' }),
    leased: optional({ is: 'boolean' }),
    reservation: optional(name),
    mac: optional(mac),
    mtuBytes: optional({ is: 'integer', min: 68, max: 65535 }),
    profiles: optional(list(name, 64)),
    labels: optional({
      is: 'map',
      key: labelKey,
      value: string(0, 253),
      max: 256,
    }),
    ports: optional(list(namedPort, 256, false)),
    portMappings: optional(list(portMapping, 256, false)),
    defaultRoute: optional({ is: 'boolean' }),
    deadlineMs: optional(deadline),
  },
}

const detachRequest: Schema = {
  is: 'object',
  fields: {
    containerId: required(containerId),
    interfaceName: optional(interfaceName),
    netns: optional(path),
    deadlineMs: optional(deadline),
  },
}

const checkRequest: Schema = {
  is: 'object',
  fields: {
    containerId: required(containerId),
    interfaceName: required(interfaceName),
    netns: optional(path),
    deadlineMs: optional(deadline),
  },
}

const auditRequest: Schema = { is: 'object', fields: { fix: required({ is: 'boolean' }) } }

/** @throws DroverError 'invalid-request' that names field, value and what was expected */
export function readAttachRequest(body: unknown): AttachRequest {
  return read(attachRequest as Schema<AttachRequest>, body)
}

/** @throws DroverError 'invalid-request' */
export function readDetachRequest(body: unknown): DetachRequest {
  return read(detachRequest as Schema<DetachRequest>, body)
}

/** @throws DroverError 'invalid-request' */
export function readCheckRequest(body: unknown): CheckRequest {
  return read(checkRequest as Schema<CheckRequest>, body)
}

/** @throws DroverError 'invalid-request' */
export function readAuditRequest(body: unknown): AuditRequest {
  return read(auditRequest as Schema<AuditRequest>, body)
}

/** The endpoint whose rules are wanted, by its resource's name. @throws DroverError 'invalid-request' */
export function readPolicyQuery(query: URLSearchParams): string | undefined {
  for (const key of query.keys()) {
    if (key !== 'endpoint') throw invalid([`${key}: not known; expected endpoint`])
  }
  const endpoint = query.get('endpoint') ?? undefined
  if (endpoint === '') throw invalid(["endpoint: ''; expected the name of an endpoint"])
  return endpoint
}

/** @throws DroverError 'invalid-request' with every fault */
export function read<T>(schema: Schema<T>, body: unknown): T {
  const checked = validateValue(schema, body)
  if (!checked.ok) throw invalid(checked.error.map(({ message }) => message))
  return checked.value
}

export function invalid(faults: readonly string[]): DroverError {
  return new DroverError('invalid-request', `The request is not valid: ${faults.join('; ')}.`, {
    details: { faults },
  })
}
