import { type KindName, kindDefinition, kindNames, kindOf, suggest } from '@network/datastore/model'
import { UsageError } from '../output/failure.ts'

/** The kind that a word on the command line means. @throws UsageError with the words there are */
export function kindOfWord(word: string): KindName {
  const kind = kindOf(word)
  if (kind !== undefined) return kind
  const known = kindNames.map((name) => kindDefinition(name).plural)
  const near = suggest(word.toLowerCase(), known)
  const meant = near === undefined ? '' : `Did you mean ${near}? `
  throw new UsageError(`'${word}' is no kind of resource.`, `${meant}Use one of: ${known.join(', ')}.`)
}

/** `-n`: of kinds that have namespaces. */
export const namespaceOption = {
  alias: 'n',
  type: 'string',
  describe: 'of kinds that have namespaces: in this one',
} as const

/** The namespace of named resources of a kind, 'default' if none is given. @throws UsageError for a kind without */
export function namespaceOf(kind: KindName, given: string | undefined): string | undefined {
  if (kindDefinition(kind).namespaced) return given ?? 'default'
  if (given === undefined) return undefined
  throw new UsageError(`A ${kind} has no namespace.`, 'Leave --namespace out.')
}
