import { createRequire } from 'node:module'
import type * as Koffi from 'koffi'

/** The libc that Node itself runs with. */
export interface LibcLibrary {
  /** A function by its C prototype; the caller knows what it is in TypeScript. */
  func(prototype: string): unknown
  /** A structure that prototypes can name from now on; returns its name. Types are C's. */
  struct(name: string, fields: Readonly<Record<string, string>>): string
  /** errno's name after a call that failed: 'EPERM'. */
  errno(): string
}

let loaded: LibcLibrary | undefined

/** Loads koffi with the first call: who needs no option of libc needs no koffi. */
export function libcLibrary(): LibcLibrary {
  if (loaded !== undefined) return loaded
  const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
  const library = koffi.load(null)
  const names = new Map(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]))
  loaded = {
    func: (prototype) => library.func(prototype),
    struct: (name, fields) => {
      koffi.struct(name, fields)
      return name
    },
    errno: () => {
      const number = koffi.errno()
      return names.get(number) ?? `errno ${number}`
    },
  }
  return loaded
}
