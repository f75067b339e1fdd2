/**
 * What the generator does before any clock runs: it goes through a plan in small, against a mirror of its own on the
 * loopback, until the compiler has done its work. The first phase then meets the same generator as the last.
 */
import { once } from 'node:events'
import { Generator } from './generator.ts'
import { createMirror } from './mirror.ts'
import type { Plan } from './plan.ts'
import { wantedTokens } from './tally.ts'

const sessions = 64
const prefixes = 100
const rounds = 4

export async function rehearse(plan: Plan): Promise<void> {
  const mirror = createMirror()
  mirror.listen({ host: '127.0.0.1', port: 0, backlog: sessions })
  await once(mirror, 'listening')
  const where = mirror.address()
  const port = where !== null && typeof where === 'object' ? where.port : 0
  const population = { ...plan.population, sources: sessions, listeners: 0, prefixes, shared: false }
  for (let round = 0; round < rounds; round++) {
    const generator = new Generator({ ...plan, population }, { address: '127.0.0.1', port })
    const { routes, sources } = generator
    await generator.establish()
    for (const phase of [1, 2])
      await generator.deliver(generator.announcements(phase), wantedTokens(routes, phase))
    const withdrawals = sources.map((_, source) => routes.withdraw(source))
    await generator.deliver(withdrawals, new Uint16Array(routes.count))
    generator.close()
  }
  mirror.close()
}
