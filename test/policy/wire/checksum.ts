/** The Internet checksum (RFC 1071) over `bytes`, with what `seed` summed up before. */
export function internetChecksum(bytes: Uint8Array, seed = 0): number {
  const sum = sumWords(bytes, seed)
  return ~fold(sum) & 0xffff
}

/** The sum of 16-bit words; an odd last byte counts as the high half of a word. */
export function sumWords(bytes: Uint8Array, seed = 0): number {
  let sum = seed
  for (let at = 0; at < bytes.length; at += 2) {
    sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
  }
  return sum
}

function fold(sum: number): number {
  let folded = sum
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000)
  return folded
}

const castagnoli = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  return value >>> 0
})

/** CRC32c as SCTP carries it (RFC 9260 appendix A): to be written in little-endian order. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (castagnoli[(crc ^ byte) & 0xff] ?? 0)
  return ~crc >>> 0
}
