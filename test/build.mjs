/**
 * Bundles the executables into dist/: the command line with the agent in it, the speaker's worker thread, and what
 * `drover install cni` makes the plugin's executable of.
 */
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
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
const bundled = ['dns-packet', 'execa', 'ip-num', 'prom-client', 'yaml']
const libraries = manifest('.')
  .workspaces.flatMap((folder) => Object.keys(manifest(folder).dependencies ?? {}))
  .filter((name) => !name.startsWith('@network/') && !bundled.includes(name))

const outdir = path.join(root, 'dist')
/** Beside it and as deep, so that what source maps say stays true. */
const fresh = `${outdir}.${process.pid}`
await build({
  absWorkingDir: root,
  entryPoints: {
    drover: 'ctl/src/main.ts',
    'speaker-worker': 'agent/src/roles/speaker-worker.ts',
    'cni-client': 'cni/src/client/client.ts',
  },
  outdir: fresh,
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
chmodSync(path.join(fresh, 'drover.js'), 0o755)
cpSync(path.join(root, 'cni', 'client'), path.join(fresh, 'cni'), { recursive: true })
cpSync(path.join(root, 'docker', 'client'), path.join(fresh, 'docker'), { recursive: true })

// Whoever runs the program meanwhile finds every part of the old one or of the new one: parts have their contents in their
// names and come before what names them; parts of an earlier build go when nobody can be starting from them any more.
const KEPT_MS = 15 * 60_000
const parts = readdirSync(fresh, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => path.relative(fresh, path.join(entry.parentPath, entry.name)))
const isEntry = (name) => /^(drover|speaker-worker|cni-client)\.js/.test(name)
for (const name of parts.toSorted((a, b) => Number(isEntry(a)) - Number(isEntry(b)))) {
  mkdirSync(path.dirname(path.join(outdir, name)), { recursive: true })
  renameSync(path.join(fresh, name), path.join(outdir, name))
}
rmSync(fresh, { recursive: true })
for (const name of readdirSync(outdir)) {
  const file = path.join(outdir, name)
  const state = statSync(file)
  if (!parts.includes(name) && state.isFile() && Date.now() - state.mtimeMs > KEPT_MS)
    rmSync(file, { force: true })
}
