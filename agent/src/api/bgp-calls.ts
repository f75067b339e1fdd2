import { type Calls, ok } from './call-server.ts'
import type { BgpOperations } from './operations.ts'
import { readBgpLookUp, readRefreshRequest, readRouteQuery, readShutdownRequest } from './bgp-requests.ts'

/** The calls about a speaker, which an agent and a reflector answer alike. */
export function bgpCalls(operations: BgpOperations): Calls {
  return {
    '/v1/bgp/peers': { GET: async () => ok(await operations.bgpPeers()) },
    '/v1/bgp/routes': { GET: async ({ query }) => ok(await operations.bgpRoutes(readRouteQuery(query))) },
    '/v1/bgp/why': { GET: async ({ query }) => ok(await operations.bgpWhy(readBgpLookUp(query))) },
    '/v1/bgp/refresh': {
      POST: async ({ body }) => ok(await operations.bgpRefresh(readRefreshRequest(body))),
    },
    '/v1/bgp/shutdown': {
      POST: async ({ body }) => ok(await operations.bgpShutdown(readShutdownRequest(body))),
    },
  }
}
