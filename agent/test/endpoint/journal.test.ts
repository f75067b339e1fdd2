import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { type PromisedRelease, openJournal } from '../../src/endpoint/journal.ts'
import { recordingLog } from '../recording-log.ts'
import { silentLog } from '@network/net/system'

const release = (name: string, more: Partial<PromisedRelease> = {}): PromisedRelease => ({
  handle: `${name}:eth0:n1`,
  containerId: name,
  interfaceName: 'eth0',
  addresses: ['10.0.0.1'],
  promisedAt: 1,
  ...more,
})
const handles = (releases: readonly PromisedRelease[]): string[] =>
  releases.map(({ containerId }) => containerId)

/** The containers whose releases a fresh start finds promised. */
async function promised(directory: string): Promise<string[]> {
  const journal = await openJournal({ log: silentLog }, { directory })
  await journal.close()
  return handles(journal.pending())
}

async function folder(t: Test): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'drover-journal-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

t.test('what was promised and not kept is there after the next start', async (t) => {
  const directory = await folder(t)
  const first = await openJournal({ log: silentLog }, { directory })
  t.teardown(() => first.close())
  await first.promise(release('a'))
  await first.promise(release('b'))
  await first.settle('a:eth0:n1')
  t.same(handles(first.pending()), ['b'])
  // No close: as after kill -9.
  const second = await openJournal({ log: silentLog }, { directory })
  t.same(second.pending(), [release('b')])
  await second.settle('b:eth0:n1')
  await second.settle('b:eth0:n1')
  await second.close()
  t.same(await promised(directory), [])
})

t.test('a second promise for a handle replaces the first', async (t) => {
  const journal = await openJournal({ log: silentLog }, { directory: await folder(t) })
  t.teardown(() => journal.close())
  await journal.promise(release('a'))
  await journal.promise(release('a', { sequence: 7 }))
  t.same(journal.pending(), [release('a', { sequence: 7 })])
})

t.test(
  'a line that was torn while it was written is left out, whatever its length; the others stay',
  async (t) => {
    const directory = await folder(t)
    const journal = await openJournal({ log: silentLog }, { directory })
    await journal.promise(release('a'))
    const whole = await readFile(path.join(directory, 'releases'), 'utf8')
    await journal.promise(release('b'))
    const both = await readFile(path.join(directory, 'releases'), 'utf8')
    await journal.close()
    for (let length = whole.length + 1; length < both.length - 1; length++) {
      await writeFile(path.join(directory, 'releases'), both.slice(0, length))
      t.same(await promised(directory), ['a'], `${length} bytes`)
    }
  },
)

t.test('damage in the middle is told and costs its line only', async (t) => {
  const directory = await folder(t)
  const log = recordingLog()
  const journal = await openJournal({ log: silentLog }, { directory })
  await journal.promise(release('a'))
  await journal.close()
  await appendFile(path.join(directory, 'releases'), 'garbage\n00000000 {"promise":{"handle":"x"}}\n')
  const again = await openJournal({ log }, { directory })
  await again.promise(release('b'))
  t.same(handles(again.pending()), ['a', 'b'])
  t.equal(log.lines.filter(({ level }) => level === 'warn').length, 2)
  await again.close()
})

t.test('the file does not grow without end', async (t) => {
  const directory = await folder(t)
  const journal = await openJournal({ log: silentLog }, { directory })
  await journal.promise(release('stays'))
  await Promise.all(
    Array.from({ length: 1_100 }, async (_, i) => {
      await journal.promise(release(`c${i}`))
      await journal.settle(`c${i}:eth0:n1`)
    }),
  )
  await journal.close()
  const lines = (await readFile(path.join(directory, 'releases'), 'utf8')).split('\n').length
  t.ok(lines < 1_000, `${lines} lines`)
  t.same(await promised(directory), ['stays'])
})
