#!/usr/bin/env node
import { existsSync } from 'node:fs'
import { createAgentClient } from '@network/agent/client'
import { silentLog, systemClock } from '@network/net/system'
import { runCommandLine } from './command-line.ts'
import type { AgentArguments, World } from './world.ts'

async function readInput(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/** Settings are only read, and the code for it only loaded, where somebody may have set something. */
async function socketPath(given: AgentArguments): Promise<string | undefined> {
  const isPlain =
    given.config === undefined &&
    !Object.keys(process.env).some((name) => name.startsWith('DROVER_')) &&
    !existsSync('/etc/drover/drover.yaml')
  if (isPlain) return given.socket
  const { agentSocket } = await import('./settings.ts')
  return agentSocket(given, process.env)
}

const world: World = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  fail: () => undefined,
  readInput,
  env: process.env,
  columns: process.stdout.isTTY ? process.stdout.columns : undefined,
  clock: systemClock,
  // A command says what went wrong in its one error; what the parts below log on the way is not for the terminal.
  log: silentLog,
  openStore: async (given) => {
    const [{ createEtcdStore }, { etcdOptions }] = await Promise.all([
      import('@network/datastore'),
      import('./settings.ts'),
    ])
    return createEtcdStore({ clock: systemClock, log: silentLog }, etcdOptions(given, process.env))
  },
  openAgent: async (given) => createAgentClient({ socketPath: await socketPath(given) }),
}

/** A reader that went away, as `head` does, is no failure. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await runCommandLine(process.argv.slice(2), world)
