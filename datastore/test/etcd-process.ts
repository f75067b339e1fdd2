import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/*
 * Real etcd for tests: one member or a cluster of several, each a child process on free loopback ports with its data
 * in a fresh folder under the system's temporary one. Members can be killed, frozen and started again on the same data.
 */

export interface EtcdMember {
  readonly name: string
  /** `http://127.0.0.1:PORT`, or https with TLS. */
  readonly endpoint: string
  start(): Promise<void>
  /** kill -9; the data stay. */
  kill(): Promise<void>
  /** SIGSTOP: connections stay open and nothing answers. */
  freeze(): void
  thaw(): void
}

export interface EtcdCluster {
  readonly members: EtcdMember[]
  readonly endpoints: string[]
  /** Kills every member and deletes the data. */
  remove(): Promise<void>
}

export interface ServerTls {
  caFile: string
  certFile: string
  keyFile: string
  /** Refuse clients without a certificate of the CA. */
  requireClientCertificate: boolean
}

/** Throws, naming the Debian package, if a program that tests need isn't installed. */
export function requireProgram(program: string, debianPackage: string, versionFlag = '--version'): void {
  if (spawnSync(program, [versionFlag]).error) {
    throw new Error(`${program} is not installed: apt-get install ${debianPackage}`)
  }
}

export async function startEtcd(
  options: { members?: number; tls?: ServerTls; flags?: string[] } = {},
): Promise<EtcdCluster> {
  requireProgram('etcd', 'etcd-server')
  const folder = mkdtempSync(join(tmpdir(), 'drover-etcd-'))
  const scheme = options.tls ? 'https' : 'http'
  const count = options.members ?? 1
  const ports = await freePorts(count * 2)
  const plan = Array.from({ length: count }, (_, index) => ({
    name: `member-${index}`,
    clientUrl: `${scheme}://127.0.0.1:${ports[index * 2]!}`,
    peerUrl: `http://127.0.0.1:${ports[index * 2 + 1]!}`,
  }))
  const initialCluster = plan.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')
  const members = plan.map(({ name, clientUrl, peerUrl }) =>
    createMember(name, clientUrl, [
      ...['--name', name, '--data-dir', join(folder, name), '--log-level', 'error', '--logger', 'zap'],
      ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', initialCluster, '--heartbeat-interval', '50', '--election-timeout', '500'],
      ...tlsFlags(options.tls),
      ...(options.flags ?? []),
    ]),
  )
  const cluster: EtcdCluster = {
    members,
    endpoints: plan.map(({ clientUrl }) => clientUrl),
    async remove() {
      await Promise.all(members.map((member) => member.kill()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    await Promise.all(members.map((member) => member.start()))
  } catch (error) {
    await cluster.remove()
    throw error
  }
  return cluster
}

function tlsFlags(tls: ServerTls | undefined): string[] {
  if (!tls) return []
  return [
    ...['--cert-file', tls.certFile, '--key-file', tls.keyFile, '--trusted-ca-file', tls.caFile],
    ...(tls.requireClientCertificate ? ['--client-cert-auth'] : []),
  ]
}

function createMember(name: string, endpoint: string, flags: string[]): EtcdMember {
  let child: ChildProcess | undefined
  let output = ''
  const killAtExit = (): void => {
    child?.kill('SIGKILL')
  }

  async function kill(): Promise<void> {
    const running = child
    child = undefined
    process.off('exit', killAtExit)
    if (running?.exitCode !== null || running.signalCode !== null) return
    const ended = new Promise((resolve) => running.once('exit', resolve))
    running.kill('SIGKILL')
    await ended
  }

  return {
    name,
    endpoint,
    async start() {
      const started = spawn('etcd', flags, { stdio: ['ignore', 'pipe', 'pipe'] })
      child = started
      process.on('exit', killAtExit)
      const keep = (chunk: Buffer): void => {
        output = (output + chunk.toString()).slice(-4000)
      }
      started.stdout.on('data', keep)
      started.stderr.on('data', keep)
      const port = Number(new URL(endpoint).port)
      const giveUpAt = Date.now() + 15_000
      while (!(await accepts(port))) {
        if (started.exitCode !== null) throw new Error(`etcd ended with ${started.exitCode}: ${output}`)
        if (Date.now() > giveUpAt) throw new Error(`etcd doesn't listen on ${endpoint}: ${output}`)
        await sleep(20)
      }
    },
    kill,
    freeze() {
      child?.kill('SIGSTOP')
    },
    thaw() {
      child?.kill('SIGCONT')
    },
  }
}

/** Ports of loopback that nobody listens on at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject)
          server.listen(0, '127.0.0.1', () => {
            const address = server.address()
            resolve(typeof address === 'object' && address ? address.port : 0)
          })
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const answer = (value: boolean) => () => {
      socket.destroy()
      resolve(value)
    }
    socket.once('connect', answer(true)).once('error', answer(false))
  })
}
