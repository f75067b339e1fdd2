/** What the picture shows of one node. */
export interface PicturedNode {
  name: string
  address: string
  asNumber: number
  sessions: { up: number; all: number }
  blocks: string[]
  clusterRoutes: number
  workloads: { name: string; addresses: string[] }[]
}

export interface PicturedCluster {
  outside: string[]
  switchAs: number
  /** Prefixes that the switch has learned. */
  learned: string[]
  nodes: PicturedNode[]
}

/** The cluster as boxes on a wire, at most `width` columns: what does not fit beside each other goes below. */
export function drawCluster(cluster: PicturedCluster, width = 100): string {
  const boxes = cluster.nodes.map((node) => box(nodeLines(node)))
  const rows: string[][][] = []
  for (const drawn of boxes) {
    const row = rows.at(-1)
    const used = (row ?? []).reduce((sum, other) => sum + lineWidth(other) + 2, 0)
    if (row === undefined || used + lineWidth(drawn) > width) rows.push([drawn])
    else row.push(drawn)
  }
  const nodes = rows.map((row) => beside(row)).join('\n')
  const wide = Math.max(...nodes.split('\n').map((line) => line.length))
  const top = box([
    `outside host   ${cluster.outside.join('   ')}`,
    '',
    `switch         BIRD, AS ${cluster.switchAs}`,
    `learned        ${chunk(cluster.learned, 3).join('\n               ')}`,
  ])
  const stems = rows[0] ?? []
  let at = 0
  const stemLine = stems
    .map((drawn) => {
      const half = Math.floor(lineWidth(drawn) / 2)
      const text = `${' '.repeat(half)}│${' '.repeat(lineWidth(drawn) - half - 1)}  `
      at += text.length
      return text
    })
    .join('')
    .slice(0, at)
    .trimEnd()
  const wire = `${'━'.repeat(wide)}  the wire: plain Ethernet, no tunnel`
  return `${top.join('\n')}\n${' '.repeat(12)}│\n${wire}\n${stemLine}\n${nodes}\n`
}

function nodeLines(node: PicturedNode): string[] {
  return [
    `${node.name}  ${node.address}  AS ${node.asNumber}`,
    `${node.sessions.up} of ${node.sessions.all} sessions, ${node.clusterRoutes} routes learned`,
    ...node.blocks.map((block) => `block ${block}`),
    ...node.workloads.flatMap((workload) =>
      workload.addresses.map(
        (address, i) => `${i === 0 ? workload.name.padEnd(5) : ' '.repeat(5)} ${address}`,
      ),
    ),
  ]
}

function chunk(words: readonly string[], size: number): string[] {
  const lines: string[] = []
  for (let i = 0; i < words.length; i += size) lines.push(words.slice(i, i + size).join('  '))
  return lines.length === 0 ? ['nothing yet'] : lines
}

function lineWidth(lines: readonly string[]): number {
  return lines[0]?.length ?? 0
}

function box(texts: readonly string[]): string[] {
  const lines = texts.flatMap((text) => text.split('\n'))
  const inner = Math.max(...lines.map((line) => line.length))
  return [
    `┌${'─'.repeat(inner + 2)}┐`,
    ...lines.map((line) => `│ ${line.padEnd(inner)} │`),
    `└${'─'.repeat(inner + 2)}┘`,
  ]
}

function beside(boxes: readonly string[][]): string {
  const height = Math.max(...boxes.map((lines) => lines.length))
  return Array.from({ length: height }, (_unused, i) =>
    boxes
      .map((lines) => lines[i] ?? ' '.repeat(lineWidth(lines)))
      .join('  ')
      .trimEnd(),
  ).join('\n')
}
