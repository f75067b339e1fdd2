import { parsePrefix, prefix, prefixFamily, prefixesOverlap } from '@network/net'
import { anyPrefix, selector } from '../formats.ts'
import { defineKind } from '../kind.ts'
import { boolean, integer, object, oneOf, optional, required, text, withDefault } from '../schema.ts'

export interface IPPoolSpec {
  cidr: string
  /** Prefix length of a block; validation fills in 26 (IPv4) or 122 (IPv6). */
  blockSize?: number
  natOutgoing: boolean
  disabled: boolean
  disableBGPExport: boolean
  nodeSelector: string
  assignmentMode: 'Automatic' | 'Manual'
}

/** Block sizes: the default, and the shortest and longest length allowed. */
export const BLOCK_SIZES = {
  ipv4: { default: 26, min: 20, max: 32 },
  ipv6: { default: 122, min: 116, max: 128 },
} as const

const linkLocal = [prefix('169.254.0.0/16'), prefix('fe80::/10')]
const unusable = [
  { network: prefix('127.0.0.0/8'), what: 'loopback addresses' },
  { network: prefix('224.0.0.0/4'), what: 'multicast addresses' },
  { network: prefix('::1/128'), what: 'the loopback address' },
  { network: prefix('ff00::/8'), what: 'multicast addresses' },
]

/** The block length of a validated pool. */
export function blockSizeOf(spec: Pick<IPPoolSpec, 'cidr' | 'blockSize'>): number {
  return spec.blockSize ?? BLOCK_SIZES[spec.cidr.includes(':') ? 'ipv6' : 'ipv4'].default
}

export const ipPool = defineKind<IPPoolSpec>()({
  kind: 'IPPool',
  plural: 'ippools',
  aliases: ['ippool', 'pool', 'pools'],
  description: 'A range that workloads get their addresses from.',
  spec: object<IPPoolSpec>({
    cidr: required(text(anyPrefix), 'The range. Cannot change.'),
    blockSize: optional(
      integer(0, 128),
      'Prefix length of the blocks that nodes claim: 20-32 (default 26) for IPv4, 116-128 (default 122) for IPv6. Cannot change.',
    ),
    natOutgoing: withDefault(
      boolean(),
      false,
      'Give traffic that leaves for addresses outside every pool the address of the node.',
    ),
    disabled: withDefault(boolean(), false, 'Hand out no new addresses; those held stay.'),
    disableBGPExport: withDefault(boolean(), false, 'Announce nothing of this range to BGP peers.'),
    nodeSelector: withDefault(text(selector), 'all()', 'Nodes that may take blocks, by their labels.'),
    assignmentMode: withDefault(
      oneOf(['Automatic', 'Manual']),
      'Automatic',
      'Manual: only where a workload or network names the pool.',
    ),
  }),
  immutable: ['cidr', 'blockSize'],
  refine(spec, report) {
    const parsed = parsePrefix(spec.cidr)
    if (!parsed.ok) return
    const pool = parsed.value
    for (const local of linkLocal) {
      if (prefixesOverlap(pool, local)) {
        report(
          ['spec', 'cidr'],
          spec.cidr,
          'a range outside 169.254.0.0/16 and fe80::/10',
          'it overlaps link-local addresses, which never leave a link',
        )
      }
    }
    for (const { network, what } of unusable) {
      if (prefixesOverlap(pool, network)) {
        report(['spec', 'cidr'], spec.cidr, 'a range of unicast addresses', `it overlaps ${what}`)
      }
    }
    const sizes = BLOCK_SIZES[prefixFamily(pool)]
    const blockSize = spec.blockSize ?? sizes.default
    if (blockSize < sizes.min || blockSize > sizes.max) {
      report(
        ['spec', 'blockSize'],
        blockSize,
        `a length from ${String(sizes.min)} to ${String(sizes.max)} for ${prefixFamily(pool) === 'ipv4' ? 'IPv4' : 'IPv6'}`,
      )
    } else if (blockSize < pool.length) {
      report(
        ['spec', 'blockSize'],
        blockSize,
        `a length of at least ${String(pool.length)}, the pool's own`,
        `a block of /${String(blockSize)} is bigger than the pool ${spec.cidr}${spec.blockSize === undefined ? ' (it is the default: set blockSize)' : ''}`,
      )
    }
    spec.blockSize = blockSize
  },
})
