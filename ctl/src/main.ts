#!/usr/bin/env node
import os from 'node:os'
import { createAgentClient } from '@network/agent/client'
import { createEtcdStore } from '@network/datastore'
import type { Clock, Log } from '@network/net'
import { runCommandLine } from './command-line.ts'
import { etcdOptions } from './etcd-settings.ts'
import type { World } from './world.ts'

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (call, ms) => {
    const timer = setTimeout(call, ms)
    return { cancel: () => clearTimeout(timer) }
  },
}

/** A command says what went wrong in its one error; what the parts below log on the way is not for the terminal. */
const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

const world: World = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  fail: () => undefined,
  readInput,
  env: process.env,
  columns: process.stdout.isTTY ? process.stdout.columns : undefined,
  clock,
  log: silent,
  hostname: os.hostname(),
  openStore: (options) =>
    Promise.resolve(createEtcdStore({ clock, log: silent }, etcdOptions(options, process.env))),
  agent: ({ socket }) => createAgentClient({ socketPath: socket ?? process.env['DROVER_SOCKET'] }),
}

/** A reader that went away, as `head` does, is no failure. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await runCommandLine(process.argv.slice(2), world)
