import { CapabilityCode, afiOf, safiOf } from './iana.ts'
import { type AddPathFamily, type Capability } from './messages.ts'
import { type Reader, copyOf } from './reader.ts'
import { type Writer } from './writer.ts'

type Kind = Capability['kind']
type Of<K extends Kind> = Extract<Capability, { kind: K }>

/**
 * How the value of one capability is read and written. `decode` gives undefined if the value doesn't have the form
 * or holds bits that the form has no name for: such a capability is kept as unknown and its octets survive.
 */
interface CapabilityRow<K extends Kind> {
  readonly code: number
  decode(value: Reader): Of<K> | undefined
  encode(capability: Of<K>, into: Writer): void
}

const addPathModes: readonly (AddPathFamily['mode'] | undefined)[] = [undefined, 'receive', 'send', 'both']

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const octets = new TextEncoder()

/** Text of valid UTF-8; undefined otherwise. */
function readText(value: Reader): string | undefined {
  const bytes = value.take(value.u8())
  try {
    return text.decode(bytes)
  } catch {
    return undefined
  }
}

/** At most 255 octets of UTF-8, cut between characters. */
function putText(value: string, into: Writer): void {
  const bytes = new Uint8Array(255)
  const { written } = octets.encodeInto(value, bytes)
  into.u8(written)
  into.put(bytes.subarray(0, written))
}

/** Reads entries until the value ends; undefined if `read` refuses one. */
function entries<T>(value: Reader, read: () => T | undefined): T[] | undefined {
  const list: T[] = []
  while (value.remaining > 0) {
    const entry = read()
    if (entry === undefined || value.overran()) return undefined
    list.push(entry)
  }
  return list
}

function readFamily(value: Reader): number {
  const afi = value.u16()
  return (afi << 8) | value.u8()
}

function putFamily(family: number, into: Writer): void {
  into.u16(afiOf(family))
  into.u8(safiOf(family))
}

