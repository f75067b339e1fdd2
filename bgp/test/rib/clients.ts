/** A RIB that reflects between clients, and what they say to it. */
import { ipv4Unicast, ipv6Unicast } from '../../src/codec/iana.ts'
import { type PathAttributes } from '../../src/codec/path-attributes.ts'
import { createRib } from '../../src/rib/create-rib.ts'
import { type Rib } from '../../src/rib/rib.ts'
import { FarEnd, ownAsn, settle } from './far-end.ts'

export const newRib = (): Rib => createRib({ asn: ownAsn, routerId: 0x0afe0001 })
export const bothFamilies = new Set([ipv4Unicast, ipv6Unicast])

/** Clients of a reflector: 10.0.0.1, 10.0.0.2, … */
export function clients(rib: Rib, count: number): FarEnd[] {
  return Array.from({ length: count }, (_, i) => client(rib, i + 1))
}

function client(rib: Rib, host: number): FarEnd {
  return new FarEnd(
    rib,
    { address: `10.0.0.${host}`, routerId: `10.255.0.${host}` },
    { routeReflectorClient: true },
  ).up()
}

/** Three clients of a reflector; what the first has said, all have heard. */
export function reflector(prefixes: readonly string[]): {
  readonly rib: Rib
  readonly ends: readonly FarEnd[]
  readonly one: FarEnd
  readonly two: FarEnd
  readonly three: FarEnd
} {
  const rib = newRib()
  const [one, two, three] = [client(rib, 1), client(rib, 2), client(rib, 3)]
  const ends = [one, two, three]
  say(one, prefixes)
  pullAll(rib, ends)
  return { rib, ends, one, two, three }
}

export function say(
  from: FarEnd | undefined,
  prefixes: readonly string[],
  attributes: PathAttributes = {},
): void {
  from?.announce({ prefixes, nextHop: '192.0.2.1', attributes })
}

export function pullAll(rib: Rib, ends: readonly FarEnd[]): void {
  settle(rib)
  for (const end of ends) end.pull()
}

/** The prefixes that a client has heard. */
export const names = (end: FarEnd | undefined): string[] => Object.keys(end?.table() ?? {})
