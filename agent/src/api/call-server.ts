/**
 * A local API: calls by path and method, JSON in and out. What comes in is checked before anything is done with it, and
 * answered with an error that names the field.
 */
import { DroverError, type Log } from '@network/net'
import type { FaceAnswer, FaceRequest } from '../client/face.ts'
import type { ErrorBody } from '../client/messages.ts'
import { type SocketServer, type SocketServerOptions, createSocketServer } from './socket-server.ts'

export type CallServerOptions = SocketServerOptions
export type ApiServer = SocketServer

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

  const carryOut = async ({ method, path, query, body }: FaceRequest): Promise<Answer> => {
    const methods = Object.hasOwn(calls, path) ? calls[path] : undefined
    if (methods === undefined) throw new DroverError('not-found', `There is no call ${path}.`)
    const handler = Object.hasOwn(methods, method) ? methods[method] : undefined
    if (handler === undefined) {
      throw new DroverError(
        'method-not-allowed',
        `${path} takes ${Object.keys(methods).join(', ')}, not ${method}.`,
      )
    }
    return handler({ body: method === 'POST' ? parseJson(body) : undefined, query })
  }

  return createSocketServer(
    {
      answer: async (request) => {
        try {
          return asText(await carryOut(request))
        } catch (error) {
          return asText(errorAnswer(error, who, log))
        }
      },
      refuse: (error) => asText(errorAnswer(error, who, log)),
      who,
      log,
    },
    options,
  )
}

function asText({ status, body }: Answer): FaceAnswer {
  return { status, body: JSON.stringify(body) }
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

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw new DroverError('invalid-request', `The request's body is not JSON: ${(error as Error).message}.`)
  }
}
