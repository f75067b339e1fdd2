import { test } from 'tap'
import { printable, renderTable } from '../../src/output/table.ts'

interface Row {
  name: string
  note: string
  size: number
}

const columns = [
  { heading: 'NAME', cell: (row: Row) => row.name },
  { heading: 'NOTE', cell: (row: Row) => row.note, shrink: true },
  { heading: 'SIZE', cell: (row: Row) => String(row.size), align: 'right' as const },
]
const rows: Row[] = [
  { name: 'a', note: 'a long note that has to give way', size: 7 },
  { name: 'longer', note: 'short', size: 1234 },
]

test('columns are as wide as their widest cell, numbers stand to the right', (t) => {
  t.equal(
    renderTable(rows, columns),
    [
      'NAME     NOTE                               SIZE',
      'a        a long note that has to give way      7',
      'longer   short                              1234',
      '',
    ].join('\n'),
  )
  t.end()
})

test('on a narrow terminal the shrinking column is cut and no line is longer', (t) => {
  for (const width of [30, 35, 40, 48]) {
    const lines = renderTable(rows, columns, { width }).trimEnd().split('\n')
    t.ok(
      lines.every((line) => line.length <= width),
      `${width}: ${lines.join('|')}`,
    )
    t.match(lines[2], /^longer +.*1234$/, 'what does not shrink is whole')
  }
  t.match(renderTable(rows, columns, { width: 30 }), 'a long note t…')
  t.end()
})

test('a column never shrinks below what can be read', (t) => {
  t.match(renderTable(rows, columns, { width: 5 }), 'a long …')
  t.end()
})

test('no rows: the headings, or the sentence for it', (t) => {
  t.equal(renderTable([], columns), 'NAME   NOTE   SIZE\n')
  t.equal(renderTable([], columns, { empty: 'There is none.' }), 'There is none.\n')
  t.end()
})

test('control characters do not reach the terminal', (t) => {
  t.equal(printable('a\u001b[31mb\nc\u009bd'), 'a·[31mb·c·d')
  t.equal(printable('grün → 東'), 'grün → 東')
  t.end()
})
