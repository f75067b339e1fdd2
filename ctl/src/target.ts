import { existsSync } from 'node:fs'
import { request } from 'node:http'
import path from 'node:path'
import { DroverError } from '@network/net'
import { UsageError } from './output/failure.ts'

/** What is to be attached or detached, and under which identity. */
export interface Target {
  /** Path of the network namespace; undefined when only the identity is known. */
  netns: string | undefined
  containerId: string
  orchestrator: 'cli' | 'docker'
  workload: string
}

export interface TargetWords {
  netns: string | undefined
  pid: string | undefined
  docker: string | undefined
  id: string | undefined
  /** The variable DOCKER_HOST. */
  dockerHost: string | undefined
}

/**
 * Finds the network namespace behind --netns, --pid or --docker. `--id` overrides the identity, and stands alone where the
 * namespace is gone.
 * @throws UsageError if none or several are given; DroverError 'not-found' if there is no such process or container
 */
export async function resolveTarget(words: TargetWords): Promise<Target> {
  const given = [words.netns, words.pid, words.docker].filter((word) => word !== undefined)
  if (given.length > 1)
    throw new UsageError('--netns, --pid and --docker exclude each other.', 'Name one of them.')
  if (words.docker !== undefined) return dockerTarget(words.docker, words.id, words.dockerHost)
  if (words.pid !== undefined) {
    if (!/^[1-9][0-9]{0,9}$/.test(words.pid)) {
      throw new UsageError(`--pid '${words.pid}' is no process id.`, 'Give a positive whole number.')
    }
    return named(words.id ?? `pid-${words.pid}`, `/proc/${words.pid}/ns/net`)
  }
  if (words.netns !== undefined) {
    const file = words.netns.includes('/') ? path.resolve(words.netns) : path.join('/run/netns', words.netns)
    return named(words.id ?? path.basename(file), file)
  }
  if (words.id === undefined) {
    throw new UsageError('It is not said what is meant.', 'Name one of --netns, --pid, --docker or --id.')
  }
  return named(words.id, undefined)
}

function named(id: string, netns: string | undefined): Target {
  return { netns, containerId: id, orchestrator: 'cli', workload: id }
}

/** Docker's own variable says where its daemon is; only a unix socket leads to a container of this machine. */
function dockerSocket(dockerHost: string | undefined): string {
  if (dockerHost === undefined || dockerHost === '') return '/var/run/docker.sock'
  if (dockerHost.startsWith('unix://')) return dockerHost.slice('unix://'.length)
  throw new UsageError(
    `DOCKER_HOST is '${dockerHost}', which is no unix socket.`,
    'Unset it, or name the container by --pid.',
  )
}

async function dockerTarget(
  container: string,
  id: string | undefined,
  dockerHost: string | undefined,
): Promise<Target> {
  const socket = dockerSocket(dockerHost)
  if (!existsSync(socket)) {
    throw new DroverError('not-found', `Docker is not running here: there is no ${socket}.`, {
      remedy: 'Start dockerd, or name the container by --pid.',
    })
  }
  const answer = await dockerGet(socket, `/containers/${encodeURIComponent(container)}/json`)
  const state = answer.body as { Id?: string; Name?: string; State?: { Pid?: number } } | undefined
  if (answer.status === 404) {
    throw new DroverError('not-found', `Docker knows no container '${container}'.`, {
      remedy: "'docker ps' lists the running ones. One that is gone is detached by --id and its full id.",
    })
  }
  const pid = state?.State?.Pid ?? 0
  if (answer.status !== 200 || state?.Id === undefined) {
    throw new DroverError(
      'failed',
      `Docker answered status ${answer.status} when asked for '${container}'.`,
      {
        remedy: 'Look at the log of dockerd, or name the container by --pid.',
      },
    )
  }
  return {
    netns: pid > 0 ? `/proc/${pid}/ns/net` : undefined,
    containerId: id ?? state.Id,
    orchestrator: 'docker',
    workload: (state.Name ?? state.Id).replace(/^\//, ''),
  }
}

function dockerGet(socketPath: string, url: string): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: url, timeout: 10_000 }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        let body: unknown
        try {
          body = JSON.parse(Buffer.concat(chunks).toString('utf8'))
        } catch {
          body = undefined
        }
        resolve({ status: response.statusCode ?? 0, body })
      })
    })
    call.on('timeout', () => call.destroy(new Error('no answer within 10 s')))
    call.on('error', (cause) =>
      reject(
        new DroverError('unreachable', `Docker could not be asked on ${socketPath}: ${cause.message}.`, {
          remedy: 'Run it as root, and look whether dockerd runs.',
          cause,
        }),
      ),
    )
    call.end()
  })
}
