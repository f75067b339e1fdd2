import { type IKeyValue, type IResponseHeader } from 'etcd3'
import { type KeyValue } from '../store.ts'

/*
 * Between the words of a Store and the messages of etcd3, in which keys and values are bytes and 64-bit numbers are
 * decimal texts.
 */

export function toKeyValue(wire: IKeyValue): KeyValue {
  const lease = leaseIdToText(wire.lease)
  return {
    key: wire.key.toString(),
    value: wire.value.toString(),
    modRevision: Number(wire.mod_revision),
    createRevision: Number(wire.create_revision),
    ...(lease === undefined ? {} : { lease }),
  }
}

/** 0 for an answer without a header: etcd leaves out what is empty. */
export function revisionOf(header: IResponseHeader | null): number {
  return header === null ? 0 : Number(header.revision)
}

/** A lease id in hexadecimal, as etcdctl prints it; undefined for 0, "no lease". */
export function leaseIdToText(id: string): string | undefined {
  const bits = BigInt.asUintN(64, BigInt(id))
  return bits === 0n ? undefined : bits.toString(16)
}

/** Undefined if the text isn't a lease id. */
export function leaseIdFromText(text: string): string | undefined {
  return /^[0-9a-f]{1,16}$/.test(text) ? BigInt.asIntN(64, BigInt(`0x${text}`)).toString() : undefined
}

/** The keys that begin with the prefix; for the empty prefix all keys. */
export function prefixRange(prefix: string): { key: Buffer; range_end: Buffer } {
  return { key: Buffer.from(prefix === '' ? '\0' : prefix), range_end: rangeEndOfPrefix(prefix) }
}

/** The first key behind all those that begin with the prefix; for the empty prefix the mark for "no end". */
export function rangeEndOfPrefix(prefix: string): Buffer {
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
