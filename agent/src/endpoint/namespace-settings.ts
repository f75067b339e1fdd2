import { type SysctlSetting } from '../drivers/sysctl.ts'
import { type Exec } from '../exec.ts'
import { WireError } from './wire-error.ts'

/** A program that waits in a namespace for the kernel settings it shall make there. */
export interface NamespaceSettings {
  /**
   * Makes them, in order; to be called at most once.
   * @throws WireError with the program's words
   */
  apply(settings: readonly SysctlSetting[]): Promise<void>
  /** Lets it go if it was not needed. */
  close(): void
}

/**
 * Starts it. /proc/sys/net is that of the namespace of whoever opens it, so only a program inside can write there;
 * started early, it costs no time when the interface is ready for its settings.
 */
export function startNamespaceSettings(exec: Exec, namespacePath: string): NamespaceSettings {
  let words = ''
  const program = exec.start('nsenter', [`--net=${namespacePath}`, '--', 'sysctl', '-q', '-p', '-'], {
    stdout: () => undefined,
    stderr: (text) => {
      if (words.length < 2000) words += text
    },
  })
  return {
    async apply(settings) {
      program.write(settings.map(({ path, value }) => `${path} = ${value}\n`).join(''))
      program.end()
      const { exitCode, reason } = await program.ended
      if (exitCode === 0) return
      const said = words.trim() === '' ? reason : words.trim()
      throw new WireError('kernel', `A setting inside the workload can't be made: ${said}.`, {
        remedy: 'The agent needs root, CAP_NET_ADMIN, a writable /proc/sys, and the Debian package procps.',
        details: { settings: settings.map(({ path }) => path) },
      })
    },
    close: () => program.end(),
  }
}
