import { createHash } from 'node:crypto'
import { addressFromBytes, formatAddress } from '@network/net'

const nameLength = 14
const alphabet = '0123456789abcdefghijklmnopqrstuv'

function base32(bytes: Uint8Array, characters: number): string {
  let value = 0n
  for (const byte of bytes.subarray(0, 16)) value = (value << 8n) | BigInt(byte)
  let text = ''
  for (let i = 0; i < characters; i++) {
    text += alphabet[Number(value & 31n)] ?? ''
    value >>= 5n
  }
  return text
}

/**
 * The host's name of a workload's interface: prefix and characters of a hash of the workload's identity, 14 in all. The same
 * identity always gives the same name. Should another identity hold it (`isTaken`), the next hash in a fixed row is used.
 * @param identity every part counts, also its place: ['k8s', 'default.web', 'eth0']
 */
export function hostInterfaceName(
  identity: readonly string[],
  options: { prefix: string; isTaken?: (name: string) => boolean },
): string {
  if (!/^[a-z][a-z0-9]{0,5}$/.test(options.prefix)) {
    throw new TypeError(
      `interface prefix '${options.prefix}' is not one to six lower-case letters and digits`,
    )
  }
  for (let attempt = 0; ; attempt++) {
    const hash = createHash('sha256')
      .update(JSON.stringify([attempt, ...identity]))
      .digest()
    const name = options.prefix + base32(hash, nameLength - options.prefix.length)
    if (options.isTaken?.(name) !== true) return name
  }
}

/** The MAC of a workload's end if none was asked for: locally administered, the same for the same host interface name. */
export function workloadMac(hostInterfaceName: string): string {
  const hash = createHash('sha256').update(`mac ${hostInterfaceName}`).digest()
  const octets = [0x02 | ((hash[0] ?? 0) & 0xfc), ...hash.subarray(1, 6)]
  return octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':')
}

/** The link-local IPv6 address of a MAC: RFC 4291 appendix A. */
export function linkLocalOfMac(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((octet) => Number.parseInt(octet, 16))
  const bytes = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 0x02, b, c, 0xff, 0xfe, d, e, f]
  return formatAddress(addressFromBytes(Uint8Array.from(bytes), 0, 'ipv6'))
}
