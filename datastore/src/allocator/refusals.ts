import type { Family } from '@network/net'
import type { PoolFault } from '../ipam/pool-choice.ts'
import { AllocationError, type NoAddressReason } from './allocation-error.ts'
import type { Holder } from './requests.ts'

/*
 * What a request is told when it can't be met: whole sentences, with the remedy.
 */

const familyName = { ipv4: 'IPv4', ipv6: 'IPv6' } as const

/** A holder in words. */
export function describeHolder({ handle, owner, reservation }: Holder): string {
  const parts: string[] = []
  if (owner) parts.push(`${owner.orchestrator} workload '${owner.workload}' on node '${owner.node}'`)
  if (handle !== undefined) parts.push(`handle '${handle}'`)
  if (reservation !== undefined) parts.push(`reservation '${reservation}'`)
  return parts.length === 0 ? 'nobody known (a leaked address)' : parts.join(', ')
}

export function noAddress(
  family: Family,
  reason: NoAddressReason,
  facts: { node: string; asked: number; available: number; pools: readonly string[]; blockLimit: number },
): AllocationError {
  const pools = facts.pools.length === 1 ? `pool ${facts.pools.join()}` : `pools ${facts.pools.join(', ')}`
  const words: Record<NoAddressReason, { why: string; remedy: string }> = {
    'no-pool': {
      why: `no ${familyName[family]} pool is enabled, Automatic and selects the node`,
      remedy: 'Create an IPPool, or look at disabled, assignmentMode and nodeSelector of those there are.',
    },
    exhausted: {
      why: `no addresses left in ${pools}`,
      remedy: "Add an IPPool, or look for leaked addresses with 'drover ipam check'.",
    },
    cooldown: {
      why: `the free addresses of ${pools} still rest after their release`,
      remedy: 'Wait, lower ipCooldownSeconds in the IPAMConfiguration, or add an IPPool.',
    },
    'block-limit': {
      why: `the node's blocks are full and it already holds ${String(facts.blockLimit)}, the most that maxBlocksPerHost allows`,
      remedy: 'Raise maxBlocksPerHost in the IPAMConfiguration.',
    },
    'strict-affinity': {
      why: `the node's blocks are full, none is left to claim in ${pools}, and strictAffinity forbids borrowing from other nodes`,
      remedy: 'Add an IPPool, or turn strictAffinity off in the IPAMConfiguration.',
    },
    'auto-allocate-blocks': {
      why: "the node's blocks are full and autoAllocateBlocks is off",
      remedy: 'Claim a block for the node, or turn autoAllocateBlocks on in the IPAMConfiguration.',
    },
    scattered: {
      why: `what is left in ${pools} is spread over too many blocks for one request`,
      remedy: 'Ask for fewer addresses at once.',
    },
  }
  const { why, remedy } = words[reason]
  const found = facts.available > 0 ? ` (${String(facts.available)} of ${String(facts.asked)} found)` : ''
  return new AllocationError(
    'no-address',
    `Node '${facts.node}' gets no ${familyName[family]} address: ${why}${found}.`,
    {
      remedy,
      details: {
        reason,
        family,
        node: facts.node,
        asked: facts.asked,
        available: facts.available,
        pools: facts.pools,
      },
    },
  )
}

export function poolRefused(fault: PoolFault, node: string): AllocationError {
  if (fault.code === 'unknown') {
    return new AllocationError('not-in-pool', `There is no IPPool '${fault.pool}'.`, {
      remedy: "'drover get ippools' lists them.",
      details: { pool: fault.pool },
    })
  }
  if (fault.code === 'disabled') return poolDisabled(fault.pool)
  if (fault.code === 'family') {
    return new AllocationError(
      'family',
      `None of the pools asked for has ${familyName[fault.family]} addresses.`,
      {
        remedy: `Name an ${familyName[fault.family]} pool too, or don't ask for that family.`,
        details: { family: fault.family },
      },
    )
  }
  return noAddress(fault.family, 'no-pool', { node, asked: 1, available: 0, pools: [], blockLimit: 0 })
}

export function poolDisabled(pool: string): AllocationError {
  return new AllocationError('pool-disabled', `IPPool '${pool}' is disabled and hands out no addresses.`, {
    remedy: `Set disabled: false in IPPool '${pool}', or take another pool.`,
    details: { pool },
  })
}

export function notInPool(address: string, requested: readonly string[] | undefined): AllocationError {
  const where =
    requested === undefined ? 'no IPPool' : `none of the pools asked for (${requested.join(', ')})`
  return new AllocationError('not-in-pool', `Address ${address} lies in ${where}.`, {
    remedy: 'Take an address of a pool, or create an IPPool that has it.',
    details: { address },
  })
}

export function notInRange(address: string, ranges: readonly string[]): AllocationError {
  return new AllocationError('not-in-pool', `Address ${address} is not in ${ranges.join(', ')}.`, {
    remedy: 'Ask for an address of the range.',
    details: { address, ranges },
  })
}

export function addressReserved(address: string): AllocationError {
  return new AllocationError('reserved', `Address ${address} is kept from use by an IPReservation.`, {
    remedy: "Take another address; 'drover get ipreservations' lists what is reserved.",
    details: { address },
  })
}

export function addressTaken(address: string, holder: Holder): AllocationError {
  return new AllocationError('taken', `Address ${address} is held by ${describeHolder(holder)}.`, {
    remedy: 'Take another address, or release it there first.',
    details: { address, holder },
  })
}

export function strictAffinityForbids(
  address: string,
  block: string,
  affinity: string | null,
): AllocationError {
  const whose = affinity === null ? 'no node holds' : `node '${affinity}' holds`
  return new AllocationError(
    'strict-affinity',
    `Address ${address} lies in block ${block}, which ${whose}, and strictAffinity forbids borrowing it.`,
    {
      remedy: 'Take an address of a block of this node, or turn strictAffinity off in the IPAMConfiguration.',
      details: { address, block, affinity },
    },
  )
}

export function handleTaken(handle: string, holder: Holder): AllocationError {
  return new AllocationError('taken', `Handle '${handle}' already belongs to ${describeHolder(holder)}.`, {
    remedy: 'Use another handle, or release that one first.',
    details: { handle, holder },
  })
}

export function handleMismatch(handle: string, held: readonly string[], wanted: string): AllocationError {
  return new AllocationError('mismatch', `Handle '${handle}' holds ${held.join(', ')}, not ${wanted}.`, {
    remedy: 'Release the handle first.',
    details: { handle, held },
  })
}

export function reservationTaken(reservation: string, holder: Holder): AllocationError {
  return new AllocationError(
    'taken',
    `Reservation '${reservation}' is in use by ${describeHolder(holder)}.`,
    {
      remedy: 'Stop that workload, or release its handle first.',
      details: { reservation, holder },
    },
  )
}

export function reservationMismatch(
  reservation: string,
  held: readonly string[],
  address: string,
): AllocationError {
  return new AllocationError(
    'mismatch',
    `Reservation '${reservation}' holds ${held.join(', ')}, not ${address}.`,
    {
      remedy: 'Ask without a fixed address, or release the reservation first.',
      details: { reservation, held, address },
    },
  )
}

export function invalid(message: string, details: Readonly<Record<string, unknown>> = {}): AllocationError {
  return new AllocationError('invalid', message, { details })
}
