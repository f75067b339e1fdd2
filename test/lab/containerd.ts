/**
 * containerd on a host of the lab, driven over its CRI socket as a kubelet drives it: a daemon with folders of its own,
 * an image made of busybox, pods, and commands in them.
 */
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Client, type ServiceError, credentials, loadPackageDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { Lab, LabProcess, Place } from './lab.ts'
import { until } from './lab.ts'
import { ociImage } from './root-filesystem.ts'

export interface PodWish {
  readonly name: string
  readonly namespace?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly ports?: readonly {
    readonly protocol?: 'TCP' | 'UDP'
    readonly container_port: number
    readonly host_port: number
    readonly host_ip?: string
  }[]
  readonly dns?: { readonly servers?: readonly string[]; readonly searches?: readonly string[] }
}

export interface Pod {
  readonly id: string
  readonly name: string
  readonly addresses: readonly string[]
}

export interface ContainerdHost {
  /** Folders of plugins and of network configurations; to be filled by the test. */
  readonly bin: string
  readonly conf: string
  readonly daemon: () => LabProcess
  start(): Promise<void>
  stop(signal?: NodeJS.Signals): Promise<void>
  networkReady(): Promise<boolean>
  runPod(wish: PodWish): Promise<Pod>
  stopPod(id: string): Promise<void>
  removePod(id: string): Promise<void>
  pods(): Promise<readonly string[]>
  /** Starts a container in a pod; answers its id. */
  startContainer(pod: Pod, command: readonly string[]): Promise<string>
  exec(container: string, ...command: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }>
  /** Ends every pod. */
  removeAll(): Promise<void>
}

const image = 'drover.test/pause:lab'
const debianPlugins = '/usr/lib/cni'
const CALL_MS = 120_000

type Call = (
  request: object,
  options: { deadline: number },
  answer: (error: ServiceError | null, value: unknown) => void,
) => void

