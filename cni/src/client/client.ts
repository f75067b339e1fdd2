/**
 * The executable's work in Node, where neither a compiler nor curl is there: the same form to the same socket. Started by
 * drover.sh with the plugin's name, the socket and the journal's folder; imports nothing of Drover, for it is read anew
 * by every call.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { request } from 'node:http'
import path from 'node:path'

const [, , given = '', socketPath = '', journal = ''] = process.argv
const plugin = given === 'drover-ipam' ? given : 'drover'
const { env } = process
const command = env['CNI_COMMAND'] ?? ''
const variables = [
  ...['CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS', 'CNI_PATH'],
  'CNI_NETNS_OVERRIDE',
]
const LONGEST_INPUT = 1024 * 1024
const ANSWER_MS = 150_000

/** Standard input and output may be ends that don't block: then the runtime is waited for. */
function patiently(work: () => number): number {
  for (;;) {
    try {
      return work()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

function write(text: string | Buffer): void {
  const bytes = Buffer.from(text)
  let at = 0
  while (at < bytes.length) at += patiently(() => writeSync(1, bytes, at))
}

function fail(code: number, message: string, details: string): never {
  write(`${JSON.stringify({ cniVersion: '1.0.0', code, msg: message, details })}\n`)
  process.exit(1)
}

/** Bytes as they are: Node has made text of the environment, and a byte that was no UTF-8 has become U+FFFD. */
function encoded(bytes: Buffer): string {
  return Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
}

function environmentBytes(): ReadonlyMap<string, Buffer> {
  const found = new Map<string, Buffer>()
  for (const line of readFileSync('/proc/self/environ').toString('latin1').split('\0')) {
    const equals = line.indexOf('=')
    if (equals > 0) found.set(line.slice(0, equals), Buffer.from(line.slice(equals + 1), 'latin1'))
  }
  return found
}

function ask(form: string): Promise<{ status: number; body: Buffer } | undefined> {
  return new Promise((resolve) => {
    const asked = request({
      socketPath,
      path: '/cni',
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': Buffer.byteLength(form),
      },
      timeout: ANSWER_MS,
    })
    const giveUp = (): void => resolve(undefined)
    asked.on('error', giveUp).on('timeout', () => asked.destroy())
    asked.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', giveUp)
      response.on('close', giveUp).on('end', () => {
        resolve(
          response.complete ? { status: response.statusCode ?? 500, body: Buffer.concat(chunks) } : undefined,
        )
      })
    })
    asked.end(form)
  })
}

/** DEL without an agent: an empty file which the agent carries out when it is back. */
function promise(): void {
  const { CNI_CONTAINERID: container = '', CNI_IFNAME: ifname = '' } = env
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$/.test(container))
    fail(4, 'CNI_CONTAINERID is missing or is no container id.', '')
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(ifname))
    fail(4, 'CNI_IFNAME is missing or is no interface name.', '')
  try {
    mkdirSync(journal, { recursive: true, mode: 0o700 })
    const name = `${container}:${ifname}${plugin === 'drover-ipam' ? ':ipam' : ''}`
    closeSync(openSync(path.join(journal, name), 'a', 0o600))
    const folder = openSync(journal, 'r')
    fsyncSync(folder)
    closeSync(folder)
  } catch {
    fail(5, 'The agent is not running, and its journal can not be written.', journal)
  }
}

function readInput(): Buffer {
  try {
    const chunks: Buffer[] = []
    for (;;) {
      const chunk = Buffer.alloc(64 * 1024)
      const length = patiently(() => readSync(0, chunk))
      if (length === 0) return Buffer.concat(chunks)
      chunks.push(chunk.subarray(0, length))
    }
  } catch (error) {
    return fail(5, 'Standard input can not be read.', (error as Error).message)
  }
}

const stdin = readInput()
if (stdin.length > LONGEST_INPUT) fail(6, 'The network configuration is longer than 1 MiB.', '')
const bytesOf = environmentBytes()
const form = [
  `plugin=${plugin}`,
  ...variables.map((name) => `${name}=${encoded(bytesOf.get(name) ?? Buffer.alloc(0))}`),
  `stdin=${encoded(stdin)}`,
].join('&')
const answer = await ask(form)
const nobody = `Nobody answers on ${socketPath}. Start the agent: systemctl start drover`
if (answer !== undefined) {
  write(answer.body)
  process.exitCode = answer.status === 200 ? 0 : 1
} else if (command === 'VERSION') {
  write(
    '{"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}\n',
  )
} else if (command === 'DEL') promise()
else fail(command === 'STATUS' ? 51 : 11, 'The Drover agent of this node does not answer.', nobody)
