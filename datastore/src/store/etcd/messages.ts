import Long from 'long'
import protobuf from 'protobufjs/light.js'

/*
 * The part of etcd's gRPC protocol that a Store needs, as a table: message, field, number, type. Keys and values are
 * declared as strings, which on the wire are the same as bytes. The whole protocol description need not be read from
 * a file at start, and the table is held against the one that the etcd3 package carries by a test.
 * Source: etcd 3.4, etcdserver/etcdserverpb/rpc.proto and mvcc/mvccpb/kv.proto.
 */

interface FieldDescription {
  type: string
  id: number
  rule?: 'repeated'
}
type MessageDescription = Record<string, FieldDescription>

const field = (id: number, type: string): FieldDescription => ({ id, type })
const repeated = (id: number, type: string): FieldDescription => ({ id, type, rule: 'repeated' })

export const messageTable = {
  ResponseHeader: { revision: field(3, 'int64') },
  KeyValue: {
    key: field(1, 'string'),
    createRevision: field(2, 'int64'),
    modRevision: field(3, 'int64'),
    value: field(5, 'string'),
    lease: field(6, 'int64'),
  },
  Event: { type: field(1, 'int32'), kv: field(2, 'KeyValue') },
  RangeRequest: {
    key: field(1, 'string'),
    rangeEnd: field(2, 'bytes'),
    limit: field(3, 'int64'),
    revision: field(4, 'int64'),
    keysOnly: field(8, 'bool'),
  },
  RangeResponse: {
    header: field(1, 'ResponseHeader'),
    kvs: repeated(2, 'KeyValue'),
    more: field(3, 'bool'),
  },
  PutRequest: { key: field(1, 'string'), value: field(2, 'string'), lease: field(3, 'int64') },
  DeleteRangeRequest: { key: field(1, 'string'), rangeEnd: field(2, 'bytes') },
  RequestOp: {
    requestRange: field(1, 'RangeRequest'),
    requestPut: field(2, 'PutRequest'),
    requestDeleteRange: field(3, 'DeleteRangeRequest'),
  },
  ResponseOp: { responseRange: field(1, 'RangeResponse') },
  Compare: {
    result: field(1, 'int32'),
    target: field(2, 'int32'),
    key: field(3, 'string'),
    createRevision: field(5, 'int64'),
    modRevision: field(6, 'int64'),
  },
  TxnRequest: {
    compare: repeated(1, 'Compare'),
    success: repeated(2, 'RequestOp'),
    failure: repeated(3, 'RequestOp'),
  },
  TxnResponse: {
    header: field(1, 'ResponseHeader'),
    succeeded: field(2, 'bool'),
    responses: repeated(3, 'ResponseOp'),
  },
  WatchCreateRequest: {
    key: field(1, 'string'),
    rangeEnd: field(2, 'bytes'),
    startRevision: field(3, 'int64'),
    progressNotify: field(4, 'bool'),
    fragment: field(8, 'bool'),
  },
  WatchRequest: { createRequest: field(1, 'WatchCreateRequest') },
  WatchResponse: {
    header: field(1, 'ResponseHeader'),
    created: field(3, 'bool'),
    canceled: field(4, 'bool'),
    compactRevision: field(5, 'int64'),
    cancelReason: field(6, 'string'),
    fragment: field(7, 'bool'),
    events: repeated(11, 'Event'),
  },
  LeaseGrantRequest: { TTL: field(1, 'int64'), ID: field(2, 'int64') },
  LeaseGrantResponse: { ID: field(2, 'int64'), TTL: field(3, 'int64') },
  LeaseRevokeRequest: { ID: field(1, 'int64') },
  LeaseRevokeResponse: {},
  LeaseKeepAliveRequest: { ID: field(1, 'int64') },
  LeaseKeepAliveResponse: { ID: field(2, 'int64'), TTL: field(3, 'int64') },
  AuthenticateRequest: { name: field(1, 'string'), password: field(2, 'string') },
  AuthenticateResponse: { token: field(2, 'string') },
} satisfies Record<string, MessageDescription>

export const CompareResult = { equal: 0, greater: 1 } as const
export const CompareTarget = { createRevision: 1, modRevision: 2 } as const
export const EventType = { put: 0, delete: 1 } as const

/** A signed 64-bit integer: a number where 53 bits are enough (revisions), exact otherwise (lease ids). */
export type Int64 = number | Long

