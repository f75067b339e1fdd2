/** Announces everything, changes the attributes of everything, withdraws everything, each from a settled state. */
import type { Generator } from './generator.ts'
import type { Phase, Report } from './plan.ts'
import { wantedTokens } from './tally.ts'

export async function phases(generator: Generator, tell: (report: Report) => void): Promise<void> {
  const { routes, sources } = generator
  const steps: readonly { phase: Phase; bytes: readonly Uint8Array[]; wanted: Uint16Array }[] = [
    { phase: 'announce', bytes: generator.announcements(1), wanted: wantedTokens(routes, 1) },
    { phase: 're-announce', bytes: generator.announcements(2), wanted: wantedTokens(routes, 2) },
    {
      phase: 'withdraw',
      bytes: sources.map((_, source) => routes.withdraw(source)),
      wanted: new Uint16Array(routes.count),
    },
  ]
  for (const { phase, bytes, wanted } of steps) {
    const timed = await generator.deliver(bytes, wanted)
    tell({ kind: 'phase', phase, timed })
    if (timed.over) return
    await generator.settle()
  }
}
