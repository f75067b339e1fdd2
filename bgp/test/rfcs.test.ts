import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'

/*
 * RFCS.md says what holds and which test shows it: the tests are there, every document that the speaker is to heed has
 * its line, and no interoperability test is left out.
 */
const folder = path.resolve(import.meta.dirname, '..')
const rows = readFileSync(path.join(folder, 'RFCS.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|') && !/^\|(-|\s*(RFC|what)\s*\|)/.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )

const shownBy = (row: readonly string[]): readonly string[] => (row.at(-1) ?? '').split(', ')

function testFile(name: string): string {
  const below = /^(interop|system)\//.test(name) ? '../test' : 'test'
  return path.join(folder, below, `${name}.test.ts`)
}

t.test('every test that is named is there', (t) => {
  const runs = ['vectors', 'fuzz', 'fuzz of sessions']
  for (const row of rows) {
    // A line about a departure names its tests too; none is without.
    t.ok((row.at(-1) ?? '') !== '', row[0] ?? '')
    for (const name of shownBy(row)) {
      if (!runs.includes(name)) t.ok(existsSync(testFile(name)), `${row[0] ?? ''}: ${name}`)
    }
  }
  t.end()
})

t.test('every document that is to hold has a line', (t) => {
  const wanted = [
    ...[1997, 2385, 2545, 2918, 4271, 4360, 4456, 4486, 4724, 4760, 5082, 5492, 6286, 6608, 6793, 7313],
    ...[7606, 7607, 7911, 7947, 8092, 8203, 8212, 8326, 8538, 8654, 8950, 9003, 9072, 9234, 9687],
  ]
  const named = new Set(rows.flatMap(([documents = '']) => documents.split(', ')))
  for (const document of wanted) t.ok(named.has(String(document)), `RFC ${document}`)
  const features = rows.map((row) => row.join(' ')).join(' ')
  for (const feature of ['as-override', 'remove-private-as', 'local-as', 'allowas-in', 'multipath'])
    t.ok(features.includes(feature), feature)
  t.end()
})

t.test('every interoperability test shows something', (t) => {
  const named = new Set(rows.flatMap(shownBy))
  for (const file of readdirSync(path.join(folder, '../test/interop'))) {
    const [name, kind] = file.split('.')
    if (kind === 'test') t.ok(named.has(`interop/${name ?? ''}`), file)
  }
  t.end()
})
