/** What a verb needs to be carried out. */
import type { FaceServices } from '@network/agent/client'
import type { CniCall } from '../input/call.ts'
import type { Delegates } from '../delegates.ts'
import type { Promises } from '../promises.ts'
import type { Remembered } from '../remembered.ts'
import type { Turns } from './turns.ts'

export interface OperationModules {
  readonly services: FaceServices
  readonly promises: Promises
  readonly remembered: Remembered
  readonly delegates: Delegates
  readonly turns: Turns
}

/** Answers what is written to standard output. @throws CniError, DroverError of the agent */
export type Operation = (modules: OperationModules, call: CniCall) => Promise<string>
