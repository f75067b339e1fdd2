/** Runs the benchmarks named on the command line, or all of them, one after another. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'

const here = import.meta.dirname
const all = readdirSync(here)
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
  .map((file) => file.slice(0, -3))
const wanted = process.argv.length > 2 ? process.argv.slice(2) : all
const unknown = wanted.find((name) => !all.includes(name))
if (unknown !== undefined) {
  process.stderr.write(
    `error: There is no benchmark '${unknown}'.\nremedy: Name some of: ${all.join(', ')}.\n`,
  )
  process.exit(2)
}
let failed = false
for (const name of wanted) {
  process.stdout.write(`\n== ${name}\n`)
  const done = spawnSync(process.execPath, [...process.execArgv, path.join(here, `${name}.ts`)], {
    stdio: 'inherit',
  })
  failed ||= done.status !== 0
}
process.exit(failed ? 1 : 0)
