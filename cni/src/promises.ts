/**
 * Promised DELs: empty files whose names say everything (`<container id>:<interface>`, `…:ipam` of the IPAM plugin), so
 * that a promise is there whole or not at all, twice is once, and a shell script can make one. They are made by the
 * executable when no agent answers, and by the agent while it can't detach yet.
 */
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Log } from '@network/net'

export interface Attachment {
  readonly containerId: string
  readonly ifname: string
}

export interface Promises {
  /** Resolves when the promise is on disk. */
  make(attachment: Attachment): Promise<void>
  has(attachment: Attachment): boolean
  kept(attachment: Attachment): Promise<void>
  list(): Promise<readonly Attachment[]>
}

/** What an attachment is called: on disk, and among those that wait their turn. */
export function attachmentName({ containerId, ifname }: Attachment): string {
  return `${containerId}:${ifname}`
}

const namePattern = /^([A-Za-z0-9_][A-Za-z0-9_.-]{0,199}):([A-Za-z0-9_][A-Za-z0-9_.-]{0,14})(?::ipam)?$/

export async function openPromises(modules: { log: Log }, options: { folder: string }): Promise<Promises> {
  const { log } = modules
  const { folder } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const fileOf = (attachment: Attachment): string => path.join(folder, attachmentName(attachment))
  // Every ADD and DEL asks, and there is nearly never one: the kernel knows that by heart, while a thread would have to be woken.
  const filesOf = (attachment: Attachment): readonly string[] =>
    [fileOf(attachment), `${fileOf(attachment)}:ipam`].filter((file) => existsSync(file))
  const reported = new Set<string>()
  return {
    async make(attachment) {
      const file = await open(fileOf(attachment), 'a', 0o600)
      await file.close()
      const directory = await open(folder, 'r')
      try {
        await directory.sync()
      } finally {
        await directory.close()
      }
    },
    has: (attachment) => filesOf(attachment).length > 0,
    async kept(attachment) {
      for (const file of filesOf(attachment)) await rm(file, { force: true })
    },
    async list() {
      const attachments: Attachment[] = []
      for (const name of await readdir(folder)) {
        const [, containerId, ifname] = namePattern.exec(name) ?? []
        if (containerId !== undefined && ifname !== undefined) attachments.push({ containerId, ifname })
        else if (!reported.has(name)) {
          reported.add(name)
          log.warn({ folder, name }, 'a file of the journal is no promise and is left alone')
        }
      }
      return attachments
    },
  }
}
