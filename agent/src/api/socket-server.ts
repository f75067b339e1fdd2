/**
 * HTTP/1.1 on a unix socket that only its owner may open. What comes in is bounded in size and in time; a caller that
 * goes away in the middle leaves what it asked for to finish, since all that is asked here is repeatable.
 */
import { chmod, lstat, mkdir, unlink } from 'node:fs/promises'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import { connect } from 'node:net'
import path from 'node:path'
import { DroverError, type Log } from '@network/net'
import type { FaceAnswer, FaceRequest } from '../client/face.ts'

export interface SocketServerOptions {
  socketPath: string
  /** Default 1 MiB. */
  maxBodyBytes?: number
  /** Default 512: more callers than that at once wait in the kernel's queue or are refused. */
  maxConnections?: number
  /** How long a caller may take to send its request; default 10,000. */
  receiveMs?: number
}

export interface SocketServer {
  /** Binds the socket; a socket that nobody listens on any more is replaced. */
  listen(): Promise<void>
  /** Takes no more calls, waits up to `graceMs` for those under way. */
  close(graceMs: number): Promise<void>
}

export interface SocketServerModules {
  /** Must not reject: what it is asked is answered, be it with an error. */
  answer: (request: FaceRequest) => Promise<FaceAnswer>
  /** The answer to a request that could not be received. */
  refuse: (error: DroverError) => FaceAnswer
  /** Who listens, in errors: 'agent'. */
  who: string
  log: Log
}

export function createSocketServer(modules: SocketServerModules, options: SocketServerOptions): SocketServer {
  const { who, log } = modules
  const receiveMs = options.receiveMs ?? 10_000
  const maxBodyBytes = options.maxBodyBytes ?? 1024 * 1024

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const startedAt = performance.now()
    const url = new URL(request.url ?? '/', 'http://local')
    let answer: FaceAnswer
    try {
      const body = await readBody(request, maxBodyBytes)
      answer = await modules.answer({
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body,
      })
    } catch (error) {
      if (!(error instanceof DroverError)) throw error
      answer = modules.refuse(error)
    }
    response.writeHead(answer.status, {
      'content-type': 'application/json',
      ...answer.headers,
      'content-length': Buffer.byteLength(answer.body),
    })
    response.end(answer.body)
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

function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
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
      resolve(Buffer.concat(chunks))
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
async function removeStaleSocket(socketPath: string, who: string): Promise<void> {
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
