/**
 * What an attachment needs for its end besides the agent: the configuration with which another plugin assigned its
 * addresses or limits its bandwidth. Written before that plugin is run, so that nothing is left to it when everything
 * else is lost: the runtime's own memory, a DEL without configuration, a reboot.
 */
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Log } from '@network/net'
import { type Attachment, attachmentName } from './promises.ts'

export interface Memory extends Attachment {
  readonly netns: string
  readonly args: string
  /** CNI_PATH */
  readonly path: string
  /** Names of the other plugins, in the order of their ADD. */
  readonly plugins: readonly string[]
  /** The network configuration without prevResult. */
  readonly configuration: Readonly<Record<string, unknown>>
}

export interface Remembered {
  keep(memory: Memory): Promise<void>
  find(attachment: Attachment): Promise<Memory | undefined>
  forget(attachment: Attachment): Promise<void>
  list(): Promise<readonly Memory[]>
}

export async function openRemembered(
  modules: { log: Log },
  options: { folder: string },
): Promise<Remembered> {
  const { folder } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const names = new Set(await readdir(folder))
  for (const name of names) {
    if (!name.endsWith('.new')) continue
    names.delete(name)
    await rm(path.join(folder, name), { force: true })
  }
  const read = async (name: string): Promise<Memory | undefined> => {
    try {
      return JSON.parse(await readFile(path.join(folder, name), 'utf8')) as Memory
    } catch (error) {
      modules.log.warn({ file: path.join(folder, name), error: String(error) }, 'a memory can not be read')
      return undefined
    }
  }
  return {
    async keep(memory) {
      const name = attachmentName(memory)
      const fresh = path.join(folder, `${name}.new`)
      const file = await open(fresh, 'w', 0o600)
      try {
        await file.writeFile(JSON.stringify(memory))
        await file.datasync()
      } finally {
        await file.close()
      }
      await rename(fresh, path.join(folder, name))
      names.add(name)
    },
    async find(attachment) {
      const name = attachmentName(attachment)
      return names.has(name) ? read(name) : undefined
    },
    async forget(attachment) {
      const name = attachmentName(attachment)
      if (!names.has(name)) return
      await rm(path.join(folder, name), { force: true })
      names.delete(name)
    },
    async list() {
      return (await Promise.all([...names].map(read))).filter((memory) => memory !== undefined)
    },
  }
}
