/** What processes have used, as /proc tells: a daemon counts with all its children. */
import { readFileSync, readdirSync } from 'node:fs'

/** Linux has reported in ticks of 10 ms on every architecture since 2.6 (USER_HZ, proc(5)). */
const ticksPerSecond = 100

export interface Usage {
  readonly cpuSeconds: number
  /** Sum of each process's greatest resident set so far, in MiB. */
  readonly peakMiB: number
  readonly residentMiB: number
}

/** Use of a process and its descendants; zeros for what is gone. */
export function usageOf(pid: number): Usage {
  let cpuSeconds = 0
  let peakMiB = 0
  let residentMiB = 0
  for (const one of [pid, ...descendants(pid)]) {
    const stat = read(one, 'stat')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    cpuSeconds += (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / ticksPerSecond
    const status = read(one, 'status')
    peakMiB += Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024
    residentMiB += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024
  }
  return { cpuSeconds, peakMiB, residentMiB }
}

function descendants(pid: number): number[] {
  let threads: string[]
  try {
    threads = readdirSync(`/proc/${String(pid)}/task`)
  } catch {
    return []
  }
  const children = threads.flatMap((thread) =>
    read(pid, `task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  )
  return children.flatMap((child) => [child, ...descendants(child)])
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

/** Whether anything in a process's network namespace listens on a TCP port (proc(5): state 0A, port in hex). */
export function listensOn(pid: number, port: number): boolean {
  const wanted = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, '0')} \\S+ 0A `)
  return wanted.test(read(pid, 'net/tcp')) || wanted.test(read(pid, 'net/tcp6'))
}
