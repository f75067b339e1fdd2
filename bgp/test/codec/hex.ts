/** Octets of hexadecimal digits; spaces and line ends only serve the eye. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '')
  if (!/^([0-9a-f]{2})*$/i.test(digits))
    throw new TypeError(`not whole octets of hexadecimal digits: ${text}`)
  return Uint8Array.from(digits.match(/../g) ?? [], (octet) => parseInt(octet, 16))
}

/** A message of a type with the body given in hexadecimal digits. */
export function message(type: number, body: string | Uint8Array): Uint8Array {
  const octets = typeof body === 'string' ? hex(body) : body
  const length = octets.length + 19
  return Uint8Array.of(...new Uint8Array(16).fill(255), length >>> 8, length & 255, type, ...octets)
}

/** An UPDATE of its three fields, given in hexadecimal digits; lengths are filled in. */
export function update(withdrawn: string, attributes: string, nlri: string): Uint8Array {
  const u16 = (value: number): string => value.toString(16).padStart(4, '0')
  const first = hex(withdrawn)
  const second = hex(attributes)
  return message(2, `${u16(first.length)}${withdrawn}${u16(second.length)}${attributes}${nlri}`)
}

/** ORIGIN, AS_PATH, NEXT_HOP and LOCAL_PREF in order, by their codes. */
export const goodAttributes: Readonly<Record<number, string>> = {
  1: '40010100',
  2: '40020602010000fde8',
  3: '4003040a000001',
  5: '40050400000064',
}
