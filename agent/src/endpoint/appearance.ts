/**
 * When a file appears, told by the kernel (inotify(7)): what a runtime is about to make is seen at once, and not at the
 * next look. A folder that can't be watched tells nothing, so whoever waits also looks now and then.
 */
import { watch } from 'node:fs'
import path from 'node:path'

export interface Appearance {
  /** Resolves when the file has been made; never, if that was before or nobody tells. */
  readonly made: Promise<void>
  end(): void
}

export function awaitFile(file: string): Appearance {
  const name = path.basename(file)
  let end = (): void => undefined
  const made = new Promise<void>((resolve) => {
    try {
      const watcher = watch(path.dirname(file), { persistent: false }, (_event, changed) => {
        if (changed === name) resolve()
      })
      watcher.on('error', () => watcher.close())
      end = () => watcher.close()
    } catch {
      // No such folder, or no watches left.
    }
  })
  return { made, end: () => end() }
}
