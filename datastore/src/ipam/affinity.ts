import { type Result, failure, success } from '@network/net'
import { parseJsonRecord } from './json-record.ts'

/**
 * Whether a node holds a block. Drover claims a block, and gives it back, in one transaction with the block itself,
 * so that it only ever writes `confirmed`; the two other words say that somebody takes it in several steps, and mean
 * that the node must not be believed to hold the block.
 */
export const AffinityState = {
  pending: 'pending',
  confirmed: 'confirmed',
  pendingDeletion: 'pendingDeletion',
} as const
export type AffinityState = (typeof AffinityState)[keyof typeof AffinityState]

export function encodeAffinity(state: AffinityState): string {
  return JSON.stringify({ state })
}

/** Reads an affinity's value. The error says what can't be read. */
export function decodeAffinity(text: string): Result<AffinityState, string> {
  const parsed = parseJsonRecord(text)
  if (!parsed.ok) return parsed
  const { state } = parsed.value
  const known = Object.values(AffinityState).find((word) => word === state)
  return known === undefined ? failure('state is not pending, confirmed or pendingDeletion') : success(known)
}
