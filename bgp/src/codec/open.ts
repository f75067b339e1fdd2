import { capabilityCode, decodeCapability, encodeCapability } from './capabilities.ts'
import { headerLength, putHeader } from './frame.ts'
import { ErrorCode, MessageType, OpenSubcode, OptionalParameterType, asTrans } from './iana.ts'
import { type Capability, type MessageFault, type Open } from './messages.ts'
import { Reader, empty } from './reader.ts'
import { Writer } from './writer.ts'

function openFault(subcode: number, reason: string, data: Uint8Array = empty): MessageFault {
  return {
    type: 'fault',
    notification: { code: ErrorCode.open, subcode, data },
    event: 22,
    reason,
    faults: [],
  }
}

const malformed = (reason: string): MessageFault => openFault(OpenSubcode.unspecific, reason)

/**
 * Reads an OPEN as a whole, header included. Checks what holds for any peer (RFC 4271 section 6.2, RFC 5492,
 * RFC 6793, RFC 9072); whether the AS number and the capabilities are acceptable is the session's question.
 *
 *     +---------+-----------------------+-----------+----------------+-----------------+---------------------+
 *     | Version | My Autonomous System  | Hold Time | BGP Identifier | Opt Parm Length | Optional Parameters |
 *     |    1    |           2           |     2     |       4        |        1        |                     |
 *     +---------+-----------------------+-----------+----------------+-----------------+---------------------+
 */
export function decodeOpen(bytes: Uint8Array): Open | MessageFault {
  const reader = new Reader(bytes, headerLength)
  const version = reader.u8()
  const myAs = reader.u16()
  const holdTimeSeconds = reader.u16()
  const routerId = reader.u32()
  let length = reader.u8()
  if (reader.overran()) return malformed('the OPEN is cut short')
  if (version !== 4)
    return openFault(
      OpenSubcode.unsupportedVersion,
      `BGP version ${String(version)} is not spoken here`,
      Uint8Array.of(0, 4),
    )
  if (routerId === 0) return openFault(OpenSubcode.badBgpIdentifier, 'the BGP identifier is 0')
  if (holdTimeSeconds === 1 || holdTimeSeconds === 2)
    return openFault(
      OpenSubcode.unacceptableHoldTime,
      `a hold time of ${String(holdTimeSeconds)} s is less than 3 s`,
    )

  // RFC 9072 section 2: a first parameter of type 255 means that lengths take two octets.
  const extendedLength = length > 0 && bytes[reader.at] === OptionalParameterType.extendedLength
  if (extendedLength) {
    reader.u8()
    length = reader.u16()
  }
  if (reader.overran() || reader.remaining !== length)
    return malformed(
      `optional parameters of ${String(length)} octets are announced and ${String(reader.remaining)} follow`,
    )

  const capabilities: Capability[] = []
  const capabilitiesPerParameter: number[] = []
  while (reader.remaining > 0) {
    const type = reader.u8()
    const parameter = reader.part(extendedLength ? reader.u16() : reader.u8())
    if (reader.overran()) return malformed(`optional parameter ${String(type)} reaches beyond the OPEN`)
    if (type !== OptionalParameterType.capabilities)
      return openFault(
        OpenSubcode.unsupportedOptionalParameter,
        `optional parameter ${String(type)} is not known`,
        Uint8Array.of(type),
      )
    const before = capabilities.length
    while (parameter.remaining > 0) {
      const code = parameter.u8()
      const value = parameter.part(parameter.u8())
      if (parameter.overran()) return malformed(`capability ${String(code)} reaches beyond its parameter`)
      capabilities.push(decodeCapability(code, value))
    }
    capabilitiesPerParameter.push(capabilities.length - before)
  }

  const as4 = capabilities.find((capability) => capability.kind === 'as4')
  const asn = as4?.asn ?? myAs
  if (myAs === 0 || asn === 0) return openFault(OpenSubcode.badPeerAs, 'AS number 0 is reserved (RFC 7607)')
  return {
    type: 'open',
    version,
    myAs,
    asn,
    holdTimeSeconds,
    routerId,
    capabilities,
    capabilitiesPerParameter,
    extendedLength,
  }
}

/**
 * What the speaker sends: `asn` goes into the My Autonomous System field, as AS_TRANS if it needs four octets.
 * The four-octet capability is the caller's to add.
 */
export function makeOpen(fields: {
  readonly asn: number
  readonly holdTimeSeconds: number
  readonly routerId: number
  readonly capabilities: readonly Capability[]
}): Open {
  return { type: 'open', version: 4, myAs: fields.asn > 0xffff ? asTrans : fields.asn, ...fields }
}

/** @throws RangeError if the capabilities don't fit into 4,096 octets: the caller's own doing */
export function encodeOpen(open: Open): Uint8Array {
  const parameters = encodeParameters(open)
  const classicLength = parameters.reduce((sum, { length }) => sum + 2 + length, 0)
  const extended =
    open.extendedLength ?? (classicLength > 255 || parameters.some((parameter) => parameter.length > 255))
  const into = new Writer(headerLength + 10 + classicLength)
  into.put(new Uint8Array(headerLength))
  into.u8(open.version)
  into.u16(open.myAs)
  into.u16(open.holdTimeSeconds)
  into.u32(open.routerId)
  if (extended) {
    into.u8(OptionalParameterType.extendedLength)
    into.u8(OptionalParameterType.extendedLength)
    into.u16(parameters.reduce((sum, { length }) => sum + 3 + length, 0))
  } else {
    into.u8(classicLength)
  }
  for (const parameter of parameters) {
    into.u8(OptionalParameterType.capabilities)
    if (extended) into.u16(parameter.length)
    else into.u8(parameter.length)
    into.put(parameter)
  }
  const message = into.finish()
  if (message.length > 4096) throw new RangeError(`an OPEN of ${String(message.length)} octets exceeds 4,096`)
  putHeader(message, 0, message.length, MessageType.open)
  return message
}

function encodeParameters(open: Open): Uint8Array[] {
  const { capabilities } = open
  const sizes = open.capabilitiesPerParameter ?? (capabilities.length > 0 ? [capabilities.length] : [])
  const parameters: Uint8Array[] = []
  let next = 0
  for (const size of sizes) {
    const into = new Writer()
    for (const capability of capabilities.slice(next, next + size)) encodeCapability(capability, into)
    parameters.push(into.finish())
    next += size
  }
  return parameters
}

/** The first capability of a kind. */
export function findCapability<K extends Capability['kind']>(
  open: Open,
  kind: K,
): Extract<Capability, { kind: K }> | undefined {
  return open.capabilities.find(
    (capability): capability is Extract<Capability, { kind: K }> => capability.kind === kind,
  )
}

/** The codes of the capabilities in an OPEN, for logs and for comparing what both sides can do. */
export function capabilityCodes(open: Open): number[] {
  return open.capabilities.map(capabilityCode)
}
