/**
 * One source withdraws and announces its routes in turn, at a steady rate, and every receiver's delay is noted for every
 * change. The changes go out in ticks of 20 ms; a delay runs from the moment at which a tick's bytes were handed to the
 * kernel to the moment at which the bytes read by a receiver were walked.
 */
import type { Course, Report } from './plan.ts'
import type { Generator } from './generator.ts'
import { wantedTokens } from './tally.ts'

const tickMs = 20
const bucketMs = 0.1
const buckets = 100_000

export async function flap(generator: Generator, course: Extract<Course, { kind: 'flap' }>): Promise<Report> {
  const { routes } = generator
  const [source, ...receivers] = generator.sessions
  if (source === undefined) throw new Error('a flap needs a source')
  const first = await generator.deliver(generator.announcements(1), wantedTokens(routes, 1))
  if (first.over) throw new Error('the first announcement was not delivered in time')
  await generator.settle()

  const perTick = Math.round((course.changesPerSecond * tickMs) / 1000)
  const ticks = Math.ceil(routes.count / perTick)
  const messages = Array.from({ length: ticks }, (_, tick) => ({
    withdraw: routes.withdraw(0, tick * perTick, perTick),
    announce: routes.announce(0, 2, tick * perTick, perTick),
  }))
  const sentAt = new Float64Array(routes.count)
  const histogram = new Uint32Array(buckets)
  let counting = false
  let delivered = 0
  for (const { tally } of receivers)
    tally.onChange = (prefix) => {
      if (!counting) return
      delivered++
      const bucket = Math.floor((performance.now() - (sentAt[prefix] ?? 0)) / bucketMs)
      histogram[Math.min(bucket, buckets - 1)] = (histogram[Math.min(bucket, buckets - 1)] ?? 0) + 1
    }

  let next = 0
  const run = async (seconds: number): Promise<number> => {
    const start = performance.now()
    const count = Math.round((seconds * 1000) / tickMs)
    for (let tick = 0; tick < count; tick++) {
      const wait = start + tick * tickMs - performance.now()
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      generator.check()
      const slot = next % ticks
      const message = messages[slot]
      if (message === undefined) throw new Error('a flap needs routes')
      sentAt.fill(performance.now(), slot * perTick, (slot + 1) * perTick)
      source.send(Math.floor(next / ticks) % 2 === 0 ? message.withdraw : message.announce)
      next++
    }
    return count * perTick
  }
  await run(course.warmUpSeconds)
  await generator.settle()
  counting = true
  const sent = await run(course.seconds)
  await generator.settle(2000)
  return {
    kind: 'flap',
    p50Ms: quantile(histogram, 0.5),
    p99Ms: quantile(histogram, 0.99),
    maxMs: quantile(histogram, 1),
    delivered: delivered / (sent * receivers.length),
  }
}

function quantile(histogram: Uint32Array, share: number): number {
  const total = histogram.reduce((sum, count) => sum + count, 0)
  let seen = 0
  for (const [bucket, count] of histogram.entries()) {
    seen += count
    if (count > 0 && seen >= share * total) return (bucket + 1) * bucketMs
  }
  return Infinity
}
