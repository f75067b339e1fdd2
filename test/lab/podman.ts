/** podman with its CNI backend on a host of the lab: folders of its own, an image made of busybox, runc. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Lab, Output, Place } from './lab.ts'
import { rootFilesystem } from './root-filesystem.ts'

export interface PodmanHost {
  /** Folders of plugins and of network configurations; to be filled by the test. */
  readonly bin: string
  readonly conf: string
  /** Runs podman; rejects when it exits other than 0. */
  podman(...words: string[]): Promise<string>
  attempt(...words: string[]): Promise<Output>
  /** Ends every container, as hard as it takes. */
  removeAll(): Promise<void>
}

export const podmanImage = 'localhost/busybox:lab'

export async function startPodman(lab: Lab, place: Place): Promise<PodmanHost> {
  const folder = path.join(lab.folder, `${place.name}-podman`)
  const [bin, conf] = [path.join(folder, 'bin'), path.join(folder, 'net.d')]
  for (const each of [bin, conf]) mkdirSync(each, { recursive: true })
  const configuration = path.join(folder, 'containers.conf')
  writeFileSync(
    configuration,
    `[network]
network_backend = "cni"
cni_plugin_dirs = ["${bin}", "/usr/lib/cni"]
network_config_dir = "${conf}"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "runc"
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:8192"]
log_driver = "k8s-file"
`,
  )
  const own = [
    '--root',
    path.join(folder, 'storage'),
    '--runroot',
    path.join(folder, 'run'),
    '--tmpdir',
    path.join(folder, 'tmp'),
  ]
  const env = { CONTAINERS_CONF: configuration, TMPDIR: folder }
  const attempt = (...words: string[]): Promise<Output> =>
    place.attempt('podman', [...own, ...words], { env, timeoutMs: 120_000 })
  const podman = async (...words: string[]): Promise<string> => {
    const done = await attempt(...words)
    if (done.exitCode === 0) return done.stdout.trim()
    throw new Error(`on ${place.name}: podman ${words.join(' ')}: ${done.stderr || done.stdout}`)
  }
  await podman('import', '--change', 'ENV PATH=/bin', rootFilesystem(folder), podmanImage)
  return {
    bin,
    conf,
    podman,
    attempt,
    removeAll: async () => {
      await attempt('pod', 'rm', '--all', '--force', '--time', '0')
      await attempt('rm', '--all', '--force', '--time', '0')
    },
  }
}
