/** What must hold before an agent touches anything: looked at first, and told with what to do about it. */
import { createServer } from 'node:net'
import { DroverError } from '@network/net'
import type { Exec } from '../exec.ts'

/** @throws DroverError 'not-root' */
export function requireRoot(): void {
  if (process.getuid?.() === 0) return
  throw new DroverError('not-root', 'The agent needs root: it makes interfaces and routes.', {
    remedy: 'Start it as root, or by sudo.',
  })
}

/** Every program that an agent uses. @throws ExecError 'missing-tool' that names program and package */
export async function requireTools(exec: Exec): Promise<void> {
  await Promise.all([
    exec.run('ip', ['-V']),
    exec.run('iptables', ['-V']),
    exec.run('ipset', ['-v']),
    exec.run('conntrack', ['-V']),
  ])
}

/** Whether BGP can listen there. @throws DroverError 'port-taken' */
export async function requireBgpPort(port: number): Promise<void> {
  const fault = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const probe = createServer()
    probe.once('error', resolve)
    probe.listen(port, () => {
      probe.close(() => resolve(undefined))
    })
  })
  if (fault === undefined) return
  throw new DroverError(
    'port-taken',
    fault.code === 'EADDRINUSE'
      ? `TCP port ${port}, which BGP needs, is taken by another process.`
      : `TCP port ${port}, which BGP needs, can't be listened on: ${fault.message}.`,
    {
      remedy: `Find it with 'ss -ltnp sport = :${port}' and stop it, or set listenPort in BGPConfiguration.`,
    },
  )
}
