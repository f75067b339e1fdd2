/** What is measured of names and the questions for them. */
import { Counter, Gauge, type Registry } from 'prom-client'
import { QUESTION_OUTCOMES, type QuestionOutcome } from '../resolver/resolver.ts'

export interface NameMetrics {
  /** A question ended. */
  asked(outcome: QuestionOutcome): void
  observe(sources: { names: () => number }): void
}

export function createNameMetrics(registry: Registry): NameMetrics {
  const registers = [registry]
  const questions = new Counter({
    name: 'drover_dns_questions_total',
    help: `Questions for names, by outcome: ${QUESTION_OUTCOMES.join(', ')}.`,
    labelNames: ['outcome'],
    registers,
  })
  return {
    asked: (outcome) => questions.inc({ outcome }),
    observe({ names }) {
      new Gauge({
        name: 'drover_dns_names',
        help: 'Names of containers of the cluster, those of each network by themselves.',
        registers,
        collect() {
          this.set(names())
        },
      })
    },
  }
}
