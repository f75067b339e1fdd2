import { type Prefix, prefixEquals } from '@network/net'
import { type PeerSettings } from './settings.ts'

/** What turns the peers that there are into those that there shall be. */
export interface PeerPlan {
  readonly add: readonly PeerSettings[]
  readonly remove: readonly string[]
  /** The session must start anew, because these options are part of its OPEN or of its socket. */
  readonly reset: readonly { readonly settings: PeerSettings; readonly because: readonly string[] }[]
  readonly update: readonly PeerSettings[]
}

export function planPeers(
  current: ReadonlyMap<string, PeerSettings>,
  desired: ReadonlyMap<string, PeerSettings>,
): PeerPlan {
  const add: PeerSettings[] = []
  const reset: { settings: PeerSettings; because: readonly string[] }[] = []
  const update: PeerSettings[] = []
  for (const settings of desired.values()) {
    const before = current.get(settings.name)
    if (before === undefined) {
      add.push(settings)
      continue
    }
    const because = resettingChanges(before, settings)
    if (because.length > 0) reset.push({ settings, because })
    else if (!deepEqual(before.options, settings.options)) update.push(settings)
  }
  const remove = [...current.keys()].filter((name) => !desired.has(name))
  return { add, remove, reset, update }
}

/** Settings that the OPEN or the socket carries: a change of one takes a new session. */
const sessionSettings = [
  'address',
  'range',
  'device',
  'unnumbered',
  'port',
  'peerAsn',
  'localAsn',
  'families',
  'password',
  'sourceAddress',
  'ttl',
  'minimumTtl',
  'holdTimeSeconds',
  'keepaliveSeconds',
  'gracefulRestart',
  'addPathReceive',
  'extendedMessage',
  'extendedNextHop',
  'role',
  'roleStrict',
  'shutdown',
] as const satisfies readonly (keyof PeerSettings)[]

/** Names of the settings that differ and that a running session cannot take. */
export function resettingChanges(before: PeerSettings, after: PeerSettings): readonly string[] {
  const changes: string[] = sessionSettings.filter((name) =>
    name === 'range' ? !sameRange(before.range, after.range) : !deepEqual(before[name], after[name]),
  )
  if (before.addPathSend > 1 !== after.addPathSend > 1) changes.push('addPathSend')
  return changes
}

function sameRange(a: Prefix | undefined, b: Prefix | undefined): boolean {
  return a === undefined || b === undefined ? a === b : prefixEquals(a, b)
}

/** Equality of plain data; functions are equal to themselves. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const left = Object.entries(a).filter(([, value]) => value !== undefined)
  const right = new Map<string, unknown>(Object.entries(b).filter(([, value]) => value !== undefined))
  return (
    left.length === right.size &&
    left.every(([key, value]) => right.has(key) && deepEqual(value, right.get(key)))
  )
}
