import type { LabProcess, Place } from '../../../test/lab/index.ts'
import type { Population } from '../plan.ts'

/** What a speaker is started with. Whoever connects from a client's address is a peer; the speaker never dials. */
export interface Setting {
  readonly place: Place
  /** Folder for its files, removed by the caller. */
  readonly folder: string
  readonly population: Population
  /** Folder of the bundled programs. */
  readonly programs: string
  /** Arguments for Node, where the target is a program of ours. */
  readonly nodeArguments: readonly string[]
}

/** A speaker that can be measured. */
export interface Target {
  readonly name: string
  /** As its column says: name and version. */
  version(): Promise<string>
  /** False for the mirror, where one route must be picked out of several. */
  readonly decides: boolean
  /** Starts it; it listens on port 179 soon after. */
  start(setting: Setting): LabProcess
}
