/**
 * Which of the two iptables of a machine is in use. Each has its own rules and both are asked by the kernel, so rules
 * in the wrong one are rules that others overrule.
 */
import { DroverError, type Family } from '@network/net'
import { type Exec, ExecError, type ExecResult } from '../../exec.ts'
import { type Backend, iptablesProgram } from './programs.ts'
import { isOurChain, jumpsToOurs, parseSave } from './restore-line.ts'

interface Holdings {
  /** Whether the machine has its programs. */
  readonly installed: boolean
  /** Rules that are not ours, of both families. */
  readonly foreign: number
  readonly ours: number
}

const backends: readonly Backend[] = ['nft', 'legacy']
const families: readonly Family[] = ['ipv4', 'ipv6']

/**
 * `auto`: the one that holds rules of others; if neither does, the one that holds ours, and otherwise nft, if the machine
 * has it.
 * @throws DroverError 'backend-ambiguous' if both hold rules of others
 */
export async function chooseBackend(
  modules: { exec: Exec },
  setting: 'auto' | Backend,
): Promise<{ backend: Backend; other: { backend: Backend; holdsOurs: boolean } }> {
  const [nft, legacy] = await Promise.all(backends.map((backend) => holdings(modules.exec, backend)))
  const held = { nft: nft ?? nothing, legacy: legacy ?? nothing }
  const backend = setting === 'auto' ? inUse(held) : setting
  const other = backend === 'nft' ? 'legacy' : 'nft'
  return { backend, other: { backend: other, holdsOurs: held[other].ours > 0 } }
}

const nothing: Holdings = { installed: false, foreign: 0, ours: 0 }

function inUse({ nft, legacy }: Record<Backend, Holdings>): Backend {
  if (nft.foreign > 0 && legacy.foreign > 0) {
    throw new DroverError(
      'backend-ambiguous',
      `Both iptables hold rules of others (nft: ${nft.foreign}, legacy: ${legacy.foreign}), so it isn't clear which one is in use.`,
      {
        remedy:
          "Remove the rules of the one that isn't ('iptables-legacy-save' and 'iptables-nft-save' show them), or set iptablesBackend to nft or legacy.",
      },
    )
  }
  if (legacy.foreign > 0) return 'legacy'
  if (nft.foreign > 0) return 'nft'
  if (legacy.ours > 0 && nft.ours === 0) return 'legacy'
  return legacy.installed && !nft.installed ? 'legacy' : 'nft'
}

/** A program that doesn't work holds nothing; whether it must work is asked elsewhere. */
async function holdings(exec: Exec, backend: Backend): Promise<Holdings> {
  let installed = false
  let foreign = 0
  let ours = 0
  for (const family of families) {
    const result = await saved(exec, iptablesProgram(family, backend, 'save'))
    if (result === undefined) continue
    installed = true
    for (const chains of parseSave(result.exitCode === 0 ? result.stdout : '').values()) {
      for (const [name, { rules }] of chains) {
        if (isOurChain(name)) ours++
        for (const { hash, text } of rules) {
          if (isOurChain(name) || hash !== undefined || jumpsToOurs(text)) ours++
          else foreign++
        }
      }
    }
  }
  return { installed, foreign, ours }
}

/** Undefined: the machine has no such program. */
async function saved(exec: Exec, program: string): Promise<ExecResult | undefined> {
  try {
    return await exec.run(program, [])
  } catch (error) {
    if (error instanceof ExecError && error.code === 'missing-tool') return undefined
    throw error
  }
}
