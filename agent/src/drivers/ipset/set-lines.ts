/** The words of ipset: what it is told, what `ipset save` prints, and members in one spelling. */
import { formatAddress, parseAddress } from '@network/net'
import type { Family } from '@network/net'
import type { SetType } from '@network/policy'

export interface SavedSet {
  readonly type: string
  readonly family: Family | undefined
  readonly maxElements: number
  readonly members: Set<string>
}

export function isOurSet(name: string): boolean {
  return name.startsWith('drv-')
}

/** A member as the kernel prints it: a host without its length, IPv6 in its canonical form. */
export function canonicalMember(member: string, type: string): string {
  if (type === 'bitmap:port') return member
  const comma = member.indexOf(',')
  const head = comma === -1 ? member : member.slice(0, comma)
  const tail = comma === -1 ? '' : member.slice(comma)
  const slash = head.indexOf('/')
  const address = slash === -1 ? head : head.slice(0, slash)
  const length = slash === -1 ? '' : head.slice(slash)
  const isHost = length === '' || length === (address.includes(':') ? '/128' : '/32')
  // Only these are spelled in more than one way.
  const isMapped = address.startsWith('::') && /[.f]/.test(address)
  const parsed = isMapped ? parseAddress(address) : undefined
  return `${parsed?.ok === true ? formatAddress(parsed.value) : address}${isHost ? '' : length}${tail}`
}

/** `ipset save`: the sets of ours by name. */
export function parseSave(text: string): Map<string, SavedSet> {
  const sets = new Map<string, SavedSet>()
  for (const line of text.split('\n')) {
    const [verb, name = '', third = '', ...rest] = line.split(' ')
    if (!isOurSet(name)) continue
    if (verb === 'create') {
      const after = (word: string): string | undefined => rest[rest.indexOf(word) + 1]
      const family = rest.includes('family') ? after('family') : undefined
      sets.set(name, {
        type: third,
        family: family === undefined ? undefined : family === 'inet6' ? 'ipv6' : 'ipv4',
        maxElements: rest.includes('maxelem') ? Number(after('maxelem')) : 65_536,
        members: new Set(),
      })
    } else if (verb === 'add') {
      const set = sets.get(name)
      set?.members.add(canonicalMember(third, set.type))
    }
  }
  return sets
}

/** A list of ports as the single ports that the kernel shows: '80-82' is three. */
export function singlePorts(members: Iterable<string>): Set<string> {
  const ports = new Set<string>()
  for (const member of members) {
    const [from = '', to = from] = member.split('-')
    for (let port = Number(from); port <= Number(to); port++) ports.add(String(port))
  }
  return ports
}

export function createLine(
  name: string,
  set: { type: SetType; family: Family | undefined },
  size: { maxElements: number; elements: number },
): string {
  if (set.type === 'bitmap:port') return `create ${name} bitmap:port range 0-65535 -exist`
  const hashSize = powerOfTwo(Math.max(64, size.elements))
  const family = set.family === 'ipv6' ? 'inet6' : 'inet'
  return `create ${name} ${set.type} family ${family} hashsize ${hashSize} maxelem ${size.maxElements} -exist`
}

export function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, atLeast)))
}
