/**
 * The folder that `docker plugin create` makes a managed plugin of: a configuration and a root file system with one static
 * program in it, which hands every call on to the agent of the host. Swarm takes no other plugins.
 */
import { execFile } from 'node:child_process'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { DroverError } from '@network/net'

/** The agent's socket for the managed plugin, beside its own. */
export const MANAGED_SOCKET_NAME = 'docker.sock'

export interface DockerPluginOptions {
  /** The folder to write; what is there of an earlier run is replaced. */
  readonly folder: string
  /** Folder of the agent's sockets on every host: /run/drover. */
  readonly socketFolder: string
}

const PLUGIN_SOCKET = 'drover.sock'
const COMPILE_MS = 60_000

/** @returns the files. @throws DroverError 'invalid-path', 'no-compiler' */
export async function writeDockerPlugin(options: DockerPluginOptions): Promise<readonly string[]> {
  const { folder, socketFolder } = options
  if (!/^\/[A-Za-z0-9_./+-]{1,80}$/.test(socketFolder)) {
    throw new DroverError(
      'invalid-path',
      `The folder of the agent's socket can't be ${JSON.stringify(socketFolder)}.`,
      {
        remedy: "Use an absolute path of letters, digits, '_', '.', '+', '-' and '/'.",
      },
    )
  }
  const root = path.join(folder, 'rootfs')
  const program = path.join(root, 'relay')
  await mkdir(path.join(root, 'run/docker/plugins'), { recursive: true })
  await mkdir(path.join(root, socketFolder), { recursive: true })
  await compile(`${program}.new`, socketFolder)
  await rename(`${program}.new`, program)
  const configuration = path.join(folder, 'config.json')
  await writeFile(`${configuration}.new`, pluginConfiguration(socketFolder))
  await rename(`${configuration}.new`, configuration)
  return [configuration, program]
}

/** Docker's plugin configuration, version 1. */
export function pluginConfiguration(socketFolder: string): string {
  const configuration = {
    description: 'Routed networks by the Drover agent of the host',
    documentation: 'docs/docker.md',
    entrypoint: ['/relay'],
    workdir: '/',
    interface: {
      types: ['docker.networkdriver/1.0', 'docker.ipamdriver/1.0'],
      socket: PLUGIN_SOCKET,
    },
    network: { type: 'host' },
    linux: { capabilities: [] },
    mounts: [
      {
        name: 'agent',
        description: "The folder of the agent's sockets",
        type: 'bind',
        source: socketFolder,
        destination: socketFolder,
        options: ['rbind'],
        settable: ['source'],
      },
    ],
    env: [],
    args: { name: 'args', description: '', settable: null, value: [] },
    propagatedMount: '',
  }
  return `${JSON.stringify(configuration, undefined, 2)}\n`
}

async function compile(output: string, socketFolder: string): Promise<void> {
  const source = fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? '../../client/relay.c' : './docker/relay.c', import.meta.url),
  )
  const words = [
    ...['-std=c11', '-O2', '-Wall', '-static'],
    `-DAGENT_SOCKET="${path.join(socketFolder, MANAGED_SOCKET_NAME)}"`,
    `-DPLUGIN_SOCKET="/run/docker/plugins/${PLUGIN_SOCKET}"`,
    ...[source, '-o', output],
  ]
  await new Promise<void>((resolve, reject) => {
    execFile('cc', words, { timeout: COMPILE_MS }, (error, _stdout, stderr) => {
      if (error === null) {
        resolve()
        return
      }
      void rm(output, { force: true })
      reject(
        new DroverError(
          'no-compiler',
          `The plugin's program can't be compiled: ${stderr.trim().slice(0, 500) || error.message}.`,
          {
            remedy: 'Install a C compiler and its static library: apt-get install gcc libc6-dev.',
            cause: error,
          },
        ),
      )
    })
  })
}
