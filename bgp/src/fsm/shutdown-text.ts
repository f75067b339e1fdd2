/*
 * RFC 9003's shutdown communication: a length octet and as much UTF-8.
 */

/** Data of a Cease with subcode 2 or 4; a text longer than 255 octets is cut at a character. */
export function encodeShutdownText(text: string): Uint8Array {
  let bytes = new TextEncoder().encode(text)
  if (bytes.length > 255) {
    let end = 255
    while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
    bytes = bytes.slice(0, end)
  }
  const data = new Uint8Array(bytes.length + 1)
  data[0] = bytes.length
  data.set(bytes, 1)
  return data
}

/** The text, with control characters made visible; undefined if there is none or it is not well formed. */
export function decodeShutdownText(data: Uint8Array): string | undefined {
  const length = data[0] ?? 0
  if (length === 0 || data.length < 1 + length) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(1, 1 + length))
    // A peer's text goes into logs and terminals: it must not steer them.
    return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16) ?? ''}}`)
  } catch {
    return undefined
  }
}
