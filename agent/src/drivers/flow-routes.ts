import type { Family } from '@network/net'
import type { FlowPath, FlowRoute } from '@network/policy'
import type { Exec } from '../exec.ts'

const TIMEOUT_MS = 30_000
const MAX_OUTPUT = 256 * 1024 * 1024
/** RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST, RTN_MULTICAST of rtnetlink(7): delivered here, whoever else gets it. */
const LOCAL_TYPES: ReadonlySet<string> = new Set(['2', '3', '4', '5'])

interface Answer {
  readonly type?: string
  readonly dst?: string
  readonly from?: string
  readonly dev?: string
}

/**
 * Asks the kernel where it sends what goes these ways: each once, all in one call of `ip`. A way that has no route is
 * answered with undefined. That what comes from an address comes by the interface that leads to it is taken for granted.
 */
export async function findRoutes(
  modules: { exec: Exec },
  family: Family,
  paths: Iterable<FlowPath>,
): Promise<(path: FlowPath) => FlowRoute | undefined> {
  const wanted = new Map([...paths].map((path) => [keyOf(path.to, path.from), path]))
  const routes = new Map<string, FlowRoute>()
  if (wanted.size > 0) {
    const lines = [...wanted.values()].map(
      ({ to, from }) => `route get ${to}${from === undefined ? '' : ` from ${from}`}`,
    )
    const args = [family === 'ipv4' ? '-4' : '-6', '-force', '-json', '-N', '-batch', '-']
    // A line without a route is an error of its own and spoils the exit status alone.
    const { stdout } = await modules.exec.run('ip', args, {
      input: `${lines.join('\n')}\n`,
      timeoutMs: TIMEOUT_MS,
      maxOutput: MAX_OUTPUT,
    })
    for (const line of stdout.split('\n')) {
      if (!line.startsWith('[{')) continue
      for (const { type, dst, from, dev } of JSON.parse(line) as Answer[]) {
        if (dst === undefined || dev === undefined) continue
        routes.set(keyOf(dst, from === '::' ? undefined : from), {
          interfaceName: dev,
          isLocal: type !== undefined && LOCAL_TYPES.has(type),
        })
      }
    }
  }
  return ({ to, from }) => routes.get(keyOf(to, from))
}

function keyOf(to: string, from: string | undefined): string {
  return from === undefined ? to : `${to} ${from}`
}
