import { request as httpRequest } from 'node:http'
import { DroverError, type DroverErrorOptions } from '@network/net'
import type {
  AttachRequest,
  AttachResult,
  AuditReport,
  AuditRequest,
  BgpPeerReport,
  BgpRefreshReport,
  BgpRefreshRequest,
  BgpReloadReport,
  BgpRouteQuery,
  BgpRoutesReport,
  BgpShutdownReport,
  BgpShutdownRequest,
  BgpWhyReport,
  CheckRequest,
  CheckResult,
  DetachRequest,
  DetachResult,
  EndpointReport,
  HealthReport,
  NodeReport,
  PolicyReport,
  SettingReport,
} from './messages.ts'

export const DEFAULT_SOCKET_PATH = '/run/drover/agent.sock'
/** What an attach or detach may take if the caller names no deadline. */
export const DEFAULT_OPERATION_DEADLINE_MS = 15_000

const MAX_ANSWER_BYTES = 64 * 1024 * 1024
/** How much longer than the agent's own deadline a caller listens for its answer. */
const ANSWER_GRACE_MS = 2_000

/** A call to the agent that failed: the agent's own code and words, or why it could not be asked. */
export class AgentError extends DroverError {
  /** The HTTP status of the agent's answer; undefined if there was none. */
  readonly status: number | undefined

  constructor(code: string, message: string, options: DroverErrorOptions & { status?: number } = {}) {
    super(code, message, options)
    this.status = options.status
  }
}

export interface AgentClientOptions {
  /** Default /run/drover/agent.sock. */
  socketPath?: string | undefined
  /** For calls that only look: default 5,000. */
  deadlineMs?: number | undefined
}

/**
 * The agent's local API. Every call ends within its deadline; failures are AgentError with the agent's code, or
 * 'agent-not-running', 'agent-permission', 'agent-deadline', 'agent-answer' if the agent gave no usable answer.
 */
export interface AgentClient {
  attach(request: AttachRequest): Promise<AttachResult>
  detach(request: DetachRequest): Promise<DetachResult>
  check(request: CheckRequest): Promise<CheckResult>
  endpoints(): Promise<EndpointReport[]>
  health(): Promise<HealthReport>
  ready(): Promise<HealthReport>
  live(): Promise<HealthReport>
  node(): Promise<NodeReport>
  config(): Promise<SettingReport[]>
  bgpPeers(): Promise<BgpPeerReport[]>
  bgpRoutes(query?: BgpRouteQuery): Promise<BgpRoutesReport>
  /** Of a prefix, or of the longest prefix around an address. */
  bgpWhy(prefix: string): Promise<BgpWhyReport>
  bgpRefresh(request: BgpRefreshRequest): Promise<BgpRefreshReport>
  bgpShutdown(request: BgpShutdownRequest): Promise<BgpShutdownReport>
  /** Only a reflector has a file to read again. */
  bgpReload(): Promise<BgpReloadReport>
  audit(request: AuditRequest): Promise<AuditReport>
  /** Counters of rules; of those that bear on one endpoint, named as its resource, or of all that are active. */
  policy(endpoint?: string): Promise<PolicyReport>
}

