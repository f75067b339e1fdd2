/** One active set of calculation as the kernel's sets of two families: members apart, a whole family as its halves. */
import type { Family } from '@network/net'
import type { SetChange } from '../calc/active.ts'
import type { RenderedSetChange } from './rendered.ts'

/** hash:net takes no prefix of length 0. */
const halves = {
  ipv4: { whole: '0.0.0.0/0', parts: ['0.0.0.0/1', '128.0.0.0/1'] },
  ipv6: { whole: '::/0', parts: ['::/1', '8000::/1'] },
} as const satisfies Record<Family, { whole: string; parts: readonly string[] }>

const families = ['ipv4', 'ipv6'] as const

function familyOf(member: string): Family {
  return member.includes(':') && (member.includes('/') || member.indexOf(':') < member.indexOf(','))
    ? 'ipv6'
    : 'ipv4'
}

/** Keeps, of each active set, only what the splitting of whole families needs. */
export class SetContents {
  readonly #wide = new Map<string, Set<string>>()

  /** What a change of a set means in each family. */
  change(id: string, change: SetChange): Record<Family, RenderedSetChange> {
    const type = change.type === 'ports' ? 'hash:ip,port' : 'hash:net'
    if (change.created) this.#wide.delete(id)
    const added: Record<Family, string[]> = { ipv4: [], ipv6: [] }
    const removed: Record<Family, string[]> = { ipv4: [], ipv6: [] }
    for (const member of change.added) added[familyOf(member)].push(member)
    for (const member of change.removed) removed[familyOf(member)].push(member)
    const rendered = {} as Record<Family, RenderedSetChange>
    for (const family of families) {
      if (type === 'hash:net') this.#split(id, family, added, removed)
      rendered[family] = {
        type,
        family,
        created: change.created,
        added: added[family],
        removed: removed[family],
      }
    }
    return rendered
  }

  forget(id: string): void {
    this.#wide.delete(id)
  }

  #split(
    id: string,
    family: Family,
    added: Record<Family, string[]>,
    removed: Record<Family, string[]>,
  ): void {
    const { whole, parts } = halves[family]
    const special: readonly string[] = [whole, ...parts]
    const isSpecial = (member: string): boolean => special.includes(member)
    if (!added[family].some(isSpecial) && !removed[family].some(isSpecial)) return
    const wide = this.#wide.get(id) ?? new Set<string>()
    this.#wide.set(id, wide)
    const has = (part: string): boolean => wide.has(part) || wide.has(whole)
    const before = parts.map(has)
    for (const member of removed[family].filter(isSpecial)) wide.delete(member)
    for (const member of added[family].filter(isSpecial)) wide.add(member)
    added[family] = added[family].filter((member) => !isSpecial(member))
    removed[family] = removed[family].filter((member) => !isSpecial(member))
    parts.forEach((part, place) => {
      if (has(part) && before[place] !== true) added[family].push(part)
      if (!has(part) && before[place] === true) removed[family].push(part)
    })
  }
}

/** Members of a set that is told whole: a whole family as its halves. */
export function netMembers(nets: readonly string[], family: Family): readonly string[] {
  const { whole, parts } = halves[family]
  const members = new Set<string>()
  for (const net of nets) {
    if (net.includes(':') !== (family === 'ipv6')) continue
    if (net === whole) for (const part of parts) members.add(part)
    else members.add(net)
  }
  return [...members]
}
