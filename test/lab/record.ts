/**
 * What a lab has made, written to disk before it is made, so that a process with no memory can remove all of it: the
 * lab's own end, the reaper that outlives a killed owner, and the next lab that starts. Removal is synchronous (it also
 * runs in exit handlers) and goes on past whatever is gone already.
 */
import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'

/** Where labs keep their records and folders: one folder a lab. */
export const labsFolder = '/run/drover-lab'

/** A process together with the moment it started, so that a pid that was given anew is not taken for the old one. */
export interface ProcessMark {
  pid: number
  /** Clock ticks since boot: field 22 of /proc/PID/stat. */
  startTicks: string
}

export interface LabRecord {
  id: string
  owner: ProcessMark
  namespaces: string[]
  processes: ProcessMark[]
  /** Mount points, in the order in which they were made. */
  mounts: string[]
  /** Mount-point folders outside the lab's own folder that were not there before. */
  folders: string[]
}

export function labFolder(id: string): string {
  return path.join(labsFolder, id)
}

/** The mark of a running process; undefined when it is gone. */
export function markOf(pid: number): ProcessMark | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : { pid, startTicks: fields[19] ?? '' }
  } catch {
    return undefined
  }
}

export function isRunning(mark: ProcessMark): boolean {
  return mark.pid > 1 && markOf(mark.pid)?.startTicks === mark.startTicks
}

/** Writes the record whole or not at all. */
export function writeRecord(record: LabRecord): void {
  const file = path.join(labFolder(record.id), 'record.json')
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(`${file}.new`, JSON.stringify(record))
  renameSync(`${file}.new`, file)
}

export function readRecord(id: string): LabRecord | undefined {
  try {
    return JSON.parse(readFileSync(path.join(labFolder(id), 'record.json'), 'utf8')) as LabRecord
  } catch {
    return undefined
  }
}

function quietly(program: string, ...args: string[]): string {
  const done = spawnSync(program, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
    timeout: 20_000,
  })
  return done.stdout
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** Ends every process of the lab: the recorded ones and whatever still lives in its namespaces. */
function endProcesses(record: LabRecord): void {
  for (let round = 0; round < 50; round++) {
    const inside = record.namespaces.flatMap((name) =>
      quietly('ip', 'netns', 'pids', name)
        .split('\n')
        .map(Number)
        .filter((pid) => pid > 1 && pid !== process.pid),
    )
    const marked = record.processes.filter(isRunning).map((mark) => mark.pid)
    const alive = [...new Set([...inside, ...marked])]
    if (alive.length === 0) return
    for (const pid of alive) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It ended by itself meanwhile.
      }
    }
    sleep(20)
  }
}

function mountedBelow(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point === folder || point.startsWith(`${folder}/`))
}

/** Removes everything that the record names. */
export function removeLab(record: LabRecord): void {
  endProcesses(record)
  for (const name of record.namespaces) quietly('ip', 'netns', 'delete', name)
  for (const point of [...record.mounts].reverse()) quietly('umount', '--lazy', point)
  for (const point of mountedBelow(labFolder(record.id)).reverse()) quietly('umount', '--lazy', point)
  for (const folder of [...record.folders].reverse()) {
    try {
      rmdirSync(folder)
    } catch {
      // Somebody else has put something there: it stays.
    }
  }
  rmSync(labFolder(record.id), { recursive: true, force: true })
  try {
    rmdirSync(labsFolder)
  } catch {
    // Other labs are there.
  }
}

/** Removes every lab whose owner is gone; returns their ids. */
export function sweepLabs(): string[] {
  const swept: string[] = []
  for (const id of labIds()) {
    const record = readRecord(id)
    if (record === undefined || isRunning(record.owner)) continue
    removeLab(record)
    swept.push(id)
  }
  return swept
}

function labIds(): string[] {
  try {
    return readdirSync(labsFolder).filter((id) => statSync(labFolder(id)).isDirectory())
  } catch {
    return []
  }
}
