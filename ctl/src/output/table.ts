/** A column: its heading and how a row fills it. */
export interface Column<Row> {
  heading: string
  cell: (row: Row) => string
  /** Numbers stand to the right. */
  align?: 'left' | 'right'
  /** The column that gives way when the terminal is narrow; the first such column is cut first. */
  shrink?: boolean
}

const GAP = '   '
const LEAST_SHRUNK = 8

/**
 * Rows under headings, two blanks and more between columns, no line longer than `width`: columns marked `shrink` are cut
 * with an ellipsis until the table fits. With no width (output that is no terminal) nothing is cut.
 */
export function renderTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: { width?: number | undefined; empty?: string } = {},
): string {
  if (rows.length === 0 && options.empty !== undefined) return `${options.empty}\n`
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row))))
  const widths = columns.map((column, i) =>
    Math.max(column.heading.length, ...cells.map((line) => textWidth(line[i] ?? ''))),
  )
  if (options.width !== undefined) shrink(widths, columns, options.width)
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => {
        const width = widths[i] ?? 0
        const cut =
          textWidth(text) > width
            ? `${Array.from(text)
                .slice(0, Math.max(0, width - 1))
                .join('')}…`
            : text
        const pad = ' '.repeat(Math.max(0, width - textWidth(cut)))
        return columns[i]?.align === 'right' ? pad + cut : cut + pad
      })
      .join(GAP)
      .trimEnd()
  return [columns.map((column) => column.heading), ...cells].map((texts) => `${line(texts)}\n`).join('')
}

function shrink(
  widths: number[],
  columns: readonly { heading: string; shrink?: boolean }[],
  room: number,
): void {
  const total = (): number => widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1)
  for (const [i, column] of columns.entries()) {
    if (column.shrink !== true) continue
    const over = total() - room
    if (over <= 0) return
    const width = widths[i] ?? 0
    widths[i] = Math.max(Math.min(width, Math.max(LEAST_SHRUNK, column.heading.length)), width - over)
  }
}

/** Names come from etcd and from peers: control characters would move a terminal's cursor, so they are shown as ·. */
export function printable(text: string): string {
  return Array.from(text, (c) => (c < ' ' || (c >= '\u007f' && c < '\u00a0') ? '·' : c)).join('')
}

function textWidth(text: string): number {
  return Array.from(text).length
}
