/** The kernel's table of connections: which flows it knows, and how some are forgotten. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Family } from '@network/net'
import type { TrackedFlow } from '@network/policy'
import { type Exec, checkExit } from '../exec.ts'

/** An entry: the flow, and the words by which conntrack finds it again. */
export interface ConntrackEntry {
  readonly flow: TrackedFlow
  readonly selector: string
}

export interface Conntrack {
  list(family: Family): Promise<ConntrackEntry[]>
  /** Forgets these; one that is gone by itself is no error. Answers how many there were. */
  forget(entries: readonly ConntrackEntry[]): Promise<number>
}

const TIMEOUT_MS = 30_000
const MAX_OUTPUT = 512 * 1024 * 1024

/**
 * One line of `conntrack -L`, which tells the flow as it was begun and then its answers:
 * `tcp 6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 …`
 */
export function parseEntry(line: string, family: Family): ConntrackEntry | undefined {
  const head = /^\S+\s+(\d+)\s/.exec(line)
  if (head === null) return undefined
  const protocol = Number(head[1])
  const values = new Map<string, string[]>()
  for (const [, key = '', value = ''] of line.matchAll(/(?:^| )(src|dst|sport|dport|type|code|id)=(\S+)/g))
    values.set(key, [...(values.get(key) ?? []), value])
  const begun = (key: string): string | undefined => values.get(key)?.[0]
  const answered = (key: string): string | undefined => values.get(key)?.[1]
  const [source, destination] = [begun('src'), begun('dst')]
  const [really, reallyPort] = [answered('src'), answered('sport')]
  if (source === undefined || destination === undefined || really === undefined) return undefined
  const number = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : Number(text)
  const words = ['-p', String(protocol), '-s', source, '-d', destination]
  const [sport, dport, type, code, id] = ['sport', 'dport', 'type', 'code', 'id'].map(begun)
  if (sport !== undefined && dport !== undefined) words.push('--sport', sport, '--dport', dport)
  const isIcmp = type !== undefined && code !== undefined
  if (isIcmp) {
    words[1] = family === 'ipv4' ? 'icmp' : 'icmpv6'
    const option = family === 'ipv4' ? 'icmp' : 'icmpv6'
    words.push(`--${option}-type`, type, `--${option}-code`, code)
    if (id !== undefined) words.push(`--${option}-id`, id)
  }
  return {
    flow: {
      family,
      protocol,
      source,
      destination: really,
      sourcePort: number(sport),
      destinationPort: number(reallyPort) ?? number(dport),
      icmp: isIcmp ? { type: Number(type), code: Number(code) } : undefined,
      asked: { destination, destinationPort: number(dport) },
    },
    selector: `-D -f ${family} ${words.join(' ')}`,
  }
}

export function createConntrack(modules: { exec: Exec }): Conntrack {
  const { exec } = modules
  return {
    async list(family) {
      const args = ['-L', '-f', family]
      const result = await exec.run('conntrack', args, { timeoutMs: TIMEOUT_MS, maxOutput: MAX_OUTPUT })
      return checkExit('conntrack', args, result)
        .stdout.split('\n')
        .flatMap((line) => parseEntry(line, family) ?? [])
    },
    async forget(entries) {
      if (entries.length === 0) return 0
      // Its standard input would be opened by a path, which a socket has not: what Node gives a child is one.
      const folder = await mkdtemp(path.join(tmpdir(), 'drover-conntrack-'))
      try {
        const file = path.join(folder, 'flows')
        await writeFile(file, `${entries.map(({ selector }) => selector).join('\n')}\n`, { mode: 0o600 })
        const args = ['-R', file]
        const result = await exec.run('conntrack', args, { timeoutMs: TIMEOUT_MS, maxOutput: MAX_OUTPUT })
        return checkExit('conntrack', args, result)
          .stdout.split('\n')
          .filter((line) => line !== '').length
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  }
}
