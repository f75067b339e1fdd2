/**
 * What policy costs: calculation as the cluster grows, programming beside the programs that do the same by hand, and
 * memory of an agent.
 *
 *   npm run bench:policy -- [calc] [programming] [memory]
 */
import { spawnSync } from 'node:child_process'
import path from 'node:path'

const parts = ['calc', 'programming', 'memory']
const wanted = process.argv.length > 2 ? process.argv.slice(2) : parts
const unknown = wanted.find((name) => !parts.includes(name))
if (unknown !== undefined) {
  process.stderr.write(`error: There is no part '${unknown}'.\nremedy: Name some of: ${parts.join(', ')}.\n`)
  process.exit(2)
}
let failed = false
for (const name of wanted) {
  process.stdout.write(`\n== policy: ${name}\n`)
  const file = path.join(import.meta.dirname, 'policy', `${name}.ts`)
  failed ||= spawnSync(process.execPath, [...process.execArgv, file], { stdio: 'inherit' }).status !== 0
}
process.exit(failed ? 1 : 0)