export interface WireKeyValue {
  key: string
  createRevision: Int64
  modRevision: Int64
  value: string
  lease: Int64
}
export interface RangeRequest {
  key: string
  rangeEnd?: Uint8Array
  limit?: number
  revision?: number
  keysOnly?: boolean
}
export interface RangeResponse {
  header: { revision: Int64 }
  kvs: WireKeyValue[]
  more: boolean
}
export interface RequestOp {
  requestRange?: RangeRequest
  requestPut?: { key: string; value: string; lease?: Int64 }
  requestDeleteRange?: { key: string; rangeEnd?: Uint8Array }
}
export interface Compare {
  result: number
  target: number
  key: string
  createRevision?: number
  modRevision?: number
}
export interface TxnRequest {
  compare: Compare[]
  success: RequestOp[]
  failure: RequestOp[]
}
export interface TxnResponse {
  header: { revision: Int64 }
  succeeded: boolean
  responses: { responseRange: RangeResponse | null }[]
}
export interface WatchRequest {
  createRequest: {
    key: string
    rangeEnd: Uint8Array
    startRevision: number
    progressNotify: boolean
    fragment: boolean
  }
}
export interface WatchResponse {
  header: { revision: Int64 } | null
  created: boolean
  canceled: boolean
  compactRevision: Int64
  cancelReason: string
  fragment: boolean
  events: { type: number; kv: WireKeyValue }[]
}
export interface LeaseRequest {
  ID: Int64
}
export interface LeaseResponse {
  ID: Int64
  TTL: Int64
}

/** A method of etcd's API: its path and how to write the request and read the answer. */
export interface Method<Request, Response> {
  path: string
  serialize: (request: Request) => Buffer
  deserialize: (bytes: Buffer) => Response
}

protobuf.util.Long = Long
protobuf.configure()

const root = protobuf.Root.fromJSON({
  nested: Object.fromEntries(Object.entries(messageTable).map(([name, fields]) => [name, { fields }])),
})

function method<Request, Response>(
  path: string,
  requestType: keyof typeof messageTable,
  responseType: keyof typeof messageTable,
): Method<Request, Response> {
  const request = root.lookupType(requestType)
  const response = root.lookupType(responseType)
  return {
    path: `/etcdserverpb.${path}`,
    serialize: (value) => Buffer.from(request.encode(value as Record<string, unknown>).finish()),
    deserialize: (bytes) => response.decode(bytes) as unknown as Response,
  }
}

export const methods = {
  range: method<RangeRequest, RangeResponse>('KV/Range', 'RangeRequest', 'RangeResponse'),
  txn: method<TxnRequest, TxnResponse>('KV/Txn', 'TxnRequest', 'TxnResponse'),
  watch: method<WatchRequest, WatchResponse>('Watch/Watch', 'WatchRequest', 'WatchResponse'),
  leaseGrant: method<LeaseRequest & { TTL: number }, LeaseResponse>(
    'Lease/LeaseGrant',
    'LeaseGrantRequest',
    'LeaseGrantResponse',
  ),
  leaseRevoke: method<LeaseRequest, object>('Lease/LeaseRevoke', 'LeaseRevokeRequest', 'LeaseRevokeResponse'),
  leaseKeepAlive: method<LeaseRequest, LeaseResponse>(
    'Lease/LeaseKeepAlive',
    'LeaseKeepAliveRequest',
    'LeaseKeepAliveResponse',
  ),
  authenticate: method<{ name: string; password: string }, { token: string }>(
    'Auth/Authenticate',
    'AuthenticateRequest',
    'AuthenticateResponse',
  ),
}

/** A revision, TTL or count as a number. */
export function toNumber(value: Int64): number {
  return typeof value === 'number' ? value : value.toNumber()
}

/** A lease id in hexadecimal, as etcdctl prints it; undefined for 0, "no lease". */
export function leaseIdToText(value: Int64): string | undefined {
  const id = Long.fromValue(value)
  return id.isZero() ? undefined : id.toUnsigned().toString(16)
}

/** Undefined if the text isn't a lease id. */
export function leaseIdFromText(text: string): Long | undefined {
  return /^[0-9a-f]{1,16}$/.test(text) ? Long.fromString(text, true, 16).toSigned() : undefined
}

/** The first key behind all those that begin with the prefix; for the empty prefix the mark for "no end". */
export function rangeEndOfPrefix(prefix: string): Uint8Array {
  const end = Buffer.from(prefix)
  for (let index = end.length - 1; index >= 0; index--) {
    const byte = end[index] ?? 0
    if (byte < 0xff) {
      end[index] = byte + 1
      return end.subarray(0, index + 1)
    }
  }
  return Buffer.from([0])
}
