/**
 * Puts the executables and a network configuration where a container runtime looks for them, and takes them away again.
 * Each file is made beside its place under another name and renamed, so that a runtime which looks in between sees the
 * old one or the new one, whole; the executables come first, since a configuration without them would fail every
 * pod. A configuration that somebody has changed, or that is not ours, stays.
 */
import { execFile } from 'node:child_process'
import { chmod, link, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { DroverError } from '@network/net'
import {
  type ExecutableKind,
  type Paths,
  compilerArguments,
  defaultConfiguration,
  scriptText,
} from './files.ts'

export interface InstallOptions {
  /** Folder of the executables: /opt/cni/bin. */
  readonly bin: string
  /** Folder of network configurations: /etc/cni/net.d. */
  readonly conf: string
  readonly paths: Paths
  /** Default: binary if a C compiler is there, else script. */
  readonly kind?: ExecutableKind
}

export interface Installed {
  readonly kind: ExecutableKind
  readonly files: readonly string[]
  /** Files that were there and stay as they are. */
  readonly kept: readonly string[]
}

const programs = ['drover', 'drover-ipam'] as const
const CONFIGURATION_NAME = '10-drover.conflist'
const COMPILE_MS = 60_000

/** @throws DroverError 'invalid-path', 'no-compiler', 'io' */
export async function installCni(options: InstallOptions): Promise<Installed> {
  try {
    await mkdir(options.bin, { recursive: true, mode: 0o755 })
    await mkdir(options.conf, { recursive: true, mode: 0o755 })
    const [first, second] = programs.map((name) => path.join(options.bin, name)) as [string, string]
    const fresh = `${first}.new`
    const kind = await makeExecutable(fresh, options)
    await chmod(fresh, 0o755)
    await sync(fresh)
    await rm(`${second}.new`, { force: true })
    await link(fresh, `${second}.new`)
    await rename(fresh, first)
    await rename(`${second}.new`, second)
    const configuration = path.join(options.conf, CONFIGURATION_NAME)
    const present = await textOf(configuration)
    const written = present === undefined
    if (written) await writeWhole(configuration, defaultConfiguration())
    return {
      kind,
      files: [first, second, ...(written ? [configuration] : [])],
      kept: written ? [] : [configuration],
    }
  } catch (error) {
    throw asFailure(error)
  }
}

/** Takes away what installCni put there. What is gone already is no error. @throws DroverError 'io' */
export async function uninstallCni(
  options: Pick<InstallOptions, 'bin' | 'conf'>,
): Promise<Omit<Installed, 'kind'>> {
  try {
    const files: string[] = []
    const kept: string[] = []
    // The configuration first: until it is gone a runtime would look for the executable.
    const configuration = path.join(options.conf, CONFIGURATION_NAME)
    const present = await textOf(configuration)
    if (present === defaultConfiguration()) {
      await rm(configuration, { force: true })
      files.push(configuration)
    } else if (present !== undefined) kept.push(configuration)
    for (const name of programs) {
      const file = path.join(options.bin, name)
      if ((await textOf(file)) === undefined) continue
      await rm(file, { force: true })
      files.push(file)
    }
    return { files, kept }
  } catch (error) {
    throw asFailure(error)
  }
}

async function makeExecutable(output: string, { kind, paths }: InstallOptions): Promise<ExecutableKind> {
  if (kind !== 'script') {
    const outcomes: string[] = []
    for (const isStatic of [true, false]) {
      const outcome = await compile(compilerArguments(output, isStatic, paths))
      if (outcome === undefined) return 'binary'
      outcomes.push(outcome)
    }
    if (kind === 'binary') {
      throw new DroverError('no-compiler', `The executable can't be compiled: ${outcomes.join('; ')}.`, {
        remedy:
          'Install a C compiler (Debian: gcc and libc6-dev), or leave --executable out: a script does the same.',
      })
    }
  }
  await writeWhole(output, scriptText(paths))
  return 'script'
}

/** @returns why it failed; undefined if it did not */
function compile(args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile('cc', [...args], { timeout: COMPILE_MS, cwd: '/' }, (error, _stdout, stderr) => {
      if (error === null) resolve(undefined)
      else
        resolve(
          error.code === 'ENOENT'
            ? "there is no 'cc'"
            : stderr.trim().split('\n').slice(-1).join('') || error.message,
        )
    })
  })
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Beside its place, synced, then renamed. */
async function writeWhole(file: string, text: string): Promise<void> {
  const fresh = `${file}.tmp`
  const opened = await open(fresh, 'w', 0o644)
  try {
    await opened.writeFile(text)
    await opened.sync()
  } finally {
    await opened.close()
  }
  await rename(fresh, file)
}

async function sync(file: string): Promise<void> {
  const opened = await open(file, 'r')
  try {
    await opened.sync()
  } finally {
    await opened.close()
  }
}

function asFailure(error: unknown): unknown {
  if (error instanceof DroverError || (error as NodeJS.ErrnoException).code === undefined) return error
  return new DroverError('io', `${(error as Error).message}.`, {
    remedy: 'Run it as root, and name folders that can be written to with --bin and --conf.',
    cause: error,
  })
}
