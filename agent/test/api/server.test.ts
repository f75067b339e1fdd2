import { DroverError } from '@network/net'
import { lstat, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, connect } from 'node:net'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import type { AgentOperations } from '../../src/api/operations.ts'
import { createApiServer } from '../../src/api/server.ts'
import { createAgentClient } from '../../src/client/index.ts'
import { recordingLog } from '../recording-log.ts'
import { silentLog } from '@network/net/system'

const attachBody = {
  netns: '/run/netns/x',
  containerId: 'c1',
  interfaceName: 'eth0',
  orchestrator: 'cli',
  workload: 'w',
  endpoint: 'eth0',
}

function operations(more: Partial<AgentOperations> = {}): AgentOperations {
  const unused = () => Promise.reject(new Error('not asked for'))
  return {
    attach: unused,
    detach: () => Promise.resolve({ endpoints: ['cli/w/eth0'], addresses: [], journaled: true }),
    check: unused,
    endpoints: () => Promise.resolve([]),
    health: () => ({ ok: false, checks: [{ name: 'store', ok: false, reason: 'away', since: 1 }] }),
    node: unused,
    config: () => [],
    bgpPeers: () => Promise.resolve([]),
    bgpRoutes: ({ prefix }) => Promise.resolve({ routes: [], truncated: prefix === '10.0.0.0/26' }),
    bgpWhy: unused,
    bgpRefresh: unused,
    bgpShutdown: unused,
    audit: unused,
    policy: unused,
    ...more,
  }
}

async function socket(t: Test): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'drover-api-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return path.join(directory, 'run', 'agent.sock')
}

async function serve(t: Test, more: Partial<AgentOperations> = {}, options: { receiveMs?: number } = {}) {
  const socketPath = await socket(t)
  const log = recordingLog()
  const server = createApiServer({ operations: operations(more), log }, { socketPath, ...options })
  await server.listen()
  t.teardown(() => server.close(100))
  return { socketPath, client: createAgentClient({ socketPath }), log, server }
}

