import type { PolicyUpdate } from '../input.ts'
import type { ActiveChanges, SetId } from './active.ts'

export interface CalculatorOptions {
  /** This node's name: endpoints of it are local. */
  readonly node: string
}

export interface Calculator {
  /** Takes one change of the model; cheap. The same one again changes nothing. */
  onUpdate(update: PolicyUpdate): void
  /** The host's interfaces and their addresses, for HostEndpoints that name addresses and no interface. */
  setInterfaces(interfaces: ReadonlyMap<string, readonly string[]>): void
  /** What changed in the active policy since the last call. */
  drain(): ActiveChanges
  /** Members of an active set as of the last change; empty if it isn't active. */
  members(set: SetId): readonly string[]
  /** Sentences for people: what can't be read, what nobody defined. */
  problems(): readonly string[]
}
