import {
  type Result,
  type SyntaxFault,
  failure,
  formatAddress,
  formatMac,
  formatPrefix,
  parseAddress,
  parseInterfaceAddress,
  parseMac,
  parsePrefix,
  success,
} from '@network/net'
import { formatSelector, parseSelector } from './selector/index.ts'

/** A text with a syntax of its own. `parse` answers the canonical form, or the end of a sentence that says what is wrong. */
export interface TextFormat {
  readonly name: string
  /** What a good value is, as it follows 'expected': 'an IPv4 or IPv6 address such as 10.0.0.1'. */
  readonly expected: string
  readonly parse: (text: string) => Result<string, string>
  /** Where YAML writers leave the unit away: the text that a plain number stands for. */
  readonly fromNumber?: (value: number) => string
}

function pattern(name: string, expected: string, regexp: RegExp): TextFormat {
  return {
    name,
    expected,
    parse: (text) => (regexp.test(text) ? success(text) : failure(`'${shorten(text)}' is not ${expected}`)),
  }
}

function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`
}

function described(parsed: { ok: false; error: SyntaxFault }): Result<string, string> {
  const at = parsed.error.offset > 0 ? ` (at character ${String(parsed.error.offset + 1)})` : ''
  return failure(`${parsed.error.reason}${at}`)
}

/** Names of resources: they become a segment of a store key, so nothing that a path could stumble over is allowed. */
export const resourceName = pattern(
  'name',
  'a name of 1 to 253 letters, digits, -, _ and ., beginning with a letter or digit',
  /^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$/,
)

/** A label or annotation key; `/` separates an optional prefix from the name. */
export const labelKey = pattern(
  'label key',
  'a label of 1 to 512 letters, digits, -, _, . and /, beginning with a letter or digit',
  /^[A-Za-z0-9][A-Za-z0-9_./-]{0,511}$/,
)

/** Linux: at most 15 bytes, no slash, no space (net/core/dev.c, dev_valid_name); we allow printable ASCII. */
export const interfaceName = pattern(
  'interface name',
  'an interface name of 1 to 15 characters without space, / or :',
  /^(?!\.{1,2}$)[!-.0-9;-~]{1,15}$/,
)

/** A name, or a pattern with * and ?, that interfaces are matched against. */
export const interfacePattern = pattern(
  'interface pattern',
  'an interface name or pattern (* and ? stand for characters) of 1 to 15 characters',
  /^[A-Za-z0-9_.@*?-]{1,15}$/,
)

export const namedPort = pattern(
  'port name',
  'a port name of 1 to 128 letters, digits, -, _ and ., with at least one letter',
  /^(?=.*[A-Za-z])[A-Za-z0-9_.-]{1,128}$/,
)

export const anyAddress: TextFormat = {
  name: 'address',
  expected: 'an IPv4 or IPv6 address such as 10.0.0.1 or fd00::1',
  parse: (text) => {
    const parsed = parseAddress(text)
    return parsed.ok ? success(formatAddress(parsed.value)) : described(parsed)
  },
}

export const ipv4Address: TextFormat = {
  name: 'IPv4 address',
  expected: 'an IPv4 address such as 10.0.0.1',
  parse: (text) => {
    const parsed = parseAddress(text)
    if (!parsed.ok) return described(parsed)
    return parsed.value.family === 'ipv4'
      ? success(formatAddress(parsed.value))
      : failure('it is an IPv6 address')
  },
}

/** A prefix with all host bits zero. */
export const anyPrefix: TextFormat = {
  name: 'prefix',
  expected: 'a prefix such as 10.0.0.0/16 or fd00:10::/64',
  parse: (text) => {
    const parsed = parsePrefix(text)
    return parsed.ok ? success(formatPrefix(parsed.value)) : described(parsed)
  },
}

/** A prefix; a bare address is read as the /32 or /128 of it. */
export const prefixOrAddress: TextFormat = {
  name: 'prefix or address',
  expected: 'a prefix such as 10.0.0.0/16, or an address',
  parse: (text) => {
    if (text.includes('/')) return anyPrefix.parse(text)
    const parsed = parseAddress(text)
    if (!parsed.ok) return described(parsed)
    return success(`${formatAddress(parsed.value)}/${parsed.value.family === 'ipv4' ? '32' : '128'}`)
  },
}

function interfaceAddress(family: 'ipv4' | 'ipv6', example: string): TextFormat {
  return {
    name: `${family} interface address`,
    expected: `an ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address with its network's length, such as ${example}`,
    parse: (text) => {
      const full = text.includes('/') ? text : `${text}/${family === 'ipv4' ? '32' : '128'}`
      const parsed = parseInterfaceAddress(full)
      if (!parsed.ok) return described(parsed)
      if (parsed.value.address.family !== family) return failure('it is of the other family')
      return success(formatPrefix(parsed.value))
    },
  }
}

export const ipv4InterfaceAddress = interfaceAddress('ipv4', '192.168.1.10/24')
export const ipv6InterfaceAddress = interfaceAddress('ipv6', 'fd00::10/64')

