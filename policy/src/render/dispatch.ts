/**
 * From an interface's name to its chain: a tree by prefix, so that a packet meets a dozen rules and not one for every
 * interface, and one more interface changes one or two small chains.
 */
import { chainName } from './names.ts'
import type { RenderedRule } from './rendered.ts'

export interface DispatchOptions {
  /** Name of the first chain, and beginning of the others' names: 'drv-fwd'. */
  readonly chain: string
  /** '-i' or '-o'. */
  readonly option: '-i' | '-o'
  /** What all names begin with. */
  readonly prefix: string
  /** The chain of one interface. */
  readonly target: (interfaceName: string) => string
}

const MOST_RULES = 12

/** Chains by name. A packet of a name that is not known comes back as it went in. */
export function dispatchChains(
  interfaceNames: readonly string[],
  options: DispatchOptions,
): Map<string, RenderedRule[]> {
  const chains = new Map<string, RenderedRule[]>()
  const to = (name: string, chain: string): RenderedRule => ({
    args: [options.option, name, '-g', chain],
    anywhere: true,
  })
  const build = (chain: string, prefix: string, names: readonly string[]): void => {
    const rules: RenderedRule[] = []
    chains.set(chain, rules)
    if (names.length <= MOST_RULES) {
      for (const name of names) rules.push(to(name, options.target(name)))
    } else {
      const groups = new Map<string, string[]>()
      for (const name of names) {
        const head = name.slice(0, prefix.length + 1)
        const group = groups.get(head)
        if (group === undefined) groups.set(head, [name])
        else group.push(name)
      }
      for (const [head, group] of groups) {
        const [only] = group
        if (group.length === 1 && only !== undefined) {
          rules.push(to(only, options.target(only)))
          continue
        }
        const below = chainName(`${options.chain}-`, head.slice(options.prefix.length))
        rules.push(to(`${head}+`, below))
        build(below, head, group)
      }
    }
  }
  build(options.chain, options.prefix, [...interfaceNames].sort())
  return chains
}
