/** Messages on a TCP connection: each after two bytes that say how long it is (RFC 1035, section 4.2.2). */

export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

/** Puts messages together from what comes. */
export class MessageReader {
  #pending: Buffer = Buffer.alloc(0)

  /** The messages that are whole with this. */
  read(chunk: Buffer): Buffer[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    const messages: Buffer[] = []
    while (this.#pending.length >= 2) {
      const end = 2 + this.#pending.readUInt16BE(0)
      if (this.#pending.length < end) break
      messages.push(this.#pending.subarray(2, end))
      this.#pending = this.#pending.subarray(end)
    }
    return messages
  }
}
