/** The contents of what is installed. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { DroverError } from '@network/net'

/** `binary`: drover.c, compiled here. `script`: drover.sh, which runs curl, or Node. */
export type ExecutableKind = 'binary' | 'script'

export interface Paths {
  readonly socket: string
  /** Folder of promised DELs. */
  readonly journal: string
  readonly version: string
}

/** Where the sources of the executable lie: in the repository beside src/, in a bundle beside it. */
export function clientFolder(): string {
  return fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../../client/' : './cni/', import.meta.url))
}

/** Node's fallback: the bundle beside this one; from the sources it has to be built first. */
function nodeClient(): string {
  return fileURLToPath(
    new URL(
      import.meta.url.endsWith('.ts') ? '../../../dist/cni-client.js' : './cni-client.js',
      import.meta.url,
    ),
  )
}

/** Paths become part of a program's source: only what needs no quoting may. @throws DroverError 'invalid-path' */
export function checkPaths({ socket, journal }: Paths): void {
  for (const [what, value] of [
    ['socket', socket],
    ['state directory', journal],
  ] as const) {
    if (/^\/[A-Za-z0-9_./+-]*$/.test(value)) continue
    throw new DroverError('invalid-path', `The path ${JSON.stringify(value)} can't be that of the ${what}.`, {
      remedy: "Use an absolute path of letters, digits, '_', '.', '+', '-' and '/'.",
    })
  }
  if (Buffer.byteLength(socket) > 107) {
    throw new DroverError('invalid-path', `The path of the socket, ${socket}, is longer than 107 bytes.`)
  }
}

/** Arguments of the C compiler that makes `output`, linked statically if the machine can: it then starts faster. */
export function compilerArguments(output: string, isStatic: boolean, paths: Paths): string[] {
  checkPaths(paths)
  const text = (name: string, value: string): string => `-D${name}="${value}"`
  return [
    ...['-std=c11', '-O2', '-Wall', ...(isStatic ? ['-static'] : [])],
    ...[text('SOCKET_PATH', paths.socket), text('JOURNAL_PATH', paths.journal)],
    text('DROVER_VERSION', paths.version),
    ...[path.join(clientFolder(), 'drover.c'), '-o', output],
  ]
}

/** drover.sh, filled in. */
export function scriptText(paths: Paths): string {
  checkPaths(paths)
  const values: Readonly<Record<string, string>> = {
    SOCKET: paths.socket,
    JOURNAL: paths.journal,
    VERSION: paths.version,
    NODE: shellSafe(process.execPath),
    CLIENT: shellSafe(nodeClient()),
  }
  return readFileSync(path.join(clientFolder(), 'drover.sh'), 'utf8').replaceAll(
    /@([A-Z]+)@/g,
    (whole, name: string) => values[name] ?? whole,
  )
}

/** A path as it stands between single quotes. */
function shellSafe(text: string): string {
  return text.replaceAll("'", `'\\''`)
}

/** The network configuration of a node where Drover is the network. */
export function defaultConfiguration(): string {
  const configuration = {
    cniVersion: '1.0.0',
    name: 'drover',
    plugins: [
      {
        type: 'drover',
        capabilities: {
          portMappings: true,
          ips: true,
          mac: true,
          dns: true,
          bandwidth: true,
          'io.kubernetes.cri.pod-annotations': true,
        },
      },
    ],
  }
  return `${JSON.stringify(configuration, undefined, 2)}\n`
}
