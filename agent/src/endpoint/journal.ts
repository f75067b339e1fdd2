/**
 * Releases that wait for the store, on disk. A detach never fails because the store is away: the interface goes, the
 * release is appended here and synced before the runtime gets its answer, and it is carried out later. The file is
 * append-only: one line a record with a checksum, so that a torn last line (power lost while writing) is recognised
 * and dropped. Releasing twice is harmless, so a crash between carrying out and settling costs nothing.
 */
import { type FileHandle, mkdir, open, readFile, rename } from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import type { Log } from '@network/net'

/** A release that was promised. `handle` is unique: a second promise for the same handle replaces the first. */
export interface PromisedRelease {
  readonly handle: string
  /** The assignment's sequence, if it is known: nothing newer by the same name is then released. */
  readonly sequence?: number
  /** The endpoint's key in the store, deleted with the addresses. */
  readonly endpointKey?: string
  readonly containerId: string
  readonly interfaceName: string
  readonly addresses: readonly string[]
  /** ms since the epoch */
  readonly promisedAt: number
}

export interface Journal {
  pending(): readonly PromisedRelease[]
  find(handle: string): PromisedRelease | undefined
  /** Resolves when the promise is on disk. */
  promise(release: PromisedRelease): Promise<void>
  /** Notes that a promise was kept. Something unknown is settled already. */
  settle(handle: string): Promise<void>
  close(): Promise<void>
}

type JournalRecord = { promise: PromisedRelease } | { settle: string }

/** Past so many settled records the file is written anew. */
const SETTLED_BEFORE_REWRITE = 1_000

/** Opens (or makes) the journal in a directory of the agent's own. Damaged lines are logged and left out. */
export async function openJournal(modules: { log: Log }, options: { directory: string }): Promise<Journal> {
  const log = modules.log.child({ module: 'journal' })
  const file = path.join(options.directory, 'releases')
  const waiting = new Map<string, PromisedRelease>()
  await mkdir(options.directory, { recursive: true, mode: 0o700 })
  for (const [index, line] of (await readLines(file)).entries()) {
    const record = parseRecord(line)
    if (record === undefined) log.warn({ file, line: index + 1 }, 'a damaged line of the journal is left out')
    else if ('promise' in record) waiting.set(record.promise.handle, record.promise)
    else waiting.delete(record.settle)
  }
  let handle = await rewrite(options.directory, file, waiting.values())
  let settled = 0
  let tail: Promise<void> = Promise.resolve()

  /** One write at a time; a failed one does not stop those behind it. */
  const serially = (work: () => Promise<void>): Promise<void> => {
    const done = tail.then(work)
    tail = done.catch(() => undefined)
    return done
  }
  const append = async (record: JournalRecord): Promise<void> => {
    await handle.appendFile(formatRecord(record))
    await handle.datasync()
  }

  return {
    pending: () => [...waiting.values()],
    find: (name) => waiting.get(name),
    promise: (release) =>
      serially(async () => {
        await append({ promise: release })
        waiting.set(release.handle, release)
      }),
    settle: (name) =>
      serially(async () => {
        if (!waiting.has(name)) return
        await append({ settle: name })
        waiting.delete(name)
        if (++settled < SETTLED_BEFORE_REWRITE) return
        settled = 0
        await handle.close()
        handle = await rewrite(options.directory, file, waiting.values())
      }),
    close: () => serially(() => handle.close()),
  }
}

async function readLines(file: string): Promise<string[]> {
  try {
    return (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** The file with these promises only, put in place in one step and synced, open for appending. */
async function rewrite(
  directory: string,
  file: string,
  promises: Iterable<PromisedRelease>,
): Promise<FileHandle> {
  const fresh = await open(`${file}.new`, 'w', 0o600)
  try {
    for (const release of promises) await fresh.appendFile(formatRecord({ promise: release }))
    await fresh.sync()
  } finally {
    await fresh.close()
  }
  await rename(`${file}.new`, file)
  const folder = await open(directory, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
  return open(file, 'a', 0o600)
}

function formatRecord(record: JournalRecord): string {
  const text = JSON.stringify(record)
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`
}

function parseRecord(line: string): JournalRecord | undefined {
  const text = line.slice(9)
  if (line.slice(0, 9) !== `${crc32(text).toString(16).padStart(8, '0')} `) return undefined
  try {
    const value = JSON.parse(text) as Partial<{ promise: PromisedRelease; settle: string }>
    if (typeof value.settle === 'string') return { settle: value.settle }
    if (typeof value.promise?.handle === 'string') return { promise: value.promise }
    return undefined
  } catch {
    return undefined
  }
}
