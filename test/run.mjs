/**
 * Runs the tests: `node test/run.mjs [unit|policy|system|interop …]`, all of them by default. Unit tests of the packages share
 * the cores; system and interop tests start real daemons in namespaces, so those run one after another.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '..')
const packages = ['net', 'bgp', 'datastore', 'policy', 'agent', 'cni', 'docker', 'ctl', 'benchmarks']
const suites = {
  unit: {
    folders: [...packages.map((name) => `${name}/test`), 'test/lab', 'test/policy/unit'],
    jobs: 2,
    timeoutSeconds: 120,
  },
  policy: { folders: ['test/policy/packets', 'test/policy/agent'], jobs: 1, timeoutSeconds: 300 },
  interop: { folders: ['test/interop'], jobs: 1, timeoutSeconds: 300 },
  system: { folders: ['test/system', 'test/demo'], jobs: 1, timeoutSeconds: 300 },
}

function testFiles(folder) {
  try {
    return readdirSync(path.join(root, folder), { recursive: true })
      .filter((name) => name.endsWith('.test.ts') && !name.includes('node_modules'))
      .map((name) => path.join(folder, name))
      .sort()
  } catch (error) {
    if (error.code === 'ENOENT') return []
    throw error
  }
}

function node(...args) {
  // With CI set tap draws its summary once instead of over and over, which only a terminal can show.
  const env = process.stdout.isTTY ? process.env : { ...process.env, CI: 'true' }
  return (
    spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env }).status ?? 1
  )
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(suites)
const unknown = wanted.filter((name) => !(name in suites))
if (unknown.length > 0) {
  process.stderr.write(
    `error: '${unknown[0]}' is no suite.\n       Use one of: ${Object.keys(suites).join(', ')}.\n`,
  )
  process.exit(2)
}
if (node('test/build.mjs') !== 0) process.exit(1)

let failed = 0
let files = 0
for (const name of wanted) {
  const { folders, jobs, timeoutSeconds } = suites[name]
  const found = folders.flatMap(testFiles)
  if (found.length === 0) continue
  files += found.length
  process.stdout.write(`\n${name}: ${found.length} files\n`)
  const tap = path.join('node_modules', 'tap', 'dist', 'esm', 'run.mjs')
  const status = node(tap, `--jobs=${jobs}`, `--timeout=${timeoutSeconds}`, '--reporter=terse', ...found)
  if (status !== 0) {
    failed++
    process.stdout.write(`${name}: failed\n`)
  }
}
process.stdout.write(`\n${wanted.length - failed} suites passed, ${failed} suites failed, ${files} files\n`)
process.exit(failed > 0 || files === 0 ? 1 : 0)
