import { type Clock, type Log, type Prefix, parseInterfaceAddress, parsePrefix, prefixOf } from '@network/net'
import { isRecord, parseJsonRecord } from '../ipam/json-record.ts'
import type { Pool } from '../ipam/pool-choice.ts'
import { parseResourceKey, resourceKey, resourcePrefix } from '../model/keys.ts'
import type { KindName } from '../model/kinds/index.ts'
import { IPAM_DEFAULTS, type IPAMConfigurationSpec } from '../model/kinds/ipam-configuration.ts'
import { blockSizeOf } from '../model/kinds/ip-pool.ts'
import { evaluateSelector, parseSelector } from '../model/selector/index.ts'
import type { KeyValue, Store } from '../store/store.ts'

/** A pool with what a transaction needs to make sure that it is still what was read. */
export interface StoredPool extends Pool {
  readonly key: string
  readonly modRevision: number
}

/** What people have set that bears on addresses. */
export interface Settings {
  readonly pools: readonly StoredPool[]
  readonly reserved: readonly Prefix[]
  readonly configuration: Readonly<IPAMConfigurationSpec>
  readonly selectsNode: (pool: Pool) => boolean
  /** The clock's monotonic time before it was read. */
  readonly readAt: number
}

/** What the keys of pools, reservations and configuration have in common: one listing reads them all. */
const sharedPrefix = [
  resourcePrefix('IPPool'),
  resourcePrefix('IPReservation'),
  resourcePrefix('IPAMConfiguration'),
].reduce(commonStart)

function commonStart(a: string, b: string): string {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return a.slice(0, length)
}

/** Reads the settings when those at hand are older than asked for. */
export interface SettingsReader {
  /** @param notBefore monotonic time: settings read earlier won't do */
  read(notBefore: number, deadlineMs: number): Promise<Settings>
}

export function createSettingsReader(
  modules: { store: Store; clock: Clock; log: Log },
  options: { node: string },
): SettingsReader {
  const { store, clock, log } = modules
  let current: Settings | undefined

  return {
    async read(notBefore, deadlineMs) {
      if (current !== undefined && current.readAt >= notBefore) return current
      const readAt = clock.monotonic()
      const [{ items }, node] = await Promise.all([
        store.list(sharedPrefix, { deadlineMs }),
        store.get(resourceKey({ kind: 'Node', name: options.node }), { deadlineMs }),
      ])
      const labels = labelsOf(node)
      const of = (kind: KindName): KeyValue[] =>
        items.filter(({ key }) => key.startsWith(resourcePrefix(kind)))
      current = {
        pools: of('IPPool').flatMap((item) => readPool(item, log)),
        reserved: of('IPReservation').flatMap((item) => readReservedCidrs(item, log)),
        configuration: readConfiguration(
          of('IPAMConfiguration').find(({ key }) => parseResourceKey(key)?.name === 'default'),
        ),
        selectsNode: (pool) => selects(pool, labels),
        readAt,
      }
      return current
    },
  }
}

function specOf(item: KeyValue | undefined): Record<string, unknown> {
  const parsed = item && parseJsonRecord(item.value)
  return parsed?.ok && isRecord(parsed.value['spec']) ? parsed.value['spec'] : {}
}

function labelsOf(item: KeyValue | undefined): Record<string, string> {
  const parsed = item && parseJsonRecord(item.value)
  const metadata = parsed?.ok ? parsed.value['metadata'] : undefined
  const labels = isRecord(metadata) && isRecord(metadata['labels']) ? metadata['labels'] : {}
  return Object.fromEntries(
    Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

/** Reads an IPPool's value; one that can't be read is no pool, and is logged. */
export function readPool(item: KeyValue, log: Log): StoredPool[] {
  const name = parseResourceKey(item.key)?.name
  const spec = specOf(item)
  const cidrText = spec['cidr']
  const cidr = typeof cidrText === 'string' ? parsePrefix(cidrText) : undefined
  const size = spec['blockSize']
  if (name === undefined || typeof cidrText !== 'string' || !cidr?.ok) {
    log.warn({ key: item.key }, 'an IPPool cannot be read, it is left out')
    return []
  }
  const blockSize = blockSizeOf({
    cidr: cidrText,
    ...(typeof size === 'number' && Number.isInteger(size) && { blockSize: size }),
  })
  const narrowest = cidr.value.address.family === 'ipv4' ? 32 : 128
  if (blockSize < Math.max(cidr.value.length, narrowest - 12) || blockSize > narrowest) {
    log.warn({ key: item.key, blockSize }, 'an IPPool has an impossible block size, it is left out')
    return []
  }
  return [
    {
      name,
      cidr: cidr.value,
      blockSize,
      disabled: spec['disabled'] === true,
      assignmentMode: spec['assignmentMode'] === 'Manual' ? 'Manual' : 'Automatic',
      nodeSelector: typeof spec['nodeSelector'] === 'string' ? spec['nodeSelector'] : undefined,
      key: item.key,
      modRevision: item.modRevision,
    },
  ]
}

function readReservedCidrs(item: KeyValue, log: Log): Prefix[] {
  const list = specOf(item)['reservedCIDRs']
  if (!Array.isArray(list)) return []
  return list.flatMap((entry: unknown) => {
    const text = typeof entry !== 'string' || entry.includes('/') ? entry : `${entry}/${bits(entry)}`
    const parsed = typeof text === 'string' ? parseInterfaceAddress(text) : undefined
    if (parsed?.ok) return [prefixOf(parsed.value.address, parsed.value.length)]
    log.warn({ key: item.key, cidr: entry }, 'an entry of an IPReservation cannot be read, it is left out')
    return []
  })
}

function bits(address: string): string {
  return address.includes(':') ? '128' : '32'
}

function readConfiguration(item: KeyValue | undefined): IPAMConfigurationSpec {
  const spec = specOf(item)
  const flag = (name: 'strictAffinity' | 'autoAllocateBlocks'): boolean => {
    const value = spec[name]
    return typeof value === 'boolean' ? value : IPAM_DEFAULTS[name]
  }
  const count = (name: 'maxBlocksPerHost' | 'ipCooldownSeconds'): number => {
    const value = spec[name]
    return typeof value === 'number' && value >= 0 ? value : IPAM_DEFAULTS[name]
  }
  return {
    strictAffinity: flag('strictAffinity'),
    autoAllocateBlocks: flag('autoAllocateBlocks'),
    maxBlocksPerHost: count('maxBlocksPerHost'),
    ipCooldownSeconds: count('ipCooldownSeconds'),
  }
}

function selects(pool: Pool, labels: Record<string, string>): boolean {
  const parsed = parseSelector(pool.nodeSelector ?? 'all()')
  return parsed.ok && evaluateSelector(parsed.value, labels)
}
