import { readFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { DroverError } from '@network/net'
import { createEmbeddedEtcd } from '../../src/roles/embedded-etcd.ts'
import { silentLog, systemClock } from '@network/net/system'

const modules = { clock: systemClock, log: silentLog }

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

async function options(
  directory: string,
): Promise<{ directory: string; clientPort: number; peerPort: number }> {
  return { directory, clientPort: await freePort(), peerPort: await freePort() }
}

/** Whether the process runs; one that only waits to be reaped does not. */
function alive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    return !stat.slice(stat.lastIndexOf(')')).startsWith(') Z')
  } catch {
    return false
  }
}

async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const end = Date.now() + withinMs
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${String(withinMs)} ms: ${what}`)
    await sleep(30)
  }
}

async function temporary(test: Test): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'drover-etcd-'))
  test.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

t.test('starts, restarts a child that was killed, stops without a trace', async (t) => {
  const etcd = createEmbeddedEtcd(modules, await options(await temporary(t)))
  t.teardown(() => etcd.stop())
  await etcd.start()
  const first = etcd.pid
  t.ok(first !== undefined && alive(first))
  process.kill(first ?? 0, 'SIGKILL')
  await until('a new child', () => etcd.pid !== undefined && etcd.pid !== first)
  await until(
    'healthy again',
    async () => (await fetch(`${etcd.endpoint}/health`).catch(() => undefined))?.ok === true,
  )
  const second = etcd.pid ?? 0
  await etcd.stop()
  t.notOk(alive(second))
})

t.test('a taken port is named', async (t) => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', () => resolve()))
  t.teardown(() => taken.close())
  const address = taken.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const etcd = createEmbeddedEtcd(modules, {
    directory: await temporary(t),
    clientPort: port,
    peerPort: await freePort(),
  })
  const error: unknown = await etcd.start().then(
    () => undefined,
    (e: unknown) => e,
  )
  t.ok(error instanceof DroverError)
  t.match(error, { code: 'port-taken', message: new RegExp(`127.0.0.1:${String(port)}`) })
})

t.test('no etcd outlives an agent that was killed, and the next agent keeps the data', async (t) => {
  const chosen = await options(await temporary(t))
  const holder = spawn(
    process.execPath,
    [
      ...['--import=tsx', '--conditions=@network/source'],
      fileURLToPath(new URL('./embedded-etcd-holder.ts', import.meta.url)),
      JSON.stringify(chosen),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  t.teardown(() => holder.kill('SIGKILL'))
  await new Promise<void>((resolve) => holder.stdout.once('data', () => resolve()))
  const { pid } = JSON.parse(await readFile(path.join(chosen.directory, 'etcd.pid'), 'utf8')) as {
    pid: number
  }
  const put = await fetch(`http://127.0.0.1:${String(chosen.clientPort)}/v3/kv/put`, {
    method: 'POST',
    body: JSON.stringify({ key: btoa('k'), value: btoa('kept') }),
  })
  t.ok(put.ok)
  holder.kill('SIGKILL')
  const etcd = createEmbeddedEtcd(modules, chosen)
  t.teardown(() => etcd.stop())
  await etcd.start()
  await until('the old child is gone', () => !alive(pid))
  const range = await fetch(`${etcd.endpoint}/v3/kv/range`, {
    method: 'POST',
    body: JSON.stringify({ key: btoa('k') }),
  })
  t.match(await range.json(), { kvs: [{ value: btoa('kept') }] })
})
