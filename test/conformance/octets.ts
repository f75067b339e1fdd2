/** Octets of hexadecimal digits, which are known to be good. */
export function fromHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'))
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

export interface RawAttribute {
  readonly flags: number
  readonly code: number
  readonly octets: string
}

/** The path attributes of a block, each as its octets. */
export function splitAttributes(block: Uint8Array): RawAttribute[] {
  const attributes: RawAttribute[] = []
  const view = Buffer.from(block)
  let at = 0
  while (at < view.length) {
    const flags = view.readUInt8(at)
    const code = view.readUInt8(at + 1)
    const next = (flags & 0x10) !== 0 ? at + 4 + view.readUInt16BE(at + 2) : at + 3 + view.readUInt8(at + 2)
    attributes.push({ flags, code, octets: view.toString('hex', at, next) })
    at = next
  }
  return attributes
}
