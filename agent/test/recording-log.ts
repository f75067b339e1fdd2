import { type Log } from '@network/net'

/** Keeps what was logged, for tests that ask. */
export function recordingLog(): Log & { readonly lines: { level: string; data: object; message: string }[] } {
  const lines: { level: string; data: object; message: string }[] = []
  const at =
    (level: string) =>
    (data: object, message: string): void => {
      lines.push({ level, data, message })
    }
  const log = {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => log,
  }
  return log
}
