/**
 * One speaker's thread kept ready. Reading the speaker's program takes as long as joining the cluster does; a thread
 * that is opened first of all does the one while the agent does the other.
 */
import { Worker } from 'node:worker_threads'

export interface SpeakerStock {
  /** Opens a thread ahead of its use. */
  prepare(): void
  /** A thread that waits for its first message: the one kept ready, or a fresh one. */
  take(): Worker
  /** Ends the one kept ready, if nobody took it. */
  close(): Promise<void>
}

/** @param entry the worker's program: speaker-worker.ts, or its bundle */
export function createSpeakerStock(entry: URL): SpeakerStock {
  let ready: Worker | undefined
  const forget = (): void => {
    ready = undefined
  }

  return {
    take() {
      const worker = ready ?? openWorker(entry)
      worker.off('error', forget).off('exit', forget)
      ready = undefined
      return worker
    },
    prepare() {
      // One that fails now is opened once more when it is needed, and then its failure is told.
      ready ??= openWorker(entry).on('error', forget).on('exit', forget)
    },
    async close() {
      await ready
        ?.off('error', forget)
        .on('error', () => undefined)
        .terminate()
    },
  }
}

/** A thread does not inherit its parent's loader: from TypeScript it begins with the loader and goes on to the entry. */
function openWorker(entry: URL): Worker {
  const name = 'drover-bgp'
  if (!entry.pathname.endsWith('.ts')) return new Worker(entry, { name })
  const loader = JSON.stringify(import.meta.resolve('tsx/esm/api'))
  const begin = `import(${loader}).then(({ register }) => { register(); return import(${JSON.stringify(entry.href)}) })`
  return new Worker(begin, { eval: true, name })
}
