/**
 * Bundles the executables into dist/: the command line with the agent in it, the speaker's worker thread, and what
 * `drover install cni` makes the plugin's executable of.
 */
import { chmodSync, cpSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

const root = path.resolve(import.meta.dirname, '..')

function manifest(folder) {
  return JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8'))
}

/**
 * Libraries of plain code go into the bundle: read as one file and only as far as they are used, they cost an agent that
 * starts less time and less memory. Those that bring native code or files of their own stay in node_modules.
 */
const bundled = ['execa', 'ip-num', 'prom-client', 'yaml']
const libraries = manifest('.')
  .workspaces.flatMap((folder) => Object.keys(manifest(folder).dependencies ?? {}))
  .filter((name) => !name.startsWith('@network/') && !bundled.includes(name))

rmSync(path.join(root, 'dist'), { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: {
    drover: 'ctl/src/main.ts',
    'speaker-worker': 'agent/src/roles/speaker-worker.ts',
    'cni-client': 'cni/src/client/client.ts',
  },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.20',
  conditions: ['@network/source'],
  external: [...new Set(libraries)],
  // What is CommonJS among them asks for Node's own modules by require.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  sourcemap: 'linked',
  logLevel: 'warning',
})
chmodSync(path.join(root, 'dist', 'drover.js'), 0o755)
cpSync(path.join(root, 'cni', 'client'), path.join(root, 'dist', 'cni'), { recursive: true })
