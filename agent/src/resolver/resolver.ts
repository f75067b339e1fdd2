/**
 * What becomes of a question: answered from the names of containers, asked of others, or refused. Whoever is neither an
 * endpoint nor on a network that this host is on gets no answer, so nobody outside can use us to ask others or against
 * them. Questions under way are bounded, those of one asker more tightly.
 */
import { type Log, formatAddress, parseAddress } from '@network/net'
import { answerFor } from '../names/answer.ts'
import {
  NAME_ERROR,
  type Question,
  ResponseCode,
  readQuestion,
  responseCode,
  writeAnswer,
  writeFailure,
} from './message.ts'
import type { NameIndex } from '../names/name-index.ts'
import type { Answerer } from './listener.ts'
import type { Transport, Upstream } from './upstream.ts'

/** How a question ended. */
export const QUESTION_OUTCOMES = [
  'answered',
  'forwarded',
  'unanswered',
  'too-early',
  'too-many',
  'refused',
  'malformed',
  'internal',
] as const
export type QuestionOutcome = (typeof QUESTION_OUTCOMES)[number]

export interface ResolverModules {
  index: Pick<NameIndex, 'find' | 'nameOf' | 'scopeOf' | 'holds'>
  upstream: Upstream
  /** Whether an address is on a network that the host is on. */
  isNear: (address: string) => boolean
  /** Whether all endpoints are known: before that "no such name" is not for us to pass on. */
  complete: () => boolean
  random: () => number
  log: Log
}

const UNDER_WAY = 1024
const UNDER_WAY_OF_ONE = 256

/** @param onOutcome is told of every message that came */
export function createResolver(
  modules: ResolverModules,
  options: { onOutcome: (outcome: QuestionOutcome) => void },
): Answerer {
  const { index, upstream, isNear, complete, random, log } = modules
  const underWay = new Map<string, number>()
  let sum = 0

  const forward = async (
    message: Buffer,
    question: Question,
    from: string,
    transport: Transport,
  ): Promise<[QuestionOutcome, Buffer]> => {
    const own = underWay.get(from) ?? 0
    if (sum >= UNDER_WAY || own >= UNDER_WAY_OF_ONE)
      return ['too-many', writeFailure(question, ResponseCode.serverFailure)]
    sum++
    underWay.set(from, own + 1)
    try {
      const isEarly = !complete()
      const answer = await upstream.ask(message, transport)
      if (answer === undefined) return ['unanswered', writeFailure(question, ResponseCode.serverFailure)]
      if (isEarly && responseCode(answer) === NAME_ERROR)
        return ['too-early', writeFailure(question, ResponseCode.serverFailure)]
      return ['forwarded', answer]
    } finally {
      sum--
      const left = (underWay.get(from) ?? 1) - 1
      if (left === 0) underWay.delete(from)
      else underWay.set(from, left)
    }
  }

  const decide: (
    ...words: Parameters<Answerer>
  ) => Promise<readonly [QuestionOutcome, Buffer | undefined]> = async (
    message,
    { address: told, transport },
  ) => {
    const read = readQuestion(message)
    if (!read.ok) return ['malformed', read.error.answer]
    const question = read.value
    const from = plainAddress(told)
    if (!index.holds(from) && !isNear(from)) return ['refused', writeFailure(question, ResponseCode.refused)]
    const records = answerFor(question, index.scopeOf(from), index, random)
    if (records !== undefined) return ['answered', writeAnswer(question, records, transport)]
    return forward(message, question, from, transport)
  }

  return async (message, from) => {
    try {
      const [outcome, answer] = await decide(message, from)
      options.onOutcome(outcome)
      return answer
    } catch (error) {
      log.error({ error }, 'a question for a name failed by a bug')
      options.onOutcome('internal')
      return undefined
    }
  }
}

/** As endpoints have it: without a zone, an IPv4 address as such. */
function plainAddress(text: string): string {
  const parsed = parseAddress(text.replace(/%.*/, '').replace(/^::ffff:(?=\d+\.)/i, ''))
  return parsed.ok ? formatAddress(parsed.value) : text
}
