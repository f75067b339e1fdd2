import { prefixOrAddress } from '../formats.ts'
import { defineKind } from '../kind.ts'
import { list, object, required, text } from '../schema.ts'

export interface IPReservationSpec {
  /** Prefixes; validation writes a bare address as /32 or /128. */
  reservedCIDRs: string[]
}

export const ipReservation = defineKind<IPReservationSpec>()({
  kind: 'IPReservation',
  plural: 'ipreservations',
  aliases: ['ipreservation'],
  description: 'Addresses that are never handed out.',
  spec: object<IPReservationSpec>({
    reservedCIDRs: required(
      list(text(prefixOrAddress), { distinct: true }),
      'Prefixes or addresses; those already held stay with their workloads.',
    ),
  }),
})
