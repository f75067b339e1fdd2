import { accessSync, constants } from 'node:fs'

/**
 * The path of a program where Debian puts it: by path and not by name, since FRR and OpenBGPD both call theirs bgpd.
 * @throws Error with the package to install
 */
export function installed(program: string, debianPackage: string): string {
  try {
    accessSync(program, constants.X_OK)
    return program
  } catch {
    throw new Error(`'${program}' is not installed. Install it with: apt-get install ${debianPackage}`)
  }
}