const rows: { readonly [K in Exclude<Kind, 'unknown'>]: CapabilityRow<K> } = {
  // RFC 4760 section 8: AFI, a reserved octet, SAFI.
  multiprotocol: {
    code: CapabilityCode.multiprotocol,
    decode(value) {
      const afi = value.u16()
      const reserved = value.u8()
      const safi = value.u8()
      return reserved === 0 ? { kind: 'multiprotocol', afiSafi: (afi << 8) | safi } : undefined
    },
    encode(capability, into) {
      into.u16(afiOf(capability.afiSafi))
      into.u8(0)
      into.u8(safiOf(capability.afiSafi))
    },
  },
  // RFC 2918 section 2.
  'route-refresh': {
    code: CapabilityCode.routeRefresh,
    decode: () => ({ kind: 'route-refresh' }),
    encode: () => undefined,
  },
  // RFC 8950 section 4: AFI, SAFI in two octets, next hop AFI.
  'extended-next-hop': {
    code: CapabilityCode.extendedNextHop,
    decode(value) {
      const list = entries(value, () => {
        const afi = value.u16()
        const safi = value.u16()
        const nextHopAfi = value.u16()
        return safi > 255 ? undefined : { afiSafi: (afi << 8) | safi, nextHopAfi }
      })
      return list && { kind: 'extended-next-hop', entries: list }
    },
    encode(capability, into) {
      for (const entry of capability.entries) {
        into.u16(afiOf(entry.afiSafi))
        into.u16(safiOf(entry.afiSafi))
        into.u16(entry.nextHopAfi)
      }
    },
  },
  // RFC 8654 section 3.
  'extended-message': {
    code: CapabilityCode.extendedMessage,
    decode: () => ({ kind: 'extended-message' }),
    encode: () => undefined,
  },
  // RFC 9234 section 4.1.
  role: {
    code: CapabilityCode.role,
    decode: (value) => ({ kind: 'role', role: value.u8() }),
    encode: (capability, into) => {
      into.u8(capability.role)
    },
  },
  // RFC 4724 section 3, RFC 8538 section 2: R and N bits, restart time in 12 bits, then AFI, SAFI, flags with F.
  'graceful-restart': {
    code: CapabilityCode.gracefulRestart,
    decode(value) {
      const head = value.u16()
      if ((head & 0x3000) !== 0) return undefined
      const families = entries(value, () => {
        const family = readFamily(value)
        const flags = value.u8()
        return (flags & 0x7f) === 0 ? { afiSafi: family, forwarding: flags !== 0 } : undefined
      })
      return (
        families && {
          kind: 'graceful-restart',
          restarting: (head & 0x8000) !== 0,
          notification: (head & 0x4000) !== 0,
          restartTimeSeconds: head & 0xfff,
          families,
        }
      )
    },
    encode(capability, into) {
      const flags = (capability.restarting ? 0x8000 : 0) | (capability.notification ? 0x4000 : 0)
      into.u16(flags | Math.min(capability.restartTimeSeconds, 0xfff))
      for (const family of capability.families) {
        putFamily(family.afiSafi, into)
        into.u8(family.forwarding ? 0x80 : 0)
      }
    },
  },
  // RFC 6793 section 3.
  as4: {
    code: CapabilityCode.as4,
    decode: (value) => ({ kind: 'as4', asn: value.u32() }),
    encode: (capability, into) => {
      into.u32(capability.asn)
    },
  },
  // RFC 7911 section 4: AFI, SAFI, 1 receive, 2 send, 3 both.
  'add-path': {
    code: CapabilityCode.addPath,
    decode(value) {
      const families = entries(value, () => {
        const family = readFamily(value)
        const mode = addPathModes[value.u8()]
        return mode && { afiSafi: family, mode }
      })
      return families && { kind: 'add-path', families }
    },
    encode(capability, into) {
      for (const family of capability.families) {
        putFamily(family.afiSafi, into)
        into.u8(addPathModes.indexOf(family.mode))
      }
    },
  },
  // RFC 7313 section 3.1.
  'enhanced-route-refresh': {
    code: CapabilityCode.enhancedRouteRefresh,
    decode: () => ({ kind: 'enhanced-route-refresh' }),
    encode: () => undefined,
  },
  // RFC 9494 section 3.1: AFI, SAFI, flags with F, stale time in three octets.
  'long-lived-graceful-restart': {
    code: CapabilityCode.longLivedGracefulRestart,
    decode(value) {
      const families = entries(value, () => {
        const family = readFamily(value)
        const flags = value.u8()
        const staleTimeSeconds = value.u24()
        if ((flags & 0x7f) !== 0) return undefined
        return { afiSafi: family, forwarding: flags !== 0, staleTimeSeconds }
      })
      return families && { kind: 'long-lived-graceful-restart', families }
    },
    encode(capability, into) {
      for (const family of capability.families) {
        putFamily(family.afiSafi, into)
        into.u8(family.forwarding ? 0x80 : 0)
        into.u24(Math.min(family.staleTimeSeconds, 0xffffff))
      }
    },
  },
  // draft-walton-bgp-hostname-capability: two counted strings.
  fqdn: {
    code: CapabilityCode.fqdn,
    decode(value) {
      const host = readText(value)
      const domain = readText(value)
      return host === undefined || domain === undefined ? undefined : { kind: 'fqdn', host, domain }
    },
    encode(capability, into) {
      putText(capability.host, into)
      putText(capability.domain, into)
    },
  },
}

const byCode = new Map<number, { decode(value: Reader): Capability | undefined }>(
  Object.values(rows).map((row) => [row.code, row]),
)

/** RFC 5492 section 4: reads the value of one capability; one that is not understood is kept as it came. */
export function decodeCapability(code: number, value: Reader): Capability {
  const start = value.at
  const known = byCode.get(code)?.decode(value)
  if (known !== undefined && !value.overran() && value.remaining === 0) return known
  return { kind: 'unknown', code, value: copyOf(value.bytes.subarray(start, value.end)) }
}

function encodeValue<K extends Exclude<Kind, 'unknown'>>(kind: K, capability: Of<K>, into: Writer): void {
  rows[kind].encode(capability, into)
}

export function capabilityCode(capability: Capability): number {
  return capability.kind === 'unknown' ? capability.code : rows[capability.kind].code
}

/** Writes code, length and value (RFC 5492 section 4); a value is at most 255 octets long. */
export function encodeCapability(capability: Capability, into: Writer): void {
  into.u8(capabilityCode(capability))
  const lengthAt = into.length
  into.u8(0)
  if (capability.kind === 'unknown') into.put(capability.value)
  else encodeValue(capability.kind, capability as never, into)
  into.setU8(lengthAt, into.length - lengthAt - 1)
}
