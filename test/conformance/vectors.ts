/** `npm run vectors -- DIR`: conformance data in DIR, against the codec. Exits with 1 if anything failed. */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { runExabgp } from './exabgp.ts'
import { runMrt } from './mrt.ts'
import { runRfc7606 } from './rfc7606.ts'
import { type Tally } from './tally.ts'

async function run(folder: string): Promise<Tally[]> {
  const text = async (name: string): Promise<string> => readFile(join(folder, name), 'utf8')
  const tallies = [runRfc7606(await text('rfc7606.json')), runExabgp(await text('exabgp.jsonl'))]
  const unpack = async (name: string): Promise<Buffer> =>
    gunzipSync(await readFile(join(folder, 'mrt', name)))
  for (const name of (await readdir(join(folder, 'mrt'))).sort()) {
    if (name.endsWith('.expect.gz') || !name.endsWith('.gz')) continue
    const base = name.slice(0, -'.gz'.length)
    const expected = (await unpack(`${base}.expect.gz`)).toString('utf8')
    tallies.push(runMrt(base, await unpack(name), expected))
  }
  return tallies
}

const folder = process.argv[2]
if (folder === undefined) {
  console.error('error: the folder with the vectors is missing')
  console.error('remedy: npm run vectors -- DIR, where DIR holds rfc7606.json, exabgp.jsonl and mrt/')
  process.exitCode = 2
} else {
  const tallies = await run(folder)
  for (const tally of tallies) console.log(tally.lines().join('\n'))
  const sum = (count: (tally: Tally) => number): number =>
    tallies.reduce((total, tally) => total + count(tally), 0)
  const skipped = sum((tally) => [...tally.notApplicable.values()].reduce((total, count) => total + count, 0))
  const failures = sum((tally) => tally.failed)
  console.log(
    `all: ${String(sum((tally) => tally.passed))} passed, ${String(failures)} failed, ${String(skipped)} not applicable`,
  )
  if (failures > 0) process.exitCode = 1
}
