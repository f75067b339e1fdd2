import { accessSync, constants } from 'node:fs'
import path from 'node:path'

const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/lib/frr']

/** Path of a program, which is looked for unless it is given as a path. Throws with the Debian package to install if it is not there. */
export function requireProgram(name: string, debianPackage: string): string {
  for (const folder of path.isAbsolute(name) ? ['/'] : folders) {
    const file = path.resolve(folder, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      continue
    }
  }
  throw new Error(`'${name}' is not installed. Install it with: apt-get install ${debianPackage}`)
}
