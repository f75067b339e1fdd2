/**
 * `npm run fuzz -- --messages N [--seed S] [--vectors DIR] [--target NAME]`: throws mutated messages at the codec, or at
 * another target. Exits with 1 if one throws or takes longer than 100 ms, which prints it, or if memory grows.
 */
import { parseArgs } from 'node:util'
import { fuzzTargets } from './fuzz-target.ts'
import { Random, mutate } from './mutation.ts'
import { toHex } from './octets.ts'
import { encoderSeeds, vectorSeeds } from './seeds.ts'

const slowMs = 100
const growthBytes = 16 * 1024 * 1024
const batch = 10_000

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string', default: 'codec' },
    vectors: { type: 'string' },
  },
})

const whole = (name: string, text: string): number => {
  if (!/^[1-9][0-9]{0,9}$/.test(text)) {
    console.error(`error: --${name} ${text} is not a positive integer`)
    console.error(`remedy: npm run fuzz -- --messages 1000000 --seed 1`)
    process.exit(2)
  }
  return Number(text)
}

const makeTarget = fuzzTargets.get(values.target)
if (makeTarget === undefined) {
  console.error(`error: --target ${values.target} is none of ${[...fuzzTargets.keys()].join(', ')}`)
  console.error('remedy: npm run fuzz -- --target codec')
  process.exit(2)
}
const target = await makeTarget()
const messages = whole('messages', values.messages)
const seed = whole('seed', values.seed)
const everySeed = [
  ...encoderSeeds(),
  ...(values.vectors === undefined ? [] : await vectorSeeds(values.vectors)),
]
const seeds = target.chooseSeeds?.(everySeed) ?? everySeed
const random = new Random(seed)
const mebibytes = (bytes: number): string => `${(bytes / 1048576).toFixed(1)} MiB`

/** Heap in use once garbage is collected, so that growth means that something is held. */
const heapBytes = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

let slowestMs = 0
let peakBytes = 0
let earlyHeapBytes = 0
const started = performance.now()
for (let turn = 0; turn < messages; turn++) {
  let message = mutate(seeds, random)
  while (target.wants?.(message, turn) === false) message = mutate(seeds, random)
  const before = performance.now()
  try {
    await target.feed(message, turn)
  } catch (error) {
    console.error(`error: message ${String(turn)} of seed ${String(seed)} throws: ${toHex(message)}`)
    throw error
  }
  let tookMs = performance.now() - before
  if (tookMs > slowMs) {
    // The machine may have been busy with something else: what is slow is slow again.
    const again = performance.now()
    await target.feed(message, turn)
    tookMs = Math.min(tookMs, performance.now() - again)
  }
  if (tookMs > slowestMs) slowestMs = tookMs
  if (tookMs > slowMs) {
    console.error(`error: message ${String(turn)} takes ${tookMs.toFixed(0)} ms: ${toHex(message)}`)
    process.exitCode = 1
  }
  if (turn % batch === batch - 1) {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
    if (earlyHeapBytes === 0) earlyHeapBytes = heapBytes()
  }
}
await target.close?.()
const seconds = (performance.now() - started) / 1000
const lateHeapBytes = heapBytes()
if (earlyHeapBytes !== 0 && lateHeapBytes > earlyHeapBytes + growthBytes) {
  console.error(`error: the heap grew from ${mebibytes(earlyHeapBytes)} to ${mebibytes(lateHeapBytes)}`)
  process.exitCode = 1
}
console.log(
  `${String(messages)} messages from ${String(seeds.length)} seeds (--seed ${String(seed)}) in ${seconds.toFixed(1)} s: ` +
    `${Math.round(messages / seconds).toString()} a second, slowest ${slowestMs.toFixed(1)} ms`,
)
console.log(
  `memory: peak ${mebibytes(peakBytes)}, heap ${mebibytes(earlyHeapBytes)} early, ${mebibytes(lateHeapBytes)} at the end`,
)
console.log([...target.outcomes].map(([outcome, count]) => `${outcome}: ${String(count)}`).join(', '))
