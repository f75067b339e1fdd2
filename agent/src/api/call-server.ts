/**
 * A local API: HTTP/1.1 and JSON on a unix socket that only its owner may open. What comes in is bounded in size and in
 * time, checked before anything is done with it, and answered with an error that names the field; a caller that goes
 * away in the middle leaves the operation to finish, since it is repeatable.
 */
import { chmod, lstat, mkdir, unlink } from 'node:fs/promises'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import { connect } from 'node:net'
import path from 'node:path'
import { DroverError, type Log } from '@network/net'
import type { ErrorBody } from '../client/messages.ts'

export interface CallServerOptions {
  socketPath: string
  /** Default 1 MiB. */
  maxBodyBytes?: number
  /** Default 512: more callers than that at once wait in the kernel's queue or are refused. */
  maxConnections?: number
  /** How long a caller may take to send its request; default 10,000. */
  receiveMs?: number
}

export interface ApiServer {
  /** Binds the socket; a socket that nobody listens on any more is replaced. */
  listen(): Promise<void>
  /** Takes no more calls, waits up to `graceMs` for those under way. */
  close(graceMs: number): Promise<void>
}

export interface Call {
  readonly body: unknown
  readonly query: URLSearchParams
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** Path, then method. */
export type Calls = Readonly<Record<string, Readonly<Record<string, Handler>>>>

export type Handler = (call: Call) => Answer | Promise<Answer>

/** Statuses of known codes; whatever else a DroverError says is the caller's to mend: 400. */
const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  'not-found': 404,
  'unknown-peer': 404,
  'namespace-missing': 404,
  'method-not-allowed': 405,
  'request-timeout': 408,
  taken: 409,
  'in-use': 409,
  mismatch: 409,
  conflict: 409,
  'condition-failed': 409,
  'no-address': 409,
  'body-too-large': 413,
  internal: 500,
  kernel: 500,
  'not-ready': 503,
  unreachable: 503,
  'node-removed': 503,
  'unknown-outcome': 503,
  'no-space': 503,
  stopping: 503,
  deadline: 504,
}

export function createCallServer(
  modules: {
    calls: Calls
    /** Who answers, in errors. */
    who: 'agent' | 'reflector'
    log: Log
  },
  options: CallServerOptions,
): ApiServer {
  const { calls, who } = modules
  const log = modules.log.child({ module: 'api' })
  const receiveMs = options.receiveMs ?? 10_000
  const maxBodyBytes = options.maxBodyBytes ?? 1024 * 1024

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const startedAt = performance.now()
    const url = new URL(request.url ?? '/', 'http://local')
    let answer: Answer
    try {
      const methods = Object.hasOwn(calls, url.pathname) ? calls[url.pathname] : undefined
      if (methods === undefined) throw new DroverError('not-found', `There is no call ${url.pathname}.`)
      const method = request.method ?? ''
      const handler = Object.hasOwn(methods, method) ? methods[method] : undefined
      if (handler === undefined) {
        throw new DroverError(
          'method-not-allowed',
          `${url.pathname} takes ${Object.keys(methods).join(', ')}, not ${method}.`,
        )
      }
      const body = method === 'POST' ? await readJson(request, maxBodyBytes) : undefined
      answer = await handler({ body, query: url.searchParams })
    } catch (error) {
      answer = errorAnswer(error, who, log)
    }
    const text = JSON.stringify(answer.body)
    response.writeHead(answer.status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    })
    response.end(text)
    log.debug(
      { call: url.pathname, status: answer.status, ms: Math.round(performance.now() - startedAt) },
      'answered',
    )
  }

  const server = createServer(
    { connectionsCheckingInterval: Math.ceil(receiveMs / 2) },
    (request, response) => {
      response.on('error', () => undefined)
      serve(request, response).catch((error: unknown) => {
        log.error({ error: String(error) }, 'an answer could not be sent')
        response.destroy()
      })
    },
  )
  server.headersTimeout = receiveMs
  server.requestTimeout = receiveMs
  server.keepAliveTimeout = receiveMs
  server.maxConnections = options.maxConnections ?? 512
  server.on('clientError', (_error, socket) => {
    socket.destroy()
  })

  return {
    async listen() {
      await makeFolder(path.dirname(options.socketPath))
      await removeStaleSocket(options.socketPath, who)
      await bind(server, options.socketPath, who)
    },
    close: (graceMs) =>
      new Promise((resolve) => {
        const force = setTimeout(() => server.closeAllConnections(), graceMs)
        server.close(() => {
          clearTimeout(force)
          resolve()
        })
        server.closeIdleConnections()
      }),
  }
}

