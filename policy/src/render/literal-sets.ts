/** Sets that rules bring along: lists of networks or ports too long for a rule of the kernel, named by their content. */
import type { Family } from '@network/net'
import type { PortRange } from '../port-range.ts'
import { netsSetName, portsSetName } from './names.ts'
import type { SetType } from './rendered.ts'

export interface LiteralSet {
  readonly type: SetType
  readonly family: Family | undefined
  readonly members: readonly string[]
}

/** Collects what the rules of one group of chains bring along. */
export class LiteralSets {
  readonly wanted = new Map<string, LiteralSet>()

  /** The name of the set of these networks; none of them is a whole family. */
  nets(family: Family, nets: readonly string[]): string {
    const members = [...nets].sort()
    const name = netsSetName(members, family)
    this.wanted.set(name, { type: 'hash:net', family, members })
    return name
  }

  ports(ranges: readonly PortRange[]): string {
    const members = ranges.map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`)).sort()
    const name = portsSetName(members)
    this.wanted.set(name, { type: 'bitmap:port', family: undefined, members })
    return name
  }
}
