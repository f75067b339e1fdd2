/**
 * Power loss on a host of the lab: every process of its runtime and its agent is killed at once, and what a kernel forgets
 * (namespaces of containers, interfaces, routes, tables, sets, /run) is taken away. Disks stay.
 */
import { readFileSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { type DockerHost, type Lab, type LabNode, until } from '../../lab/index.ts'

/** @param folder dockerd's own folder: processes that it names in their command line are its runtime's */
export async function losePower(lab: Lab, node: LabNode, host: DockerHost): Promise<void> {
  const folder = path.dirname(host.socket)
  const place = node.place
  node.agent().signal('SIGKILL')
  host.daemon().signal('SIGKILL')
  await Promise.all([node.agent().ended, host.daemon().ended])
  await until('every process of the runtime is gone', () => {
    const left = runtimeProcesses(folder)
    for (const pid of left) kill(pid)
    return left.length === 0
  })
  const mounts = (await place.run('cat', ['/proc/self/mounts'])).stdout
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((target) => target.startsWith(`${folder}/`))
    .reverse()
  for (const target of mounts) await place.attempt('umount', ['-l', target])
  rmSync(path.join(folder, 'exec'), { recursive: true, force: true })
  for (const own of ['run-drover', 'run-docker']) {
    for (const name of readdirSync(path.join(lab.folder, node.name, own)))
      rmSync(path.join(lab.folder, node.name, own, name), { recursive: true, force: true })
  }
  await forgetKernel(node)
}

async function forgetKernel({ place }: LabNode): Promise<void> {
  for (const program of ['iptables', 'ip6tables']) {
    for (const table of ['filter', 'nat', 'mangle', 'raw']) {
      await place.run(program, ['-t', table, '-F'])
      await place.run(program, ['-t', table, '-X'])
    }
    await place.run(program, ['-P', 'FORWARD', 'ACCEPT'])
  }
  await place.run('ipset', ['destroy'])
  for (const family of ['-4', '-6'])
    await place.run('ip', [family, 'route', 'flush', 'table', 'all', 'proto', '98'])
  const shown = await place.run('ip', ['-j', 'link', 'show'])
  const links = JSON.parse(shown.stdout) as { ifname: string }[]
  for (const { ifname } of links) {
    if (ifname !== 'lo' && ifname !== 'eth0') await place.attempt('ip', ['link', 'del', ifname])
  }
  await place.run('sysctl', ['-qw', 'net.ipv4.ip_forward=0'])
}

/** containerd, its shims and what they run, by the folder in their command line and by descent. */
function runtimeProcesses(folder: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const parents = new Map<number, number>()
  const found = new Set<number>()
  for (const name of pids) {
    const [line, parent] = [read(name, 'cmdline'), / (\d+) /.exec(read(name, 'stat').replace(/^.*\) \S/, ''))]
    const isZombie = /\) Z /.test(read(name, 'stat'))
    if (isZombie) continue
    parents.set(Number(name), Number(parent?.[1] ?? 0))
    const [program = ''] = line.split('\0')
    if (/containerd|runc|docker-proxy|docker-init/.test(program) && line.includes(`${folder}/`))
      found.add(Number(name))
  }
  for (let grown = true; grown;) {
    grown = false
    for (const [pid, parent] of parents) {
      if (!found.has(parent) || found.has(pid)) continue
      found.add(pid)
      grown = true
    }
  }
  return [...found].filter((pid) => pid > 1 && pid !== process.pid)
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
