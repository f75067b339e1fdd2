/** The agent's local API: its calls, as call-server.ts serves them. */
import type { Log } from '@network/net'
import type { HealthReport } from '../client/messages.ts'
import { bgpCalls } from './bgp-calls.ts'
import {
  type Answer,
  type ApiServer,
  type CallServerOptions,
  type Calls,
  type Handler,
  createCallServer,
  ok,
} from './call-server.ts'
import type { AgentOperations, HealthAspect } from './operations.ts'
import {
  readPolicyQuery,
  readAttachRequest,
  readAuditRequest,
  readCheckRequest,
  readDetachRequest,
} from './requests.ts'

export interface ApiServerModules {
  operations: AgentOperations
  log: Log
}

export function createApiServer(modules: ApiServerModules, options: CallServerOptions): ApiServer {
  const { operations, log } = modules
  const health =
    (aspect: HealthAspect): Handler =>
    () =>
      healthAnswer(operations.health(aspect))

  const calls: Calls = {
    '/v1/attach': {
      POST: async ({ body }) => ok(await operations.attach(readAttachRequest(body))),
    },
    '/v1/detach': {
      POST: async ({ body }) => ok(await operations.detach(readDetachRequest(body))),
    },
    '/v1/check': {
      POST: async ({ body }) => ok(await operations.check(readCheckRequest(body))),
    },
    '/v1/endpoints': { GET: async () => ok(await operations.endpoints()) },
    '/v1/health': { GET: health('health') },
    '/v1/ready': { GET: health('ready') },
    '/v1/live': { GET: health('live') },
    '/v1/node': { GET: async () => ok(await operations.node()) },
    '/v1/config': { GET: () => ok(operations.config()) },
    ...bgpCalls(operations),
    '/v1/policy': {
      GET: async ({ query }) => ok(await operations.policy(readPolicyQuery(query))),
    },
    '/v1/ipam/audit': {
      POST: async ({ body }) => ok(await operations.audit(readAuditRequest(body))),
    },
  }

  return createCallServer({ calls, who: 'agent', log }, options)
}

function healthAnswer(report: HealthReport): Answer {
  return { status: report.ok ? 200 : 503, body: report }
}
