/** Names of chains and sets: the kernel's bounds kept, one name for one thing. */
import type { Family } from '@network/net'
import type { PolicyId, SetId } from '../calc/active.ts'

const LONGEST_CHAIN = 28
const LONGEST_SET = 31
/** Not a character of any resource's name, so that a shortened name is never another thing's whole one. */
const CUT = '~'
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** 64 bits of a text as 13 letters and digits. Not for secrets; two texts share one by accident only. */
export function shortHash(text: string): string {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 0x9e3779b1)
    b = Math.imul(b ^ unit, 0x5f356495)
    a ^= a >>> 15
    b ^= b >>> 13
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  let bits = (BigInt(a >>> 0) << 32n) | BigInt(b >>> 0)
  let letters = ''
  for (let i = 0; i < 13; i++) {
    letters += alphabet[Number(bits & 31n)] ?? ''
    bits >>= 5n
  }
  return letters
}

function named(prefix: string, id: string, longest: number, plain: RegExp): string {
  if (plain.test(id) && prefix.length + id.length <= longest) return prefix + id
  const hash = CUT + shortHash(id)
  const head = id.replaceAll(/[^A-Za-z0-9_.-]/g, '_').slice(0, longest - prefix.length - hash.length)
  return prefix + head + hash
}

/** `drv-pi-` and 'prod/web' make 'drv-pi-prod/web'. */
export function chainName(prefix: string, id: string): string {
  return named(prefix, id, LONGEST_CHAIN, /^[A-Za-z0-9_./*@-]+$/)
}

/** The chain of a policy; a global one has no namespace before its name. */
export function policyChain(id: PolicyId, direction: 'inbound' | 'outbound'): string {
  const name = id.slice(id.indexOf('/') + 1)
  return chainName(direction === 'inbound' ? 'drv-pi-' : 'drv-po-', name)
}

export function profileChain(name: string, direction: 'inbound' | 'outbound'): string {
  return chainName(direction === 'inbound' ? 'drv-pri-' : 'drv-pro-', name)
}

const digit = { ipv4: '4', ipv6: '6' } as const

/** The kernel's set for the members of one family. */
export function activeSetName(id: SetId, family: Family): string {
  return named(`drv-${digit[family]}s-`, id, LONGEST_SET, /^[A-Za-z0-9_.-]+$/)
}

/** Networks that a rule lists, by their content. */
export function netsSetName(nets: readonly string[], family: Family): string {
  return `drv-${digit[family]}n-${shortHash(nets.join(','))}`
}

/** Ports that a rule lists, by their content. */
export function portsSetName(ports: readonly string[]): string {
  return `drv-p-${shortHash(ports.join(','))}`
}

/** Sets that there is one of: 'pools', 'masq', 'src'. */
export function singleSetName(word: string, family: Family): string {
  return `drv-${digit[family]}-${word}`
}
