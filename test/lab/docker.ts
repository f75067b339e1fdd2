/** Docker on a host of the lab: a real dockerd with its own folders, an image made of busybox, and the plugin's flags. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { Lab, LabProcess, Output, Place } from './lab.ts'
import { until } from './lab.ts'

export interface DockerHost {
  readonly place: Place
  readonly socket: string
  /** Runs docker; rejects when it exits other than 0. */
  docker(...words: string[]): Promise<string>
  attempt(...words: string[]): Promise<Output>
  /** A container's IPv4 address on a network. */
  addressOf(container: string, network: string): Promise<string>
  /** Whether one ping from a container is answered. */
  pings(container: string, target: string): Promise<boolean>
  /** Waits until the host knows networks that were made on others. */
  knows(...networks: string[]): Promise<void>
  /** Starts dockerd and waits until it answers. */
  start(flags?: readonly string[]): Promise<void>
  daemon(): LabProcess
  /** Ends dockerd; 'SIGKILL' takes its containerd along. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** Name of the image that every host has. */
export const busybox = 'busybox:local'

/** Words for `docker run` that come last: a container that does nothing. */
export const idle = [busybox, 'sleep', '1000'] as const

/** Words for `docker`: a network of the driver; its subnets and its name come behind. */
export const createNetwork = ['network', 'create', '-d', 'drover', '--ipam-driver', 'drover'] as const

const folderOf = (lab: Lab, host: string): string => path.join(lab.folder, `${host}-docker`)

/** What an agent of that host is started with. */
export function dockerFlags(lab: Lab, host: string): readonly string[] {
  return ['--docker', '--docker-socket', path.join(folderOf(lab, host), 'docker.sock')]
}

/** A host's dockerd, running, with the image. */
export async function startDocker(
  lab: Lab,
  place: Place,
  flags: readonly string[] = [],
): Promise<DockerHost> {
  const folder = folderOf(lab, place.name)
  const socket = path.join(folder, 'docker.sock')
  mkdirSync(folder, { recursive: true })
  const env = { DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: path.join(folder, 'config') }
  let daemon: LabProcess | undefined

  const attempt = (...words: string[]): Promise<Output> =>
    place.attempt('docker', words, { env, timeoutMs: 120_000 })
  const docker = async (...words: string[]): Promise<string> => {
    const done = await attempt(...words)
    if (done.exitCode === 0) return done.stdout.trim()
    throw new Error(`on ${place.name}: docker ${words.join(' ')}: ${done.stderr || done.stdout}`)
  }
  const start = async (more: readonly string[] = []): Promise<void> => {
    // What a killed dockerd leaves would keep the next one from starting.
    for (const left of ['docker.pid', 'exec/containerd/containerd.pid'])
      rmSync(path.join(folder, left), { force: true })
    const started = place.start('dockerd', 'dockerd', [
      `--host=unix://${socket}`,
      `--data-root=${folder}/data`,
      `--exec-root=${folder}/exec`,
      `--pidfile=${folder}/docker.pid`,
      ...flags,
      ...more,
    ])
    daemon = started
    await until(
      `dockerd of ${place.name} answers`,
      async () => {
        if (!started.running())
          throw new Error(`dockerd of ${place.name} ended: ${started.log().slice(-2000)}`)
        return existsSync(socket) && (await attempt('version')).exitCode === 0
      },
      { timeoutMs: 90_000, intervalMs: 200 },
    )
  }
  const host: DockerHost = {
    place,
    socket,
    docker,
    attempt,
    addressOf: (container, network) =>
      docker('inspect', '-f', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container),
    pings: async (container, target) =>
      (await attempt('exec', container, 'ping', '-c', '1', '-W', '2', target)).exitCode === 0,
    knows: async (...networks) => {
      await until(`${place.name} knows ${networks.join(', ')}`, async () => {
        const known = (await docker('network', 'ls', '--format', '{{.Name}}')).split('\n')
        return networks.every((name) => known.includes(name))
      })
    },
    start,
    daemon: () => {
      if (daemon === undefined) throw new Error(`dockerd of ${place.name} was never started`)
      return daemon
    },
    stop: async (signal = 'SIGTERM') => {
      daemon?.signal(signal)
      await daemon?.ended
    },
  }
  await start()
  await importImage(place, docker, folder)
  return host
}

async function importImage(
  place: Place,
  docker: (...words: string[]) => Promise<string>,
  folder: string,
): Promise<void> {
  const root = path.join(folder, 'root')
  mkdirSync(path.join(root, 'bin'), { recursive: true })
  copyFileSync('/bin/busybox', path.join(root, 'bin', 'busybox'))
  chmodSync(path.join(root, 'bin', 'busybox'), 0o755)
  for (const name of ['sh', 'sleep', 'ping', 'ip', 'nc', 'wget', 'httpd', 'nslookup']) {
    copyFileSync('/bin/busybox', path.join(root, 'bin', name))
  }
  await place.run('tar', ['-C', root, '-cf', path.join(folder, 'image.tar'), '.'])
  await docker('import', '-c', 'ENV PATH=/bin', path.join(folder, 'image.tar'), busybox)
}
