import type { Argv } from 'yargs'

/** A command without its name and description, loaded when it is used: what it imports costs the others nothing. */
export interface Command {
  /** Declares options, positionals, examples, and commands below it. */
  options(yargs: Argv): Argv
  /** Does it. A command that only has others below it does nothing. */
  run(given: unknown): Promise<void>
}
