import { defineKind } from '../kind.ts'
import { boolean, integer, object, withDefault } from '../schema.ts'

export interface IPAMConfigurationSpec {
  strictAffinity: boolean
  autoAllocateBlocks: boolean
  /** 0: no limit. */
  maxBlocksPerHost: number
  ipCooldownSeconds: number
}

/** What holds while nobody has written an IPAMConfiguration. */
export const IPAM_DEFAULTS: Readonly<IPAMConfigurationSpec> = {
  strictAffinity: false,
  autoAllocateBlocks: true,
  maxBlocksPerHost: 0,
  ipCooldownSeconds: 0,
}

export const ipamConfiguration = defineKind<IPAMConfigurationSpec>()({
  kind: 'IPAMConfiguration',
  plural: 'ipamconfigurations',
  aliases: ['ipamconfiguration', 'ipamconfig', 'ipamconfigs'],
  description: 'How nodes take blocks and addresses.',
  names: 'default',
  spec: object<IPAMConfigurationSpec>({
    strictAffinity: withDefault(
      boolean(),
      IPAM_DEFAULTS.strictAffinity,
      "Never borrow an address from another node's block.",
    ),
    autoAllocateBlocks: withDefault(
      boolean(),
      IPAM_DEFAULTS.autoAllocateBlocks,
      'Let nodes claim free blocks by themselves.',
    ),
    maxBlocksPerHost: withDefault(
      integer(0, 65536),
      IPAM_DEFAULTS.maxBlocksPerHost,
      'Blocks that one node may hold; 0 is no limit. Needs strictAffinity.',
    ),
    ipCooldownSeconds: withDefault(
      integer(0, 1200),
      IPAM_DEFAULTS.ipCooldownSeconds,
      'How long a released address rests before it is handed out again.',
    ),
  }),
  refine(spec, report) {
    if (!spec.strictAffinity && !spec.autoAllocateBlocks) {
      report(
        ['spec', 'autoAllocateBlocks'],
        false,
        'true, or strictAffinity true',
        "nodes that may not claim blocks would live on single addresses borrowed from others'",
      )
    }
    if (!spec.strictAffinity && spec.maxBlocksPerHost > 0) {
      report(
        ['spec', 'maxBlocksPerHost'],
        spec.maxBlocksPerHost,
        '0, or strictAffinity true',
        'past the limit a node would borrow single addresses, each a route of its own',
      )
    }
  },
})
