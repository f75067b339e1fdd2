import type { Family } from '@network/net'
import { type Exec, checkExit } from '../../exec.ts'
import { type Backend, iptablesProgram } from './programs.ts'
import { isOurChain, jumpsToOurs, parseSave, transaction } from './restore-line.ts'

/**
 * Takes everything of ours out of one family of one backend: jumps, chains. What isn't ours stays.
 * @returns how many chains were removed
 */
export async function removeOurChains(
  modules: { exec: Exec },
  { family, backend, dryRun = false }: { family: Family; backend: Backend; dryRun?: boolean },
): Promise<number> {
  const program = iptablesProgram(family, backend, 'save')
  const saved = parseSave(checkExit(program, [], await modules.exec.run(program, [])).stdout)
  let removed = 0
  for (const [table, chains] of saved) {
    const lines: string[] = []
    const ours = [...chains.keys()].filter(isOurChain)
    for (const [name, { rules }] of chains) {
      if (isOurChain(name)) continue
      for (const { hash, text } of rules)
        if (hash !== undefined || jumpsToOurs(text)) lines.push(`-D ${name} ${text}`)
    }
    lines.push(...ours.map((name) => `:${name} - [0:0]`), ...ours.map((name) => `-X ${name}`))
    removed += ours.length
    if (lines.length === 0 || dryRun) continue
    const restore = iptablesProgram(family, backend, 'restore')
    const args = ['--noflush', '--wait', '60']
    const result = await modules.exec.run(restore, args, {
      input: transaction(table, lines),
      timeoutMs: 75_000,
    })
    checkExit(restore, args, result)
  }
  return removed
}
