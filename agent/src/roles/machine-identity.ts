import { randomUUID } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import path from 'node:path'

/** Which machine this is, and which of its lives: a copy of a disk shares the first, never the second. */
export interface MachineIdentity {
  readonly machine: string
  readonly boot: string
}

/** Reads the identity that the state directory keeps, or makes it. */
export async function readMachineIdentity(stateDirectory: string): Promise<MachineIdentity> {
  const file = path.join(stateDirectory, 'identity')
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  const known = (await readFile(file, 'utf8').catch(() => '')).trim()
  if (/^[0-9a-f-]{36}$/.test(known)) return { machine: known, boot }
  const machine = randomUUID()
  const fresh = await open(`${file}.new`, 'w', 0o600)
  try {
    await fresh.writeFile(`${machine}\n`)
    await fresh.sync()
  } finally {
    await fresh.close()
  }
  await rename(`${file}.new`, file)
  return { machine, boot }
}
