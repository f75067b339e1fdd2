/**
 * What this agent last knew, on disk: enough to go on speaking BGP and serving detaches if it has to start while the
 * store is away. It is a memory, not a source of truth: the first word from the store replaces it.
 */
import { open, readFile, rename } from 'node:fs/promises'
import path from 'node:path'
import type { DesiredState, SpeakerOptions } from '@network/bgp'
import type { Log } from '@network/net'
import type { StoredConfiguration } from './agent-settings.ts'

export interface LastKnown {
  readonly node: string
  readonly configuration: StoredConfiguration
  readonly speaker: { readonly options: SpeakerOptions; readonly state: DesiredState } | undefined
}

/** The file holds BGP passwords: only root may read it. */
const MODE = 0o600
const FILE = 'last-known.json'

/** undefined if there is none, or none of this node. */
export async function readLastKnown(stateDirectory: string, node: string): Promise<LastKnown | undefined> {
  try {
    const value = JSON.parse(
      await readFile(path.join(stateDirectory, FILE), 'utf8'),
    ) as Partial<LastKnown> | null
    return value?.node === node && value.configuration !== undefined
      ? { node, configuration: value.configuration, speaker: value.speaker }
      : undefined
  } catch {
    return undefined
  }
}

export interface LastKnownWriter {
  /** Notes it soon; many calls in a row become one write. */
  save(known: LastKnown): void
  /** Resolves when everything noted is written. */
  flush(): Promise<void>
}

export function createLastKnownWriter(
  modules: { log: Log },
  options: { stateDirectory: string },
): LastKnownWriter {
  const file = path.join(options.stateDirectory, FILE)
  let waiting: LastKnown | undefined
  let writing: Promise<void> | undefined
  let written = ''

  const write = async (): Promise<void> => {
    while (waiting !== undefined) {
      const text = JSON.stringify(waiting)
      waiting = undefined
      if (text === written) continue
      try {
        const fresh = await open(`${file}.new`, 'w', MODE)
        try {
          await fresh.writeFile(text)
          await fresh.sync()
        } finally {
          await fresh.close()
        }
        await rename(`${file}.new`, file)
        written = text
      } catch (error) {
        modules.log.warn({ file, error: String(error) }, 'what the agent knows could not be noted on disk')
      }
    }
  }

  return {
    save(known) {
      waiting = known
      writing ??= write().finally(() => {
        writing = undefined
      })
    },
    async flush() {
      await writing
    },
  }
}
