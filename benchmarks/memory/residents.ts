/** What processes hold in memory, as the kernel counts it, and the table that sets them beside a Node that does nothing. */
import { readFileSync } from 'node:fs'
import type { Place } from '@network/test/lab'
import { markdown, surroundings } from '../node/timings.ts'

/** What was needed once is given back by then. */
export const restMs = 20_000

export interface Resident {
  readonly title: string
  readonly residentMiB: number
  readonly anonymousMiB: number
  readonly peakMiB: number
  /** It should hold no more than this above the bare Node. */
  readonly targetMiB: number | undefined
}

/** A process as it is now. */
export function residentOf(title: string, pid: number, targetMiB?: number): Resident {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8')
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024
  return {
    title,
    residentMiB: field('VmRSS'),
    anonymousMiB: field('RssAnon'),
    peakMiB: field('VmHWM'),
    targetMiB,
  }
}

/** A Node that does nothing; it ends with the lab. Its pid is its own: nsenter, which starts it, becomes it. */
export function startBareNode(place: Place): number {
  return place.start('bare', process.execPath, ['-e', 'setInterval(() => {}, 1e6)']).pid
}

/** Prints what was measured beside the bare Node; if a target was missed the process will exit 1. */
export function reportResidents(bareNode: Resident, others: readonly Resident[]): void {
  const above = ({ residentMiB }: Resident): number => residentMiB - bareNode.residentMiB
  const mib = (value: number): string => value.toFixed(1)
  const row = (one: Resident): string[] => [
    one.title,
    mib(one.residentMiB),
    mib(above(one)),
    one.targetMiB === undefined ? '' : `+ ${String(one.targetMiB)}`,
    mib(one.anonymousMiB),
    mib(one.peakMiB),
  ]
  console.log(surroundings())
  console.log(
    `\n${markdown(
      ['', 'resident MiB', 'above bare Node', 'at most', 'anonymous', 'peak'],
      [bareNode, ...others].map(row),
    )}\n`,
  )
  const missed = others.filter((one) => one.targetMiB !== undefined && above(one) > one.targetMiB)
  console.log(
    missed.length === 0 ? 'target reached' : `target missed: ${missed.map(({ title }) => title).join('; ')}`,
  )
  if (missed.length > 0) process.exitCode = 1
}
