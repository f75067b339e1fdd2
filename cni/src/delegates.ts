/**
 * Other plugins that ours executes: for IPAM, and for bandwidth. By argument array, with the environment of the
 * specification and nothing else; looked for in the folders of CNI_PATH by a plain name.
 */
import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import path from 'node:path'
import { CniError, CniErrorCode, brief } from './cni-error.ts'
import { type Json, isRecord, parseJson } from './json.ts'

export interface DelegateCall {
  readonly plugin: string
  readonly command: 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS'
  readonly containerId: string
  readonly netns: string
  readonly ifname: string
  readonly args: string
  /** CNI_PATH: folders with colons between them. */
  readonly path: string
  readonly configuration: Readonly<Record<string, unknown>>
}

export interface Delegates {
  /** @throws CniError configuration if the plugin is in none of the folders */
  require(plugin: string, folders: string): Promise<void>
  /** What the plugin wrote, undefined for nothing. @throws CniError `delegate`, or the plugin's own code */
  run(call: DelegateCall): Promise<Json | undefined>
}

/** Whether an IPAM plugin asks for addresses over the interface itself, which then is there first and goes last. */
export function isOverInterface(plugin: string): boolean {
  return plugin === 'dhcp'
}

const TIMEOUT_MS = 25_000
/** For plugins that don't know the configuration's own. */
const OLDER_VERSION = '1.0.0'
const MOST_OUTPUT = 4 * 1024 * 1024

export function createDelegates(): Delegates {
  return {
    async require(plugin, folders) {
      await find(plugin, folders)
    },
    async run(call) {
      const file = await find(call.plugin, call.path)
      let { exitCode, stdout, stderr } = await execute(file, call)
      if (exitCode !== 0 && codeIn(stdout) === CniErrorCode.incompatibleVersion) {
        // Its answer is of any version to us, so one that it speaks too serves as well.
        const configuration = { ...call.configuration, cniVersion: OLDER_VERSION }
        ;({ exitCode, stdout, stderr } = await execute(file, { ...call, configuration }))
      }
      const text = stdout.trim()
      if (exitCode === 0) return text === '' ? undefined : parseJson(text, `The answer of ${call.plugin}`)
      throw new CniError(
        'delegate',
        `The plugin ${call.plugin} failed at ${call.command}: ${reasonIn(text) ?? (brief(stderr.trim(), 500) || `exit status ${String(exitCode)}`)}.`,
      )
    },
  }
}

/** The plugin's file. A name with a slash would reach outside the folders. */
async function find(plugin: string, folders: string): Promise<string> {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(plugin)) {
    throw new CniError('configuration', `ipam.type is '${brief(plugin)}', which is no plugin's name.`)
  }
  for (const folder of folders.split(':')) {
    if (!folder.startsWith('/')) continue
    const file = path.join(folder, plugin)
    try {
      await access(file, constants.X_OK)
      return file
    } catch {
      continue
    }
  }
  throw new CniError(
    'configuration',
    `The plugin '${plugin}' is in none of the folders of CNI_PATH (${brief(folders)}).`,
    'Debian has the common ones in containernetworking-plugins, below /usr/lib/cni.',
  )
}

function execute(
  file: string,
  call: DelegateCall,
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      [],
      {
        timeout: TIMEOUT_MS,
        killSignal: 'SIGKILL',
        maxBuffer: MOST_OUTPUT,
        cwd: '/',
        env: {
          PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
          CNI_COMMAND: call.command,
          CNI_CONTAINERID: call.containerId,
          CNI_NETNS: call.netns,
          CNI_IFNAME: call.ifname,
          CNI_ARGS: call.args,
          CNI_PATH: call.path,
        },
      },
      (error, stdout, stderr) => {
        const code = error?.code
        if (error === null) resolve({ exitCode: 0, stdout, stderr })
        else if (typeof code === 'number') resolve({ exitCode: code, stdout, stderr })
        else {
          const why = error.killed === true ? `did not end within ${String(TIMEOUT_MS)} ms` : error.message
          reject(new CniError('delegate', `The plugin ${call.plugin} could not be run: ${why}.`))
        }
      },
    )
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(JSON.stringify(call.configuration))
  })
}

function codeIn(text: string): unknown {
  try {
    const value = JSON.parse(text) as Json
    return isRecord(value) ? value['code'] : undefined
  } catch {
    return undefined
  }
}

/** `msg` and `details` of the error that a plugin writes. */
function reasonIn(text: string): string | undefined {
  try {
    const value = JSON.parse(text) as Json
    if (!isRecord(value) || typeof value['msg'] !== 'string') return undefined
    const { msg, details } = value
    return brief(typeof details === 'string' && details !== '' ? `${msg} (${details})` : msg, 500)
  } catch {
    return undefined
  }
}
