/** Replays the recordings of a folder, each with what it is of: `npm run recordings -- DIR`. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'

const replays = [
  { files: /-cni\.jsonl$/, script: 'cni.ts' },
  { files: /^docker.*\.jsonl$/, script: 'docker.ts' },
]

const [, , folder] = process.argv
if (folder === undefined) {
  process.stderr.write('error: No folder of recordings is named.\nremedy: npm run recordings -- DIR\n')
  process.exit(2)
}
const names = readdirSync(folder)
const wanted = replays.filter(({ files }) => names.some((name) => files.test(name)))
if (wanted.length === 0) {
  process.stderr.write(
    `error: ${folder} holds no file *-cni.jsonl or docker*.jsonl.\nremedy: Name a folder of recordings.\n`,
  )
  process.exit(2)
}
for (const { script } of wanted) {
  const args = [...process.execArgv, path.join(import.meta.dirname, script), folder]
  const done = spawnSync(process.execPath, args, { stdio: 'inherit' })
  if (done.status !== 0) process.exitCode = 1
}