/** A raw call: status and body. */
function call(socketPath: string, method: string, target: string, body?: string) {
  return new Promise<{ status: number; body: unknown }>((resolve, reject) => {
    const sent = httpRequest({ socketPath, method, path: target, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

t.test('answers and errors come through the client as they are', async (t) => {
  const { client } = await serve(t, {
    attach: () =>
      Promise.reject(
        new DroverError('no-address', 'None is left.', {
          remedy: 'Add a pool.',
          details: { reason: 'exhausted' },
        }),
      ),
  })
  t.match(await client.detach({ containerId: 'c1' }), { journaled: true, endpoints: ['cli/w/eth0'] })
  t.match(
    await client.health(),
    { ok: false, checks: [{ name: 'store' }] },
    'health is an answer, also when it is bad',
  )
  await t.rejects(client.attach(attachBody), {
    code: 'no-address',
    message: 'None is left.',
    remedy: 'Add a pool.',
    details: { reason: 'exhausted' },
    status: 409,
  })
  t.match(await client.bgpRoutes({ prefix: '10.0.0.0/26' }), { truncated: true })
})

const refusals: {
  name: string
  method: string
  target: string
  body?: string
  status: number
  message: RegExp
}[] = [
  { name: 'an unknown call', method: 'GET', target: '/v1/nothing', status: 404, message: /\/v1\/nothing/ },
  { name: 'a prototype as a call', method: 'GET', target: '/__proto__', status: 404, message: /__proto__/ },
  {
    name: 'counters of something',
    method: 'GET',
    target: '/v1/policy?policy=x',
    status: 400,
    message: /endpoint/,
  },
  { name: 'the wrong method', method: 'PUT', target: '/v1/attach', status: 405, message: /POST/ },
  { name: 'no JSON', method: 'POST', target: '/v1/attach', body: '{', status: 400, message: /JSON/ },
  {
    name: 'a missing field',
    method: 'POST',
    target: '/v1/detach',
    body: '{}',
    status: 400,
    message: /containerId/,
  },
  {
    name: 'an unknown field',
    method: 'POST',
    target: '/v1/detach',
    body: '{"containerId":"c","interfacename":"eth0"}',
    status: 400,
    message: /interfaceName/,
  },
  {
    name: 'an interface name with a slash',
    method: 'POST',
    target: '/v1/attach',
    body: JSON.stringify({ ...attachBody, interfaceName: '../x' }),
    status: 400,
    message: /interfaceName.*\.\.\/x/,
  },
  {
    name: 'a relative namespace',
    method: 'POST',
    target: '/v1/attach',
    body: JSON.stringify({ ...attachBody, netns: 'x' }),
    status: 400,
    message: /netns/,
  },
  {
    name: 'a bad address in a list',
    method: 'POST',
    target: '/v1/attach',
    body: JSON.stringify({ ...attachBody, addresses: ['10.0.0.1', '10.0.0.300'] }),
    status: 400,
    message: /addresses\[1\].*300/,
  },
  {
    name: 'a bad prefix',
    method: 'GET',
    target: '/v1/bgp/routes?prefix=10.0.0.1/26',
    status: 400,
    message: /10\.0\.0\.0\/26/,
  },
  {
    name: 'a body without end',
    method: 'POST',
    target: '/v1/attach',
    body: 'x'.repeat(2 * 1024 * 1024),
    status: 413,
    message: /1048576/,
  },
]
t.test('what it refuses, and how', async (t) => {
  const { socketPath } = await serve(t)
  for (const { name, method, target, body, status, message } of refusals) {
    const answer = await call(socketPath, method, target, body).catch((error: unknown) => ({
      status: 413,
      body: { error: { message: `1048576 ${String(error)}` } },
    }))
    t.equal(answer.status, status, name)
    t.match(answer.body, { error: { message } }, name)
  }
})

t.test('a bug is told in brief and logged in full', async (t) => {
  const { client, log } = await serve(t, { node: () => Promise.reject(new TypeError('x is undefined')) })
  await t.rejects(client.node(), { code: 'internal', status: 500, message: /log/ })
  t.match(
    log.lines.find(({ level }) => level === 'error'),
    { data: { error: /x is undefined/ } },
  )
})

t.test('the socket is for root alone', async (t) => {
  const { socketPath } = await serve(t)
  t.equal((await lstat(socketPath)).mode & 0o777, 0o600)
  t.equal((await lstat(path.dirname(socketPath))).mode & 0o777, 0o755)
})

t.test('a socket left by a dead agent is replaced, that of a live one is not', async (t) => {
  const { socketPath, client } = await serve(t)
  const second = createApiServer({ operations: operations(), log: silentLog }, { socketPath })
  await t.rejects(second.listen(), { code: 'already-running', message: new RegExp(socketPath) })
  t.match(await client.endpoints(), [])

  const stale = await socket(t)
  const { spawnSync } = await import('node:child_process')
  const program = `import { createServer } from 'node:net'; import { mkdirSync } from 'node:fs'; import { dirname } from 'node:path'
mkdirSync(dirname(process.argv[1]), { recursive: true }); createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['--input-type=module', '-e', program, stale])
  t.ok((await lstat(stale)).isSocket())
  const third = createApiServer({ operations: operations(), log: silentLog }, { socketPath: stale })
  await third.listen()
  t.teardown(() => third.close(100))
  t.same(await createAgentClient({ socketPath: stale }).endpoints(), [])
})

t.test('something that is no socket stays', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'drover-api-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const file = path.join(directory, 'precious')
  await writeFile(file, 'x')
  const server = createApiServer({ operations: operations(), log: silentLog }, { socketPath: file })
  await t.rejects(server.listen(), { code: 'socket-taken' })
})

t.test('a caller that sends nothing is hung up on', async (t) => {
  const { socketPath } = await serve(t, {}, { receiveMs: 200 })
  const slow = connect(socketPath)
  slow.write('POST /v1/attach HTTP/1.1\r\n')
  const began = performance.now()
  slow.on('error', () => undefined)
  await new Promise<void>((resolve) => slow.once('close', () => resolve()))
  t.ok(performance.now() - began < 5_000)
})

t.test('the client says why nobody answers', async (t) => {
  const nowhere = path.join(tmpdir(), 'drover-no-such.sock')
  await t.rejects(createAgentClient({ socketPath: nowhere }).node(), {
    code: 'agent-not-running',
    message: new RegExp(nowhere),
    remedy: /drover agent/,
  })
  const silent = await socket(t)
  const { mkdir } = await import('node:fs/promises')
  await mkdir(path.dirname(silent), { recursive: true })
  const server = createServer(() => undefined)
  await new Promise<void>((resolve) => server.listen(silent, () => resolve()))
  t.teardown(() => server.close())
  await t.rejects(createAgentClient({ socketPath: silent, deadlineMs: 100 }).node(), {
    code: 'agent-deadline',
  })
})