/** The answer of a call that was done. */
export function ok(body: unknown): Answer {
  return { status: 200, body }
}

/** A DroverError speaks for itself; anything else is a bug: logged in full, told in brief. */
function errorAnswer(error: unknown, who: string, log: Log): Answer {
  if (!(error instanceof DroverError)) {
    log.error({ error: error instanceof Error ? error.stack : String(error) }, 'a call failed by a bug')
    return {
      status: 500,
      body: {
        error: {
          code: 'internal',
          message: `The ${who} failed in a way it did not foresee; its log says more.`,
        },
      },
    }
  }
  const body: ErrorBody = {
    error: {
      code: error.code,
      message: error.message,
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
      ...(Object.keys(error.details).length === 0 ? {} : { details: { ...error.details } }),
    },
  }
  return { status: STATUS_OF_CODE[error.code] ?? 400, body }
}

function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxBytes) {
        chunks.push(chunk)
        return
      }
      request.pause()
      reject(new DroverError('body-too-large', `The request's body is longer than ${maxBytes} bytes.`))
    })
    request.on('error', () => {
      reject(new DroverError('request-timeout', 'The request broke off before its end.'))
    })
    request.on('end', () => {
      try {
        resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')))
      } catch (error) {
        reject(
          new DroverError('invalid-request', `The request's body is not JSON: ${(error as Error).message}.`),
        )
      }
    })
  })
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o755 })
  } catch (error) {
    throw new DroverError('socket', `The folder ${folder} cannot be made: ${(error as Error).message}.`, {
      remedy: 'Make it, or name another path with --socket.',
      cause: error,
    })
  }
}

/** Removes the socket of somebody who is gone; refuses if one answers there, or if it is no socket. */
async function removeStaleSocket(socketPath: string, who: 'agent' | 'reflector'): Promise<void> {
  const status = await lstat(socketPath).catch(() => undefined)
  if (status === undefined) return
  if (!status.isSocket()) {
    throw new DroverError('socket-taken', `${socketPath} exists and is not a socket.`, {
      remedy: 'Remove it, or name another path with --socket.',
    })
  }
  const somebodyListens = await new Promise<boolean>((resolve) => {
    const probe = connect(socketPath)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
  if (somebodyListens) {
    throw new DroverError('already-running', `Another ${who} is already listening on ${socketPath}.`, {
      remedy: `${who === 'agent' ? 'One agent serves a machine: stop' : 'Stop'} the other first, or name another path with --socket.`,
    })
  }
  await unlink(socketPath)
}

/** The mask is narrow while the socket comes into being, so that nobody slips in before its mode is set. */
async function bind(server: Server, socketPath: string, who: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const mask = process.umask(0o177)
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new DroverError('socket', `The socket ${socketPath} cannot be made: ${error.message}.`, {
          remedy:
            error.code === 'EACCES'
              ? who === 'agent'
                ? 'Run the agent as root.'
                : 'Name a path with --socket in a folder that this user may write to.'
              : 'Name another path with --socket (at most 107 characters).',
          cause: error,
        }),
      )
    })
    server.listen(socketPath, resolve)
    process.umask(mask)
  })
  await chmod(socketPath, 0o600)
}
