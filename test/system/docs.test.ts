import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { execa } from 'execa'
import { test } from 'tap'
import { Lab, buildCluster } from '../lab/index.ts'

const root = path.resolve(import.meta.dirname, '..', '..')

/** Namespaces that the pages make by name, for the whole machine. */
const namespaces = ['web1', 'docs-web1', 'docs-web2']

/** The blocks that are marked as `sh`: those that a person with a running agent can type as they stand. */
function shellBlocks(page: string): string[] {
  const text = readFileSync(path.join(root, page), 'utf8')
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
}

test('what README and the pages tell to type works', async (t) => {
  for (const name of namespaces) {
    if (existsSync(`/run/netns/${name}`))
      throw new Error(`there is a namespace ${name}: ip netns del ${name}`)
  }
  const lab = new Lab('docs')
  t.teardown(async () => {
    for (const name of namespaces) await execa('ip', ['netns', 'del', name], { reject: false })
    lab.destroy()
  })
  // The pages make pools of their own, so the cluster's lie elsewhere.
  const cluster = await buildCluster(lab, { nodes: 1, ipv4Pool: '10.200.0.0/16' })
  const [node] = cluster.nodes
  const programs = path.join(lab.folder, 'programs')
  mkdirSync(programs)
  symlinkSync(path.join(root, 'dist', 'drover.js'), path.join(programs, 'drover'))
  const env = {
    DROVER_ETCD_ENDPOINTS: cluster.etcd.endpoint,
    PATH: `${programs}:${process.env['PATH'] ?? ''}`,
  }
  for (const page of ['README.md', 'docs/command-line.md', 'docs/policy.md']) {
    const blocks = shellBlocks(page)
    t.ok(blocks.length > 0, `${page} has blocks to type`)
    for (const block of blocks) {
      const done = await node!.place.attempt('sh', ['-eu'], { env, input: block, timeoutMs: 60_000 })
      t.equal(done.exitCode, 0, `${page}: ${block}\n${done.stdout}${done.stderr}`)
      t.notMatch(done.stderr, /^(error|warning):/m, block)
    }
  }
})
