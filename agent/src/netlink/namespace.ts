import { closeSync, openSync, writeSync } from 'node:fs'
import { DroverError } from '@network/net'
import { type NamespaceCalls, namespaceCalls } from './libc.ts'

/** The thread could not enter a namespace; `details.code` is the system's name for the reason. */
export class NamespaceError extends DroverError {}

/** Ends the process at once: no handler may run in a foreign namespace. */
function abandon(reason: string): never {
  writeSync(2, `drover: the way back from a workload's network namespace is closed (${reason}); ending\n`)
  process.abort()
}

/**
 * Does something with the calling thread in another network namespace. What it opens there (a socket, a file of
 * /proc/sys/net) stays of that namespace. It must finish before it returns: a promise is refused, because everything
 * else that the thread does meanwhile would be done in there. If the thread can't come back the process ends.
 * @param file an open file of the namespace
 * @throws NamespaceError if it can't be entered, and whatever `use` throws
 */
export function inNamespace<T>(
  file: number,
  use: () => T,
  system: NamespaceCalls & { abandon?: (reason: string) => never } = namespaceCalls,
): T {
  const own = openSync('/proc/thread-self/ns/net', 'r')
  try {
    const refused = system.setns(file)
    if (refused !== undefined) {
      throw new NamespaceError('namespace-refused', `The network namespace can't be entered: ${refused}.`, {
        remedy: 'The agent needs root (CAP_SYS_ADMIN) to enter the namespaces of workloads.',
        details: { code: refused },
      })
    }
    let result: T
    try {
      result = use()
    } finally {
      const lost = system.setns(own)
      if (lost !== undefined) (system.abandon ?? abandon)(lost)
    }
    if (result instanceof Promise) {
      result.catch(() => undefined)
      throw new TypeError('what is done in another namespace ends before it returns')
    }
    return result
  } finally {
    closeSync(own)
  }
}
