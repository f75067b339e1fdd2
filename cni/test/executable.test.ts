/** The three ways to the agent's socket: compiled, script with curl, script with Node. One suite for all of them. */
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { type Server, createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { build } from 'esbuild'
import t, { type Test, test } from 'tap'
import { type CniCall, readCall } from '../src/input/call.ts'
import { compilerArguments, scriptText } from '../src/install/files.ts'

interface Said {
  status: number
  stdout: string
  stderr: string
}

interface Way {
  readonly name: string
  /** Makes the executable in `folder` under the name of a plugin. */
  make(folder: string, paths: { socket: string; journal: string; version: string }): Promise<void>
  readonly env: (folder: string) => Record<string, string>
}

const run = (
  file: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; input?: Buffer } = {},
) =>
  new Promise<Said>((resolve, reject) => {
    const child = execFile(
      file,
      [...args],
      { env: options.env, maxBuffer: 64 * 1024 * 1024, timeout: 30_000 },
      (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number') reject(new Error(error.message))
        else resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr })
      },
    )
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(options.input ?? '')
  })

const bundleFolder = await mkdtemp(path.join(tmpdir(), 'drover-client-'))
t.teardown(() => rm(bundleFolder, { recursive: true, force: true }))
const bundled = path.join(bundleFolder, 'client.mjs')
await build({
  entryPoints: [path.join(import.meta.dirname, '../src/client/client.ts')],
  outfile: bundled,
  bundle: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'error',
})

/** Programs that a script needs, without curl: what it falls back from. */
function withoutCurl(folder: string): string {
  const bin = path.join(folder, 'tools')
  mkdirSync(bin, { recursive: true })
  for (const name of ['cat', 'mkdir', 'sync']) symlinkSync(`/bin/${name}`, path.join(bin, name))
  return bin
}

const script = (folder: string, paths: Parameters<Way['make']>[1]): Promise<void> => {
  const text = scriptText(paths).replace(/^client='.*'$/m, `client='${bundled}'`)
  for (const name of ['drover', 'drover-ipam']) {
    writeFileSync(path.join(folder, name), text)
    chmodSync(path.join(folder, name), 0o755)
  }
  return Promise.resolve()
}

const ways: readonly Way[] = [
  {
    name: 'binary',
    make: async (folder, paths) => {
      for (const name of ['drover', 'drover-ipam']) {
        const done = await run('cc', compilerArguments(path.join(folder, name), true, paths), {
          env: process.env,
        })
        if (done.status !== 0)
          throw new Error(`cc is missing or fails (Debian: gcc, libc6-dev): ${done.stderr}`)
      }
    },
    env: () => ({}),
  },
  { name: 'script with curl', make: script, env: () => ({ PATH: '/usr/bin:/bin' }) },
  { name: 'script with Node', make: script, env: (folder) => ({ PATH: withoutCurl(folder) }) },
]

