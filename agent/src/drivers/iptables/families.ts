/**
 * Of which families this node has policy. IPv6 is left out only where the kernel has none: as long as it speaks IPv6,
 * packets of it would pass without policy, and an iptables that doesn't work is a fault that somebody must mend.
 */
import { DroverError, type Family } from '@network/net'
import type { Exec } from '../../exec.ts'
import { type Backend, iptablesProgram } from './programs.ts'

export interface FamilyChoice {
  readonly families: readonly Family[]
  /** A sentence for people, if a family is left out. */
  readonly problem?: string
}

/**
 * @param modules.speaksIpv6 whether the kernel has IPv6 at all
 * @throws DroverError 'iptables-fails', 'missing-tool'
 */
export async function chooseFamilies(
  modules: { exec: Exec; speaksIpv6: () => boolean },
  backend: Backend,
): Promise<FamilyChoice> {
  const families: readonly Family[] = modules.speaksIpv6() ? ['ipv4', 'ipv6'] : ['ipv4']
  for (const family of families) {
    const program = iptablesProgram(family, backend, 'save')
    const { exitCode, stderr } = await modules.exec.run(program, [])
    if (exitCode === 0) continue
    throw new DroverError(
      'iptables-fails',
      `${program} ended with status ${exitCode}: ${stderr.replaceAll(/\s+/g, ' ').trim().slice(0, 400)}`,
      {
        remedy:
          family === 'ipv4'
            ? 'Policy needs it: see that the kernel has the modules of iptables, or set iptablesBackend to the other one.'
            : 'The kernel speaks IPv6, which would pass without policy: see that it has the modules of ip6tables, or boot it with ipv6.disable=1.',
      },
    )
  }
  if (families.length === 2) return { families }
  return {
    families,
    problem:
      'The kernel of this node has no IPv6 (/proc/sys/net/ipv6 is missing): policy is written for IPv4 alone, and workloads get no IPv6 addresses here.',
  }
}
