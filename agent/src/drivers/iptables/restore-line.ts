/** The text that iptables-restore reads and iptables-save prints. */

/** One rule's arguments as part of a line. */
export function formatArgs(args: readonly string[]): string {
  // Hardly any rule has a word that needs quotes.
  const plain = args.join(' ')
  return /^[A-Za-z0-9_./:,=~*+@![\] -]+$/.test(plain) && args.every(isOneWord)
    ? plain
    : args.map(quote).join(' ')
}

function isOneWord(arg: string): boolean {
  return arg !== '' && !arg.includes(' ')
}

function quote(arg: string): string {
  if (/^[A-Za-z0-9_./:,=~*+@![\]-]+$/.test(arg)) return arg
  // A line break would begin a command of its own.
  const text = arg.replaceAll(/\p{Cc}/gu, ' ')
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** A rule as found in the kernel. */
export interface SavedRule {
  /** Of our comment; undefined: not ours. */
  readonly hash: string | undefined
  /** The line without `-A CHAIN`. */
  readonly text: string
  readonly packets: number
  readonly bytes: number
}

export interface SavedChain {
  readonly builtIn: boolean
  readonly rules: SavedRule[]
}

export type SavedTables = ReadonlyMap<string, ReadonlyMap<string, SavedChain>>

const ourComment = /--comment "?drv:([A-Za-z0-9_-]{16})"?(?: |$)/

/** What `iptables-save` printed, with or without counters. Chains by table and name, rules in order. */
export function parseSave(text: string): SavedTables {
  const tables = new Map<string, Map<string, SavedChain>>()
  let table: Map<string, SavedChain> | undefined
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) {
      const name = line.slice(1).trim()
      table = tables.get(name) ?? new Map<string, SavedChain>()
      tables.set(name, table)
      continue
    }
    if (table === undefined) continue
    if (line.startsWith(':')) {
      const [name = '', policy] = line.slice(1).split(' ')
      table.set(name, { builtIn: policy !== '-', rules: [] })
      continue
    }
    const rule = /^(?:\[(\d+):(\d+)\] )?-A (\S+)(?: (.*))?$/.exec(line)
    if (rule === null) continue
    const [, packets, bytes, chain = '', rest = ''] = rule
    table.get(chain)?.rules.push({
      hash: ourComment.exec(rest)?.[1],
      text: rest,
      packets: Number(packets ?? 0),
      bytes: Number(bytes ?? 0),
    })
  }
  return tables
}

export function isOurChain(name: string): boolean {
  return name.startsWith('drv-')
}

/** A jump into a chain of ours keeps that chain from being deleted, whoever made it. */
export function jumpsToOurs(text: string): boolean {
  const target = /(?:^| )-[jg] (\S+)(?: |$)/.exec(text)?.[1]
  return target !== undefined && isOurChain(target)
}

/** One rule's arguments behind the comment that makes it ours. */
export function ruleText(hash: string, args: readonly string[]): string {
  return `-m comment --comment drv:${hash} ${formatArgs(args)}`
}

/** `*filter`, the lines, `COMMIT`. */
export function transaction(table: string, lines: readonly string[]): string {
  return `*${table}\n${lines.join('\n')}\nCOMMIT\n`
}
