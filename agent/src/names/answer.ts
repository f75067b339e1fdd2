/** What is answered to a question from the names that are known; everything else is for others to answer. */
import { formatAddress, parseAddress } from '@network/net'
import type { NameIndex, NameScope } from './name-index.ts'

export interface NameQuestion {
  /** As it was written; labels are parted by dots. */
  readonly name: string
  /** Whether that is what its bytes say: not if a label has a dot or strange bytes in it. */
  readonly exact: boolean
  /** 'A', 'AAAA', …, 'UNKNOWN_65' */
  readonly type: string
  /** 'IN' */
  readonly class: string
}

export interface AnswerRecord {
  readonly type: 'A' | 'AAAA' | 'PTR'
  /** An address, or of PTR a name. */
  readonly data: string
}

/**
 * @param random from 0 to 1, below 1: several addresses come in an order by chance
 * @returns the records, none if the name is known and has nothing of that type; undefined if it is not known
 */
export function answerFor(
  question: NameQuestion,
  scope: NameScope,
  index: Pick<NameIndex, 'find' | 'nameOf'>,
  random: () => number,
): readonly AnswerRecord[] | undefined {
  if (question.class !== 'IN' || !question.exact) return undefined
  if (question.type === 'PTR') {
    const address = addressOfPointer(question.name)
    const name = address === undefined ? undefined : index.nameOf(address, scope)
    if (name !== undefined) return [{ type: 'PTR', data: name }]
  }
  const addresses = index.find(question.name, scope)
  if (addresses === undefined) return undefined
  const records = addresses.map((data): AnswerRecord => ({ type: data.includes(':') ? 'AAAA' : 'A', data }))
  return shuffled(
    records.filter(({ type }) => type === question.type || question.type === 'ANY'),
    random,
  )
}

/** '1.0.65.10.in-addr.arpa' → '10.65.0.1' (RFC 1035, section 3.5; RFC 3596, section 2.5) */
export function addressOfPointer(name: string): string | undefined {
  const [, reversed = '', domain] = /^([0-9a-f.]+)\.(in-addr|ip6)\.arpa\.?$/i.exec(name) ?? []
  const parts = reversed.split('.').reverse()
  const isWhole = domain?.toLowerCase() === 'ip6' ? parts.length === 32 : parts.length === 4
  if (!isWhole || domain === undefined) return undefined
  const groups =
    domain.toLowerCase() === 'ip6'
      ? parts.every((part) => part.length === 1) && (parts.join('').match(/.{4}/g) ?? []).join(':')
      : parts.join('.')
  const parsed = groups === false ? undefined : parseAddress(groups)
  return parsed?.ok === true ? formatAddress(parsed.value) : undefined
}

/** By Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const mixed = [...items]
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const [a, b] = [mixed[last], mixed[other]]
    if (a !== undefined) mixed[other] = a
    if (b !== undefined) mixed[last] = b
  }
  return mixed
}