export async function startContainerd(lab: Lab, place: Place): Promise<ContainerdHost> {
  const folder = path.join(lab.folder, `${place.name}-containerd`)
  const [bin, conf] = [path.join(folder, 'bin'), path.join(folder, 'net.d')]
  for (const each of [bin, conf]) mkdirSync(each, { recursive: true })
  // Debian's own plugins stand beside ours: containerd runs loopback before every chain.
  for (const name of readdirSync(debianPlugins))
    symlinkSync(path.join(debianPlugins, name), path.join(bin, name))
  const socket = path.join(folder, 'containerd.sock')
  const configuration = path.join(folder, 'config.toml')
  writeFileSync(configuration, configurationText(folder, socket, bin, conf))

  let daemon: LabProcess | undefined
  let client: Client | undefined
  const call = <T>(method: string, request: object): Promise<T> =>
    new Promise((resolve, reject) => {
      const rpc = (client as unknown as Record<string, Call> | undefined)?.[method]
      if (client === undefined || rpc === undefined) throw new Error(`containerd is not there for ${method}`)
      rpc.call(client, request, { deadline: Date.now() + CALL_MS }, (error, value) => {
        if (error === null) resolve(value as T)
        else reject(new Error(`on ${place.name}: ${method}: ${error.details}`))
      })
    })
  const start = async (): Promise<void> => {
    const started = place.start('containerd', 'containerd', [
      '--config',
      configuration,
      '--log-level',
      'warn',
    ])
    daemon = started
    client?.close()
    client = connect(socket)
    await until(
      `containerd of ${place.name} answers`,
      async () => {
        if (!started.running())
          throw new Error(`containerd of ${place.name} ended: ${started.log().slice(-2000)}`)
        return (
          existsSync(socket) &&
          call('Status', {}).then(
            () => true,
            () => false,
          )
        )
      },
      { timeoutMs: 60_000, intervalMs: 200 },
    )
  }
  const pods = async (): Promise<readonly string[]> =>
    (await call<{ items: { id: string }[] }>('ListPodSandbox', {})).items.map(({ id }) => id)
  const stopPod = async (id: string): Promise<void> => {
    await call('StopPodSandbox', { pod_sandbox_id: id })
  }
  const removePod = async (id: string): Promise<void> => {
    await call('RemovePodSandbox', { pod_sandbox_id: id })
  }
  const configurations = new Map<string, object>()

  const host: ContainerdHost = {
    bin,
    conf,
    daemon: () => {
      if (daemon === undefined) throw new Error(`containerd of ${place.name} was never started`)
      return daemon
    },
    start,
    stop: async (signal = 'SIGTERM') => {
      client?.close()
      client = undefined
      daemon?.signal(signal)
      await daemon?.ended
    },
    networkReady: async () => {
      const { status } = await call<{ status: { conditions: { type: string; status: boolean }[] } }>(
        'Status',
        {},
      )
      return status.conditions.some(({ type, status: holds }) => type === 'NetworkReady' && holds)
    },
    runPod: async (wish) => {
      const config = podConfiguration(wish, folder)
      const { pod_sandbox_id: id } = await call<{ pod_sandbox_id: string }>('RunPodSandbox', { config })
      configurations.set(id, config)
      const { status } = await call<{
        status: { network: { ip: string; additional_ips: { ip: string }[] } | null }
      }>('PodSandboxStatus', { pod_sandbox_id: id })
      const { network } = status
      const addresses = network === null ? [] : [network.ip, ...network.additional_ips.map(({ ip }) => ip)]
      return { id, name: wish.name, addresses }
    },
    stopPod,
    removePod,
    pods,
    startContainer: async (pod, command) => {
      const { container_id } = await call<{ container_id: string }>('CreateContainer', {
        pod_sandbox_id: pod.id,
        config: { metadata: { name: 'main', attempt: 0 }, image: { image }, command },
        sandbox_config: configurations.get(pod.id),
      })
      await call('StartContainer', { container_id })
      return container_id
    },
    exec: async (container, ...command) => {
      const done = await call<{ exit_code: number; stdout: Buffer; stderr: Buffer }>('ExecSync', {
        container_id: container,
        cmd: command,
        timeout: 60,
      })
      return { exitCode: done.exit_code, stdout: done.stdout.toString(), stderr: done.stderr.toString() }
    },
    removeAll: async () => {
      for (const id of await pods()) {
        await stopPod(id)
        await removePod(id)
      }
    },
  }
  await start()
  const archive = ociImage(folder, image, ['sleep', '100000'])
  await place.run('ctr', ['-a', socket, '-n', 'k8s.io', 'images', 'import', archive], { timeoutMs: 60_000 })
  return host
}

function connect(socket: string): Client {
  const definition = loadSync(path.join(import.meta.dirname, 'cri.proto'), {
    keepCase: true,
    longs: Number,
    defaults: true,
  })
  const loaded = loadPackageDefinition(definition) as unknown as {
    runtime: { v1: { RuntimeService: new (address: string, creds: object, options: object) => Client } }
  }
  const { RuntimeService } = loaded.runtime.v1
  return new RuntimeService(`unix://${socket}`, credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 500,
  })
}

function podConfiguration(
  { name, namespace = 'default', annotations = {}, ports = [], dns }: PodWish,
  folder: string,
): object {
  return {
    metadata: { name, uid: `uid-${name}`, namespace, attempt: 0 },
    hostname: name.slice(0, 60),
    log_directory: path.join(folder, 'logs'),
    ...(dns === undefined ? {} : { dns_config: dns }),
    port_mappings: ports.map((port) => ({ protocol: 'TCP', ...port })),
    labels: {},
    annotations,
    linux: {},
  }
}

function configurationText(folder: string, socket: string, bin: string, conf: string): string {
  return `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${image}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${bin}"
    conf_dir = "${conf}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
`
}
