/**
 * The generator's process, in the clients' network namespace, so that it shares nothing with a speaker but the wire. It
 * is given a plan as JSON; it is told to go on, and tells what it has seen, over the channel to whoever has started it.
 */
import { once } from 'node:events'
import { flap } from './flap.ts'
import { Generator } from './generator.ts'
import { phases } from './phases.ts'
import type { Command, Plan, Report } from './plan.ts'
import { rehearse } from './rehearsal.ts'
import { stall } from './stall.ts'

const keepaliveMs = 20_000
const restMs = 1000

async function main(): Promise<void> {
  const tell = (report: Report): void => {
    process.send?.(report)
  }
  const commands: Command[] = []
  let wake: () => void = () => undefined
  process.on('message', (command: Command) => {
    commands.push(command)
    wake()
  })
  process.on('disconnect', () => process.exit(1))
  const heard = async (wanted: Command): Promise<void> => {
    while (commands.shift() !== wanted) await new Promise<void>((resolve) => (wake = resolve))
  }
  const plan = JSON.parse(process.argv[2] ?? '') as Plan
  const generator = new Generator(plan)
  const keepalives = setInterval(() => {
    for (const session of generator.sessions) session.keepalive()
  }, keepaliveMs)
  await rehearse(plan)
  tell({ kind: 'ready' })
  await heard('go')
  try {
    const timed = await generator.establish()
    tell({ kind: 'phase', phase: 'establish', timed })
    await generator.settle(restMs)
    const { course } = plan
    if (course.kind === 'phases') await phases(generator, tell)
    else if (course.kind === 'flap') tell(await flap(generator, course))
    else await stall(generator, course, tell, () => heard('on'))
    tell({ kind: 'done' })
  } catch (error) {
    tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) })
  }
  await heard('quit')
  clearInterval(keepalives)
  generator.close()
  process.disconnect()
  await once(process, 'disconnect')
}

await main()
