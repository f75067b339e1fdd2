import type { Family } from '@network/net'

/** The two kinds of iptables that a machine may have. */
export type Backend = 'nft' | 'legacy'

/** `iptables-nft-restore`, `ip6tables-legacy-save` and their kin. */
export function iptablesProgram(family: Family, backend: Backend, what: 'restore' | 'save'): string {
  return `${family === 'ipv4' ? 'iptables' : 'ip6tables'}-${backend}-${what}`
}
