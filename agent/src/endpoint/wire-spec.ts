/** What an interface is asked to be, read and checked. Pure. */
import {
  type Family,
  type Result,
  failure,
  formatAddress,
  formatPrefix,
  parseAddress,
  parsePrefix,
  success,
} from '@network/net'
import { workloadMac } from './interface-name.ts'
import type { WireSpec } from './wire.ts'

/** All host ends have this MAC: a workload's neighbour entry outlives its interface's rebuild. */
export const hostMac = 'ee:ee:ee:ee:ee:ee'

/** A spec whose values have been parsed and are in canonical form. */
export interface CheckedSpec {
  readonly interfaceName: string
  readonly hostName: string
  readonly mac: string
  readonly mtuBytes: number
  readonly addresses: Readonly<Record<Family, readonly string[]>>
  readonly sources: Readonly<Partial<Record<Family, string>>>
  readonly destinations: Readonly<Record<Family, readonly string[]>>
  readonly defaultRoute: boolean | undefined
  readonly fromLoopback: boolean
  readonly foreignSources: boolean
}

/** The field that can't be, and why; the end of a sentence. */
export interface SpecFault {
  readonly field: keyof WireSpec
  readonly value: unknown
  readonly reason: string
}

// Narrower than the kernel: a name must also pass /proc/sys and an administrator's command line unchanged.
const interfacePattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/
const macPattern = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/

/** Checks every value of a spec but the namespace's path. */
export function checkWireSpec(spec: WireSpec): Result<CheckedSpec, SpecFault> {
  const fault = (field: keyof WireSpec, reason: string): { ok: false; error: SpecFault } =>
    failure({ field, value: spec[field], reason })
  for (const field of ['interfaceName', 'hostInterfaceName'] as const) {
    if (!interfacePattern.test(spec[field])) {
      return fault(
        field,
        "is not an interface name: 1 to 15 of A-Z a-z 0-9 '_' '.' '-', not beginning with '.' or '-'",
      )
    }
    if (['lo', 'all', 'default'].includes(spec[field]))
      return fault(field, 'is a name that the kernel uses itself')
  }
  if (!Number.isInteger(spec.mtuBytes) || spec.mtuBytes < 68 || spec.mtuBytes > 65_535) {
    return fault('mtuBytes', 'is not between 68 and 65535')
  }
  const addresses: Record<Family, string[]> = { ipv4: [], ipv6: [] }
  for (const text of spec.addresses) {
    const parsed = parseAddress(text)
    if (!parsed.ok)
      return fault('addresses', `has '${text}', which is not an address: ${parsed.error.reason}`)
    addresses[parsed.value.family].push(formatAddress(parsed.value))
  }
  const sources: Partial<Record<Family, string>> = {}
  for (const text of spec.sources ?? []) {
    const parsed = parseAddress(text)
    const source = parsed.ok ? formatAddress(parsed.value) : text
    if (!parsed.ok || !addresses[parsed.value.family].includes(source))
      return fault('sources', `has '${text}', which is none of its addresses`)
    sources[parsed.value.family] ??= source
  }
  if (addresses.ipv6.length > 0 && spec.mtuBytes < 1280) {
    return fault('mtuBytes', 'is below 1280, the least that IPv6 works with')
  }
  const destinations: Record<Family, string[]> = { ipv4: [], ipv6: [] }
  for (const text of spec.destinations ?? []) {
    const parsed = parsePrefix(text)
    if (!parsed.ok)
      return fault('destinations', `has '${text}', which is not a prefix: ${parsed.error.reason}`)
    const { family } = parsed.value.address
    if (addresses[family].length > 0) destinations[family].push(formatPrefix(parsed.value))
  }
  const mac = spec.mac?.toLowerCase() ?? workloadMac(spec.hostInterfaceName)
  if (!macPattern.test(mac)) return fault('mac', 'is not six pairs of hexadecimal digits with colons')
  if ((Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 || mac === '00:00:00:00:00:00' || mac === hostMac) {
    return fault('mac', 'is a group address or one that is used otherwise')
  }
  return success({
    interfaceName: spec.interfaceName,
    hostName: spec.hostInterfaceName,
    mac,
    mtuBytes: spec.mtuBytes,
    addresses,
    sources,
    destinations,
    defaultRoute: spec.defaultRoute,
    fromLoopback: spec.fromLoopback === true,
    foreignSources: spec.foreignSources === true,
  })
}
