import type { AgentClient } from '@network/agent/client'
import type { Store } from '@network/datastore'
import type { Clock, Log } from '@network/net'

/** Everything a command touches; tests give one of their own. */
export interface World {
  /** Writes to standard output. */
  out(text: string): void
  /** Writes to standard error. */
  err(text: string): void
  /** Ends with exit code 1 although an answer was given: `node status` of a node that is not healthy. */
  fail(): void
  /** Standard input to its end. */
  readInput(): Promise<string>
  env: Readonly<Record<string, string | undefined>>
  /** Width of the terminal that standard output is; undefined when it is no terminal. */
  columns: number | undefined
  clock: Clock
  log: Log
  /** A connection to etcd as the options say; the command closes it. */
  openStore(options: StoreArguments): Promise<Store>
  /** The agent of this machine. */
  openAgent(options: AgentArguments): Promise<AgentClient>
}

/** Options that say where etcd is; undefined ones come from the environment and the configuration file. */
export interface StoreArguments {
  etcdEndpoints?: string[] | undefined
  etcdCaFile?: string | undefined
  etcdCertFile?: string | undefined
  etcdKeyFile?: string | undefined
  etcdUsername?: string | undefined
  etcdPasswordFile?: string | undefined
  config?: string | undefined
}

/** Options that say where the local agent is; undefined ones come from the environment and the configuration file. */
export interface AgentArguments {
  socket?: string | undefined
  config?: string | undefined
}