/** An agent's socket that answers as it is told and keeps what it was asked. */
async function socketAt(
  t: Test,
  socket: string,
  answer: (call: CniCall) => { status: number; body: string; broken?: boolean },
): Promise<{ calls: CniCall[]; faults: unknown[]; server: Server }> {
  const calls: CniCall[] = []
  const faults: unknown[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      let call: CniCall
      try {
        call = readCall(Buffer.concat(chunks))
      } catch (error) {
        faults.push(error)
        response.writeHead(422).end('{"code":4}')
        return
      }
      calls.push(call)
      const { status, body, broken } = answer(call)
      response.writeHead(status, { 'content-length': Buffer.byteLength(body) + (broken === true ? 10 : 0) })
      if (broken === true) response.write(body, () => response.destroy())
      else response.end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  t.teardown(() => new Promise((resolve) => void server.close(resolve)))
  return { calls, faults, server }
}

for (const way of ways) {
  test(way.name, async (t) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'drover-exec-'))
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    const socket = path.join(folder, 'cni.sock')
    const journal = path.join(folder, 'state', 'journal', 'cni')
    await way.make(folder, { socket, journal, version: '0.0.0' })
    const base = way.env(folder)
    const plugin = (env: Record<string, string>, input: string | Buffer = '{}', name = 'drover') =>
      run(path.join(folder, name), [], { env: { ...base, ...env }, input: Buffer.from(input) })

    t.test('nobody answers', async (t) => {
      const identity = {
        CNI_CONTAINERID: 'c1',
        CNI_IFNAME: 'eth0',
        CNI_NETNS: '/run/netns/x',
        CNI_PATH: '/bin',
      }
      for (const [command, code] of [
        ['ADD', 11],
        ['CHECK', 11],
        ['GC', 11],
        ['STATUS', 51],
        ['NONSENSE', 11],
      ] as const) {
        const said = await plugin({ ...identity, CNI_COMMAND: command })
        t.equal(said.status, 1, command)
        t.match(JSON.parse(said.stdout), { cniVersion: '1.0.0', code, msg: /agent/ }, command)
      }
      const version = await plugin({ ...identity, CNI_COMMAND: 'VERSION' })
      t.equal(version.status, 0)
      t.match(JSON.parse(version.stdout), { supportedVersions: ['0.1.0', '0.2.0'] })
      for (let twice = 0; twice < 2; twice++) {
        const said = await plugin({ ...identity, CNI_COMMAND: 'DEL' })
        t.match(said, { status: 0, stdout: '' })
      }
      t.match(await plugin({ ...identity, CNI_COMMAND: 'DEL', CNI_NETNS: '' }, '{}', 'drover-ipam'), {
        status: 0,
      })
      t.same(readdirSync(journal).sort(), ['c1:eth0', 'c1:eth0:ipam'])
      for (const [name, env] of [
        ['container', { CNI_CONTAINERID: '../../etc/passwd' }],
        ['container', { CNI_CONTAINERID: '' }],
        ['container', { CNI_CONTAINERID: 'x'.repeat(300) }],
        ['container', { CNI_CONTAINERID: 'a\nb' }],
        ['interface', { CNI_IFNAME: 'a/b' }],
        ['interface', { CNI_IFNAME: '$(id)' }],
        ['interface', { CNI_IFNAME: '..' }],
      ] as const) {
        const said = await plugin({ ...identity, ...env, CNI_COMMAND: 'DEL' })
        t.equal(said.status, 1)
        t.match(JSON.parse(said.stdout), { code: 4 }, name)
      }
      t.same(readdirSync(journal).sort(), ['c1:eth0', 'c1:eth0:ipam'], 'and nothing else was written')
    })

    t.test('no command, or a person asks', async (t) => {
      const said = await plugin({})
      t.equal(said.status, 1)
      t.match(JSON.parse(said.stdout), { code: 4 })
      t.match(said.stderr, 'CNI_COMMAND')
      for (const flag of ['-h', '--help', '--version']) {
        const help = await run(path.join(folder, 'drover'), [flag], { env: base })
        t.equal(help.status, 0)
        t.match(help.stderr, '0.0.0')
      }
    })

    t.test('everything arrives as it was, and nothing is executed', async (t) => {
      const { calls } = await socketAt(t, socket, () => ({ status: 200, body: '{"ok":1}' }))
      const marker = path.join(folder, 'executed')
      const attacks = [
        `$(touch ${marker})`,
        `\`touch ${marker}\``,
        `"; touch ${marker}; "`,
        `'; touch ${marker}; '`,
        'a\nb\r\nX-Header: c',
        '&CNI_COMMAND=DEL&',
        '@/etc/passwd',
        '%00%2e%2e',
        'ü — 漢',
        '-o /etc/x',
        ' \t ',
        'x'.repeat(100_000),
      ]
      for (const text of attacks) {
        const said = await plugin(
          {
            CNI_COMMAND: 'ADD',
            CNI_CONTAINERID: text,
            CNI_ARGS: text,
            CNI_NETNS: text,
            CNI_IFNAME: text,
            CNI_PATH: text,
          },
          text,
        )
        t.match(said, { status: 0, stdout: '{"ok":1}' })
        const call = calls.at(-1)
        for (const field of ['containerId', 'args', 'netns', 'ifname', 'path', 'stdin'] as const)
          t.equal(call?.[field], text, field)
        t.equal(call?.command, 'ADD')
        t.equal(call?.plugin, 'drover')
      }
      t.throws(() => readFileSync(marker), 'nothing was executed')
      await plugin({ CNI_COMMAND: 'ADD' }, '', 'drover-ipam')
      t.equal(calls.at(-1)?.plugin, 'drover-ipam')
    })

    t.test('bytes that are no UTF-8 are refused by the agent, not bent', async (t) => {
      const { faults } = await socketAt(t, socket, () => ({ status: 200, body: '' }))
      const said = await plugin({ CNI_COMMAND: 'ADD' }, Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))
      t.equal(said.status, 1)
      t.match(faults, [{ cniCode: 6 }])
      const shell = await run(
        '/bin/sh',
        ['-c', `CNI_ARGS=$(printf 'A=\\377') exec ${path.join(folder, 'drover')}`],
        {
          env: { PATH: '/usr/bin:/bin', ...base, CNI_COMMAND: 'ADD' },
        },
      )
      t.equal(shell.status, 1)
      t.match(faults, [{ cniCode: 6 }, { cniCode: 4, message: /CNI_ARGS/ }])
    })

    t.test('input of a mebibyte passes, more does not', async (t) => {
      const { calls } = await socketAt(t, socket, () => ({ status: 200, body: '' }))
      const large = '"'.repeat(1024 * 1024)
      t.match(await plugin({ CNI_COMMAND: 'ADD' }, large), { status: 0, stdout: '' })
      t.equal(calls.at(-1)?.stdin.length, large.length)
      t.equal((await plugin({ CNI_COMMAND: 'ADD' }, `${large}"`)).status, 1)
    })

    t.test('the answer is passed on whole, and its status', async (t) => {
      const long = JSON.stringify({ text: `"%s\\n$(id)${'y'.repeat(500_000)}` })
      await socketAt(t, socket, ({ containerId }) => ({
        status: containerId === 'bad' ? 422 : 200,
        body: containerId === 'long' ? long : '{"code":7,"msg":"no"}',
        broken: containerId === 'broken',
      }))
      t.match(await plugin({ CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'bad' }), {
        status: 1,
        stdout: '{"code":7,"msg":"no"}',
      })
      const said = await plugin({ CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'long' })
      t.equal(said.stdout.length, long.length)
      t.ok(said.stdout === long, 'octet by octet')
      const broken = { CNI_CONTAINERID: 'broken', CNI_IFNAME: 'eth0' }
      t.match(JSON.parse((await plugin({ ...broken, CNI_COMMAND: 'ADD' })).stdout), { code: 11 })
      t.match(await plugin({ ...broken, CNI_COMMAND: 'DEL' }), { status: 0, stdout: '' })
      t.ok(readdirSync(journal).includes('broken:eth0'), 'an answer that broke off is a promise')
    })
  })
}
