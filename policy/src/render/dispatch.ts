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

/** Chains by name. A name that is not known is dropped. */
export function dispatchChains(
  interfaceNames: readonly string[],
  options: DispatchOptions,
): Map<string, RenderedRule[]> {
  const chains = new Map<string, RenderedRule[]>()
  const build = (chain: string, prefix: string, names: readonly string[]): void => {
    const rules: RenderedRule[] = []
    chains.set(chain, rules)
    if (names.length <= MOST_RULES) {
      for (const name of names) rules.push({ args: [options.option, name, '-g', options.target(name)] })
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
          rules.push({ args: [options.option, only, '-g', options.target(only)] })
          continue
        }
        const below = chainName(`${options.chain}-`, head.slice(options.prefix.length))
        rules.push({ args: [options.option, `${head}+`, '-g', below] })
        build(below, head, group)
      }
    }
    rules.push({ args: ['-j', 'DROP'] })
  }
  build(options.chain, options.prefix, [...interfaceNames].sort())
  return chains
}
