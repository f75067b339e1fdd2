/** Bundles the executables into dist/: the command line with the agent in it, and the speaker's worker thread. */
import { chmodSync } from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

const root = path.resolve(import.meta.dirname, '..')

await build({
  absWorkingDir: root,
  entryPoints: { drover: 'ctl/src/main.ts', 'speaker-worker': 'agent/src/roles/speaker-worker.ts' },
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.20',
  conditions: ['@network/source'],
  external: ['execa', 'etcd3', '@grpc/grpc-js', 'koffi', 'pino', 'prom-client', 'yaml', 'yargs', 'ip-num'],
  sourcemap: 'linked',
  logLevel: 'warning',
})
chmodSync(path.join(root, 'dist', 'drover.js'), 0o755)
