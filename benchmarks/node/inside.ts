/** Programs of a benchmark that run within a lab's node: what they are told, and what they tell. */
import path from 'node:path'
import { execa } from 'execa'
import type { Lab, LabNode, Place } from '@network/test/lab'

/** The local socket of a node's agent, as this process sees it. */
export function agentSocket(lab: Lab, node: LabNode): string {
  return path.join(lab.folder, node.name, 'run-drover', 'agent.sock')
}

/**
 * Runs a TypeScript file beside this one in the node's namespaces; it gets `task` as its argument and prints its outcome,
 * both in JSON.
 */
export async function runInside<Outcome>(place: Place, file: string, task: unknown): Promise<Outcome> {
  const loader = import.meta.resolve('tsx')
  const { stdout } = await place.run(
    process.execPath,
    [
      `--import=${loader}`,
      '--conditions=@network/source',
      path.join(import.meta.dirname, file),
      JSON.stringify(task),
    ],
    { timeoutMs: 300_000 },
  )
  return JSON.parse(stdout) as Outcome
}

/** Namespaces for workloads: their paths. */
export async function workloadNamespaces(lab: Lab, prefix: string, count: number): Promise<string[]> {
  const paths: string[] = []
  for (let i = 0; i < count; i++) paths.push((await lab.namespace(`${prefix}${String(i)}`)).netns)
  return paths
}

/** Version of an installed Debian package, as text for a table; throws with the remedy if it is not there. */
export async function debianVersion(name: string): Promise<string> {
  const done = await execa('dpkg-query', ['--show', '--showformat=${Version}', name], { reject: false })
  if (done.exitCode !== 0 || done.stdout === '')
    throw new Error(`${name} is not installed: apt-get install ${name}`)
  return done.stdout
}
