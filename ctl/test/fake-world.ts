import { mkdtempSync, rmSync } from 'node:fs'
import { type IncomingMessage, type Server, createServer } from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { createAgentClient } from '@network/agent/client'
import { type MemoryStore, createMemoryStore } from '@network/datastore'
import type { Clock } from '@network/net'
import { silentLog as silent } from '@network/net/system'
import { type ExitCode, runCommandLine } from '../src/index.ts'
import type { World } from '../src/world.ts'

export interface Run {
  exitCode: ExitCode
  out: string
  err: string
}

/** One call that a fake server got. */
export interface Call {
  method: string
  url: string
  body: unknown
}

/** What a fake server answers: status and JSON. */
export type Answer = (call: Call) => { status?: number; body: unknown }

export interface FakeServer {
  readonly socket: string
  readonly calls: Call[]
  close(): Promise<void>
}

/** 2026-01-01T00:00:00Z: the present moment of every test. */
export const NOW = Date.UTC(2026, 0, 1)

export const clock: Clock = {
  now: () => NOW,
  monotonic: () => performance.now(),
  setTimeout: (call, ms) => {
    const timer = setTimeout(call, ms)
    return { cancel: () => clearTimeout(timer) }
  },
}

export { silent }

/** A folder that is gone when the test is over. */
export function temporaryFolder(t: { teardown(end: () => void): void }): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'drover-ctl-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** An HTTP server on a unix socket that plays the agent or Docker. */
export async function fakeServer(
  t: { teardown(end: () => void | Promise<void>): void },
  socket: string,
  answer: Answer,
): Promise<FakeServer> {
  const calls: Call[] = []
  const server: Server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const call = { method: request.method ?? '', url: request.url ?? '', body }
      calls.push(call)
      const { status = 200, body: said } = answer(call)
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said))
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(socket, resolve)
  })
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  t.teardown(close)
  return { socket, calls, close }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString('utf8')
  return text === '' ? undefined : JSON.parse(text)
}

/** A command line over a store in memory. The store outlives the commands that close it. */
export function createBench(options: { socket?: string; env?: World['env']; columns?: number } = {}): {
  store: MemoryStore
  run: (words: readonly string[], input?: string) => Promise<Run>
} {
  const store = createMemoryStore({ clock })
  return {
    store,
    async run(words, input = '') {
      let out = ''
      let err = ''
      const exitCode = await runCommandLine(words, {
        out: (text) => void (out += text),
        err: (text) => void (err += text),
        fail: () => undefined,
        readInput: () => Promise.resolve(input),
        env: options.env ?? {},
        columns: options.columns,
        clock,
        log: silent,
        openStore: () => Promise.resolve({ ...store, close: () => Promise.resolve() }),
        openAgent: ({ socket }) =>
          Promise.resolve(
            createAgentClient({ socketPath: socket ?? options.socket ?? '/nowhere/agent.sock' }),
          ),
      })
      return { exitCode, out, err }
    },
  }
}
