/**
 * SHA-256 (FIPS 180-4) of a text in UTF-8, for names that follow from content. A pure folder has no node:crypto.
 */
const ROUND = new Uint32Array(64)
const START = new Uint32Array(8)

/** The fraction's first 32 bits, of the square and cube roots of the first primes. */
function fraction(root: number): number {
  return ((root - Math.floor(root)) * 0x100000000) >>> 0
}

for (let candidate = 2, found = 0; found < 64; candidate++) {
  let isPrime = true
  for (let divisor = 2; divisor * divisor <= candidate; divisor++) {
    if (candidate % divisor === 0) isPrime = false
  }
  if (!isPrime) continue
  if (found < 8) START[found] = fraction(Math.sqrt(candidate))
  ROUND[found] = fraction(Math.cbrt(candidate))
  found++
}

function rotate(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits))
}

function utf8(text: string): number[] {
  const bytes: number[] = []
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    if (code < 0x80) bytes.push(code)
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63))
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63))
    else {
      bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63))
      bytes.push(0x80 | (code & 63))
    }
  }
  return bytes
}

/** The digest as eight words of 32 bits. */
export function sha256(text: string): Uint32Array {
  const bytes = utf8(text)
  const bits = bytes.length * 8
  bytes.push(0x80)
  while (bytes.length % 64 !== 56) bytes.push(0)
  const state = START.slice()
  const words = new Uint32Array(64)
  const message = new DataView(new ArrayBuffer(bytes.length + 8))
  bytes.forEach((byte, at) => {
    message.setUint8(at, byte)
  })
  message.setUint32(bytes.length, Math.floor(bits / 0x100000000))
  message.setUint32(bytes.length + 4, bits >>> 0)
  for (let block = 0; block < message.byteLength; block += 64) {
    for (let i = 0; i < 16; i++) words[i] = message.getUint32(block + i * 4)
    for (let i = 16; i < 64; i++) {
      const [a = 0, b = 0] = [words[i - 15], words[i - 2]]
      const small = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3)
      const large = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10)
      words[i] = (words[i - 16] ?? 0) + small + (words[i - 7] ?? 0) + large
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
    for (let i = 0; i < 64; i++) {
      const choice = (e & f) ^ (~e & g)
      const majority = (a & b) ^ (a & c) ^ (b & c)
      const first =
        (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + (ROUND[i] ?? 0) + (words[i] ?? 0)) | 0
      const second = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority) | 0
      h = g
      g = f
      f = e
      e = (d + first) | 0
      d = c
      c = b
      b = a
      a = (first + second) | 0
    }
    for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] = (state[i] ?? 0) + word
  }
  return state
}

const ALPHABET = '0123456789abcdefghijklmnopqrstuv'

/** The first `length` * 5 bits of the digest in base32hex (RFC 4648, in lower case); at most 51 characters. */
export function shortDigest(text: string, length: number): string {
  const digest = sha256(text)
  let name = ''
  for (let at = 0; at < length * 5; at += 5) {
    const [high = 0, low = 0] = [digest[at >> 5], digest[(at >> 5) + 1]]
    const shift = at & 31
    const word = shift === 0 ? high : (high << shift) | (low >>> (32 - shift))
    name += ALPHABET[word >>> 27] ?? ''
  }
  return name
}
