import { readFileSync } from 'node:fs'

/** The sum of counters of /proc/net/netstat: TcpExt has a line of names and a line of values. */
export function netstat(counters: readonly string[]): number | undefined {
  try {
    const [names, values] = readFileSync('/proc/thread-self/net/netstat', 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('TcpExt:'))
      .map((line) => line.split(' '))
    if (names === undefined || values === undefined) return undefined
    return counters.reduce((sum, name) => sum + Number(values[names.indexOf(name)] ?? 0), 0)
  } catch {
    return undefined
  }
}
