import { createRequire } from 'node:module'
import protobuf from 'protobufjs'
import t from 'tap'
import {
  leaseIdFromText,
  leaseIdToText,
  messageTable,
  methods,
  rangeEndOfPrefix,
} from '../../../src/store/etcd/messages.ts'

/** The whole protocol, as the etcd3 package describes it. */
const reference = protobuf.loadSync(createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto'))

/** Text and bytes, and an enumeration and its number, are the same on the wire. */
function onTheWire(field: protobuf.Field): string {
  const resolved = field.resolve()
  if (resolved.resolvedType instanceof protobuf.Enum) return 'int32'
  if (resolved.resolvedType) return resolved.resolvedType.name
  return resolved.type === 'bytes' ? 'string' : resolved.type
}

await t.test('every field of the table is the one of the protocol', (t) => {
  for (const [message, fields] of Object.entries(messageTable)) {
    const type = reference.lookupType(message)
    for (const [name, { id, type: ours, ...rest }] of Object.entries(fields)) {
      const field = type.fieldsArray.find((candidate) => candidate.name === name)
      if (!field) throw new Error(`${message} has no field ${name}`)
      t.same(
        [id, ours === 'bytes' ? 'string' : ours, 'rule' in rest],
        [field.id, onTheWire(field), field.repeated],
        `${message}.${name}`,
      )
    }
  }
  t.end()
})

await t.test('every method has its path and types', (t) => {
  for (const { path } of Object.values(methods)) {
    const [, service, name] = /^\/etcdserverpb\.(\w+)\/(\w+)$/.exec(path) ?? []
    const method = reference.lookupService(service!).methods[name!]
    t.ok(method, path)
    t.ok(method!.requestType.replace(/.*\./, '') in messageTable, method!.requestType)
    t.ok(method!.responseType.replace(/.*\./, '') in messageTable, method!.responseType)
  }
  t.end()
})

await t.test('the end of a prefix', (t) => {
  const table: [string, number[]][] = [
    ['a', [0x62]],
    ['/x/', [0x2f, 0x78, 0x30]],
    ['', [0]],
    ['\x7f', [0x80]],
    ['é', [0xc3, 0xaa]],
  ]
  for (const [prefix, end] of table) t.same([...rangeEndOfPrefix(prefix)], end, JSON.stringify(prefix))
  t.end()
})

await t.test('lease ids keep all their bits', (t) => {
  for (const id of ['1', '7ac2a1fd5c7a0008', '7fffffffffffffff', 'ffffffffffffffff']) {
    t.equal(leaseIdToText(leaseIdFromText(id)!), id)
  }
  for (const text of ['', 'xyz', '12345678901234567', '-1', '0x1']) t.equal(leaseIdFromText(text), undefined)
  t.equal(leaseIdToText(0), undefined)
  t.end()
})