/** A client of the agent on this machine. No connection is kept between calls. */
export function createAgentClient(options: AgentClientOptions = {}): AgentClient {
  const socketPath = options.socketPath ?? DEFAULT_SOCKET_PATH
  const lookMs = options.deadlineMs ?? 5_000

  const call = async (
    method: string,
    path: string,
    body: unknown,
    deadlineMs: number,
    accept: readonly number[] = [200],
  ): Promise<unknown> => {
    const answer = await exchange(socketPath, method, path, body, deadlineMs)
    const parsed = parseJson(answer.text)
    if (accept.includes(answer.status) && parsed !== undefined) return parsed
    throw errorOfAnswer(method, path, answer.status, parsed)
  }
  const operation = (deadlineMs: number | undefined): number =>
    (deadlineMs ?? DEFAULT_OPERATION_DEADLINE_MS) + ANSWER_GRACE_MS

  return {
    attach: async (request) =>
      (await call('POST', '/v1/attach', request, operation(request.deadlineMs))) as AttachResult,
    detach: async (request) =>
      (await call('POST', '/v1/detach', request, operation(request.deadlineMs))) as DetachResult,
    check: async (request) =>
      (await call('POST', '/v1/check', request, operation(request.deadlineMs))) as CheckResult,
    endpoints: async () => (await call('GET', '/v1/endpoints', undefined, lookMs)) as EndpointReport[],
    health: async () => (await call('GET', '/v1/health', undefined, lookMs, [200, 503])) as HealthReport,
    ready: async () => (await call('GET', '/v1/ready', undefined, lookMs, [200, 503])) as HealthReport,
    live: async () => (await call('GET', '/v1/live', undefined, lookMs, [200, 503])) as HealthReport,
    node: async () => (await call('GET', '/v1/node', undefined, lookMs)) as NodeReport,
    config: async () => (await call('GET', '/v1/config', undefined, lookMs)) as SettingReport[],
    bgpPeers: async () => (await call('GET', '/v1/bgp/peers', undefined, lookMs)) as BgpPeerReport[],
    bgpRoutes: async (query = {}) => {
      const search = new URLSearchParams()
      for (const name of ['view', 'family', 'peer', 'prefix'] as const) {
        const value = query[name]
        if (value !== undefined) search.set(name, value)
      }
      const tail = search.size === 0 ? '' : `?${search.toString()}`
      return (await call('GET', `/v1/bgp/routes${tail}`, undefined, lookMs)) as BgpRoutesReport
    },
    bgpWhy: async (prefix) => {
      const search = new URLSearchParams({ prefix })
      return (await call('GET', `/v1/bgp/why?${search.toString()}`, undefined, lookMs)) as BgpWhyReport
    },
    bgpRefresh: async (request) =>
      (await call('POST', '/v1/bgp/refresh', request, operation(undefined))) as BgpRefreshReport,
    bgpShutdown: async (request) =>
      (await call('POST', '/v1/bgp/shutdown', request, operation(undefined))) as BgpShutdownReport,
    bgpReload: async () =>
      (await call('POST', '/v1/bgp/reload', {}, operation(undefined))) as BgpReloadReport,
    policy: async (endpoint) => {
      const query = endpoint === undefined ? '' : `?endpoint=${encodeURIComponent(endpoint)}`
      return (await call('GET', `/v1/policy${query}`, undefined, lookMs)) as PolicyReport
    },
    audit: async (request) =>
      (await call('POST', '/v1/ipam/audit', request, Math.max(lookMs, 60_000))) as AuditReport,
  }
}

interface Answer {
  status: number
  text: string
}

function exchange(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  deadlineMs: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body)
    const request = httpRequest({
      socketPath,
      method,
      path,
      agent: false,
      headers:
        payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) },
    })
    const timer = setTimeout(() => {
      request.destroy(
        new AgentError(
          'agent-deadline',
          `The agent on ${socketPath} gave no answer to ${method} ${path} within ${deadlineMs} ms.`,
          { remedy: "Look at the agent's log; 'drover node status' shows what it is busy with." },
        ),
      )
    }, deadlineMs)
    request.on('close', () => {
      clearTimeout(timer)
    })
    request.on('error', (error) => {
      reject(error instanceof AgentError ? error : connectionError(socketPath, method, path, error))
    })
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_ANSWER_BYTES) {
          request.destroy(
            new AgentError('agent-answer', `The agent's answer to ${path} is longer than 64 MiB.`),
          )
          return
        }
        chunks.push(chunk)
      })
      response.on('error', (error) => {
        reject(error instanceof AgentError ? error : connectionError(socketPath, method, path, error))
      })
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') })
      })
    })
    request.end(payload)
  })
}

function connectionError(socketPath: string, method: string, path: string, error: Error): AgentError {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new AgentError('agent-not-running', `No agent is listening on ${socketPath}.`, {
      remedy:
        "Start it with 'drover agent' (as a service: systemctl start drover), or name its socket with --socket.",
      cause: error,
    })
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new AgentError('agent-permission', `The agent's socket ${socketPath} may not be opened.`, {
      remedy: 'Run the command as root.',
      cause: error,
    })
  }
  return new AgentError(
    'agent-answer',
    `The connection to the agent on ${socketPath} broke during ${method} ${path}: ${error.message}.`,
    { remedy: 'The agent may just have been restarted: try again.', cause: error },
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function errorOfAnswer(method: string, path: string, status: number, body: unknown): AgentError {
  const error = isRecord(body) && isRecord(body['error']) ? body['error'] : undefined
  if (error === undefined || typeof error['message'] !== 'string') {
    return new AgentError('agent-answer', `The agent answered ${method} ${path} with status ${status}.`, {
      status,
      remedy: 'The command and the agent may be of different versions: compare with drover version.',
    })
  }
  return new AgentError(typeof error['code'] === 'string' ? error['code'] : 'internal', error['message'], {
    status,
    remedy: typeof error['remedy'] === 'string' ? error['remedy'] : undefined,
    details: isRecord(error['details']) ? error['details'] : {},
  })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