/** An address, with a port after a colon if wanted; an IPv6 address with a port stands in brackets. */
export const addressAndPort: TextFormat = {
  name: 'address and port',
  expected: 'an address with an optional port, such as 10.0.0.1, 10.0.0.1:1179 or [fd00::1]:1179',
  parse: (text) => {
    const split = splitAddressAndPort(text)
    if (!split.ok) return split
    const { address, port } = split.value
    if (port === undefined) return success(address)
    return success(address.includes(':') ? `[${address}]:${String(port)}` : `${address}:${String(port)}`)
  },
}

/** What a resolver's address without a port means (RFC 1035, section 4.2). */
export const DNS_PORT = 53

/** As addressAndPort, but of one server: no address that means all of a host, or several hosts. */
export const serverAddress: TextFormat = {
  name: 'address and port',
  expected: 'an address with an optional port, such as 192.0.2.11, 192.0.2.11:5353 or [fd00::1]:5353',
  parse: (text) => {
    const split = splitAddressAndPort(text)
    if (!split.ok) return split
    const { address } = split.value
    const several = /^(0\.0\.0\.0|::|2(2[4-9]|[345]\d)(\.\d+){3}|ff[0-9a-f]{2}:.*)$/.test(address)
    return several ? failure(`'${address}' is not the address of one server`) : addressAndPort.parse(text)
  },
}

/** Takes `10.0.0.1:1179` or `[fd00::1]:1179` apart; the error is the end of a sentence. */
export function splitAddressAndPort(
  text: string,
): Result<{ address: string; port: number | undefined }, string> {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/
  const plain = /^([^:]*)(?::([^:]*))?$/
  const [, host = '', digits]: (string | undefined)[] = bracketed.exec(text) ??
    plain.exec(text) ?? [text, text]
  const parsed = parseAddress(host)
  if (!parsed.ok) return failure(parsed.error.reason)
  if (digits === undefined) return success({ address: formatAddress(parsed.value), port: undefined })
  const port = /^[0-9]{1,5}$/.test(digits) ? Number(digits) : 0
  if (port < 1 || port > 65535) return failure(`'${shorten(digits)}' is not a port from 1 to 65535`)
  return success({ address: formatAddress(parsed.value), port })
}

export const macAddress: TextFormat = {
  name: 'MAC address',
  expected: 'a MAC address such as 02:42:0a:00:00:01',
  parse: (text) => {
    const parsed = parseMac(text)
    return parsed.ok ? success(formatMac(parsed.value)) : described(parsed)
  },
}

export const selector: TextFormat = {
  name: 'selector',
  expected: "a selector such as rack == 'a' && has(role)",
  parse: (text) => {
    const parsed = parseSelector(text)
    return parsed.ok
      ? success(formatSelector(parsed.value))
      : failure(`${parsed.error.reason} (at column ${String(parsed.error.column)})`)
  },
}

/**
 * A selector that may be left empty, which is not all(): in a rule and in a policy's narrowing selectors the empty
 * text asks for nothing, and the kinds' refinements leave the field out.
 */
export const selectorOrNone: TextFormat = {
  ...selector,
  parse: (text) => (text.trim() === '' ? success('') : selector.parse(text)),
}

/** aa:nn (RFC 1997) or aa:nn:mm (RFC 8092). */
export const community: TextFormat = {
  name: 'community',
  expected: 'a community aa:nn (each up to 65535) or a large community aa:nn:mm (each up to 4294967295)',
  parse: (text) => {
    const parts = text.split(':')
    const bound = parts.length === 2 ? 65535 : 4294967295
    const good = parts.every((part) => /^(0|[1-9][0-9]{0,9})$/.test(part) && Number(part) <= bound)
    if ((parts.length === 2 || parts.length === 3) && good) return success(text)
    return failure(`'${shorten(text)}' is not a community`)
  },
}

/** First and last port of '80' or '8000:8080'; undefined if it is neither. */
export function parsePortRange(text: string): { first: number; last: number } | undefined {
  const match = /^([0-9]{1,5})(?::([0-9]{1,5}))?$/.exec(text)
  if (match === null) return undefined
  const first = Number(match[1])
  const last = match[2] === undefined ? first : Number(match[2])
  return first <= last && last <= 65535 ? { first, last } : undefined
}

export const portRange: TextFormat = {
  name: 'port range',
  expected: 'a range of ports such as 8000:8080',
  parse: (text) => {
    const range = parsePortRange(text)
    if (range === undefined) return failure(`'${shorten(text)}' is not a range of ports`)
    return success(
      range.first === range.last ? String(range.first) : `${String(range.first)}:${String(range.last)}`,
    )
  },
}

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

