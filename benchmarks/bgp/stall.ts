/** Rounds of changed attributes from every source, timed for those who read, before and after the last listener stops. */
import type { Generator } from './generator.ts'
import type { Course, Report } from './plan.ts'
import { phaseCount } from './routes.ts'
import { wantedTokens } from './tally.ts'

export async function stall(
  generator: Generator,
  course: Extract<Course, { kind: 'stall' }>,
  tell: (report: Report) => void,
  heard: () => Promise<void>,
): Promise<void> {
  const stalled = generator.sessions.at(-1)
  const readers = generator.sessions.slice(0, -1)
  let phase = 0
  const rounds = async (count: number): Promise<{ roundSeconds: number; over: boolean }> => {
    const seconds: number[] = []
    for (let round = 0; round < count; round++) {
      phase++
      const token = phase % phaseCount
      const timed = await generator.deliver(
        generator.announcements(token),
        wantedTokens(generator.routes, token),
        readers,
      )
      seconds.push(timed.seconds)
      if (timed.over) return { roundSeconds: timed.seconds, over: true }
      await generator.settle(200)
    }
    seconds.sort((a, b) => a - b)
    return { roundSeconds: seconds[seconds.length >>> 1] ?? 0, over: false }
  }
  const reading = await rounds(course.roundsBefore)
  tell({ kind: 'stall', stage: 'reading', ...reading })
  await heard()
  if (reading.over) return
  stalled?.stall()
  tell({ kind: 'stall', stage: 'stalled', ...(await rounds(course.roundsAfter)) })
  await heard()
}
