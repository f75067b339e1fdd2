/** Whether a workload's chains stand in the kernel as policy's driver makes them: there, with rules, and reached. */
import { type Backend, iptablesProgram } from '../drivers/iptables/programs.ts'
import type { Exec } from '../exec.ts'
import type { WireDifference } from './wire.ts'

/** Chains of a workload's interface, from it and towards it: docs/design/policy.md. */
const chainPrefixes = ['drv-fw-', 'drv-tw-'] as const

export async function ruleDifferences(
  exec: Pick<Exec, 'run'>,
  backend: Backend,
  hostInterface: string,
): Promise<WireDifference[]> {
  const found = await Promise.all(
    (['ipv4', 'ipv6'] as const).map(async (family) => {
      const saved = await exec.run(iptablesProgram(family, backend, 'save'), ['-t', 'filter'])
      const lines = saved.stdout.split('\n')
      return chainPrefixes.map((prefix) => ({
        field: `host.rules ${family} ${prefix}${hostInterface}`,
        expected: 'reached',
        actual: stateOf(lines, `${prefix}${hostInterface}`),
      }))
    }),
  )
  return found.flat().filter(({ expected, actual }) => expected !== actual)
}

function stateOf(lines: readonly string[], chain: string): string {
  if (!lines.some((line) => line.startsWith(`:${chain} `))) return 'absent'
  if (!lines.some((line) => line.startsWith(`-A ${chain} `))) return 'empty'
  const leads = new RegExp(` -[jg] ${chain.replaceAll('.', '\\.')}( |$)`)
  return lines.some((line) => leads.test(line)) ? 'reached' : 'not reached'
}