/** Milliseconds of '90s', '1m30s', '250ms' or '0'; undefined if it isn't a duration. */
export function durationMs(text: string): number | undefined {
  if (text === '0') return 0
  if (!/^(?:[0-9]{1,9}(?:\.[0-9]{1,3})?(?:ms|s|m|h))+$/.test(text)) return undefined
  let total = 0
  for (const [, digits = '', unit = 's'] of text.matchAll(/([0-9.]+)(ms|s|m|h)/g)) {
    total += Number(digits) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS]
  }
  return Number.isInteger(total) ? total : undefined
}

/** Seconds of a duration that was validated before; fractions remain. */
export function durationSeconds(text: string): number {
  return (durationMs(text) ?? 0) / 1000
}

function formatDuration(ms: number): string {
  return ms % 1000 === 0 ? `${String(ms / 1000)}s` : `${String(ms)}ms`
}

/** A duration within bounds (inclusive); the canonical form is in seconds, or milliseconds where seconds don't do. */
export function duration(bounds: { minMs?: number; maxMs?: number; orZero?: boolean } = {}): TextFormat {
  const min = bounds.minMs ?? 0
  const max = bounds.maxMs ?? 30 * 24 * 3_600_000
  const zero = bounds.orZero === true ? '0 or ' : ''
  return {
    name: 'duration',
    expected: `${zero}a duration from ${formatDuration(min)} to ${formatDuration(max)}, such as 90s or 1m30s`,
    fromNumber: (seconds) => `${String(seconds)}s`,
    parse: (text) => {
      const ms = durationMs(text)
      if (ms === undefined) return failure(`'${shorten(text)}' is not a duration`)
      if (ms === 0 && bounds.orZero === true) return success('0s')
      return ms < min || ms > max
        ? failure(`${formatDuration(ms)} is out of range`)
        : success(formatDuration(ms))
    },
  }
}

/** How the agent finds the node's own address of one family. */
export const autodetection: TextFormat = {
  name: 'address autodetection',
  expected:
    'first-found, none, interface=PATTERN[,PATTERN], skip-interface=PATTERN[,PATTERN], can-reach=ADDRESS or cidr=PREFIX[,PREFIX]',
  parse: (text) => {
    if (text === 'first-found' || text === 'none') return success(text)
    const [, method = '', argument = ''] = /^([a-z-]+)=(.+)$/.exec(text) ?? []
    const parts = argument.split(',')
    const check: Record<string, (part: string) => Result<string, string>> = {
      interface: interfacePattern.parse,
      'skip-interface': interfacePattern.parse,
      'can-reach': anyAddress.parse,
      cidr: anyPrefix.parse,
    }
    const parse = Object.hasOwn(check, method) ? check[method] : undefined
    if (parse === undefined) return failure(`'${shorten(text)}' is not a method`)
    if (method === 'can-reach' && parts.length > 1) return failure('can-reach takes one address')
    const canonical: string[] = []
    for (const part of parts) {
      const parsed = parse(part)
      if (!parsed.ok) return failure(`'${shorten(part)}': ${parsed.error}`)
      canonical.push(parsed.value)
    }
    return success(`${method}=${canonical.join(',')}`)
  },
}

/** A 32-bit mask in hexadecimal with at least eight bits set. */
export const markMask: TextFormat = {
  name: 'mark mask',
  expected: 'a 32-bit mask in hexadecimal with at least 8 bits set, such as 0xffff0000',
  parse: (text) => {
    if (!/^0x[0-9a-fA-F]{1,8}$/.test(text)) return failure(`'${shorten(text)}' is not a mask`)
    const value = Number(text)
    const bits = value.toString(2).replaceAll('0', '').length
    return bits < 8
      ? failure(`it has ${String(bits)} bits set`)
      : success(`0x${value.toString(16).padStart(8, '0')}`)
  },
}

/** Where a server listens: HOST:PORT with a literal address, or `none`. */
export const listener: TextFormat = {
  name: 'listener',
  expected: 'an address and port such as 127.0.0.1:9098 or [::1]:9098, or none',
  parse: (text) => {
    if (text === 'none') return success(text)
    const split = splitAddressAndPort(text)
    if (!split.ok) return split
    return split.value.port === undefined ? failure('the port is missing') : addressAndPort.parse(text)
  },
}

/** A port that stays open whatever policy says: tcp:22, optionally from one prefix: tcp:22@10.0.0.0/8. */
export const failsafePort: TextFormat = {
  name: 'failsafe port',
  expected: 'PROTOCOL:PORT or PROTOCOL:PORT@PREFIX, such as tcp:22 or udp:53@10.0.0.0/8',
  parse: (text) => {
    const match = /^(tcp|udp|sctp):([0-9]{1,5})(?:@(.+))?$/i.exec(text)
    const port = Number(match?.[2] ?? 0)
    if (match === null || port < 1 || port > 65535)
      return failure(`'${shorten(text)}' is not a failsafe port`)
    const head = `${(match[1] ?? '').toLowerCase()}:${String(port)}`
    if (match[3] === undefined) return success(head)
    const within = prefixOrAddress.parse(match[3])
    return within.ok ? success(`${head}@${within.value}`) : within
  },
}
