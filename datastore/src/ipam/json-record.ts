import { type Result, failure, success } from '@network/net'

/** Whether it is an object with fields, and no array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Reads a JSON object that may have come from anywhere. */
export function parseJsonRecord(text: string): Result<Record<string, unknown>, string> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return failure('it is not JSON')
  }
  return isRecord(value) ? success(value) : failure('it is not a JSON object')
}

/** A sequence number, revision or time: a whole number from 0. */
export function isSequence(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
