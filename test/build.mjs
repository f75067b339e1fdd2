/** Bundles the executables into dist/: the command line with the agent in it, and the speaker's worker thread. */
import { chmodSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

const root = path.resolve(import.meta.dirname, '..')

function manifest(folder) {
  return JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8'))
}

/** Libraries stay in node_modules: some bring native code or files of their own. */
const libraries = manifest('.')
  .workspaces.flatMap((folder) => Object.keys(manifest(folder).dependencies ?? {}))
  .filter((name) => !name.startsWith('@network/'))

rmSync(path.join(root, 'dist'), { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: { drover: 'ctl/src/main.ts', 'speaker-worker': 'agent/src/roles/speaker-worker.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.20',
  conditions: ['@network/source'],
  external: [...new Set(libraries)],
  sourcemap: 'linked',
  logLevel: 'warning',
})
chmodSync(path.join(root, 'dist', 'drover.js'), 0o755)
