/** An agent for tests of the face: it remembers what is attached, and fails as it is told. */
import type {
  AttachRequest,
  CheckRequest,
  DetachRequest,
  EndpointReport,
  FaceAnswer,
  FaceRequest,
  FaceServices,
} from '@network/agent/client'
import type { Assignment } from '@network/datastore'
import type { Clock, DroverError } from '@network/net'
import { silentLog as silent } from '@network/net/system'

/** The real one; `pending` has the timers that neither fired nor were cancelled. */
function createClock(pending: Set<object>): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    setTimeout: (call, ms) => {
      const timer = setTimeout(() => {
        pending.delete(timer)
        call()
      }, ms)
      pending.add(timer)
      return {
        cancel: () => {
          pending.delete(timer)
          clearTimeout(timer)
        },
      }
    },
  }
}

export interface FakeAgent {
  readonly services: FaceServices
  readonly attached: Map<string, AttachRequest>
  readonly detached: DetachRequest[]
  /** Handles of addresses without an interface. */
  readonly assigned: Map<string, Assignment>
  /** What the next calls fail with, by their name. */
  readonly failures: Map<string, DroverError>
  /** Differences that a check finds. */
  differences: { field: string; expected: string; actual: string }[]
  failing: string | undefined
  free: bigint
  /** A detach waits for it. */
  held: Promise<void>
  /** Timers of the face that neither fired nor were cancelled. */
  readonly timers: ReadonlySet<object>
  /** Says what the face listens on, and asks it. */
  ask(form: Readonly<Record<string, string>>): Promise<FaceAnswer>
  becomeReady(): void
}

export function createFakeAgent(stateDirectory: string): FakeAgent {
  const attached = new Map<string, AttachRequest>()
  const detached: DetachRequest[] = []
  const assigned = new Map<string, Assignment>()
  const failures = new Map<string, DroverError>()
  const timers = new Set<object>()
  let answer: ((request: FaceRequest) => Promise<FaceAnswer>) | undefined
  let becomeReady = (): void => undefined
  const ready = new Promise<void>((resolve) => {
    becomeReady = resolve
  })
  const fail = (call: string): void => {
    const failure = failures.get(call)
    if (failure !== undefined) throw failure
  }
  const name = (target: { containerId: string; interfaceName?: string }): string =>
    `${target.containerId}:${target.interfaceName ?? ''}`
  const ipNetworks = ({ addresses }: AttachRequest): string[] =>
    (addresses ?? ['10.65.0.5', 'fd65::5']).map((a) => `${a}/${a.includes(':') ? '128' : '32'}`)

  const agent: FakeAgent = {
    attached,
    detached,
    assigned,
    failures,
    differences: [],
    failing: undefined,
    free: 10n,
    held: Promise.resolve(),
    timers,
    becomeReady: () => becomeReady(),
    ask(form) {
      if (answer === undefined) throw new Error('the face serves nothing')
      const body = Object.entries(form)
        .map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
        .join('&')
      return answer({
        method: 'POST',
        path: '/cni',
        query: new URLSearchParams(),
        headers: {},
        body: Buffer.from(body),
      })
    },
    services: {
      node: 'n1',
      socketPath: `${stateDirectory}/agent.sock`,
      stateDirectory,
      clock: createClock(timers),
      log: silent,
      signal: new AbortController().signal,
      ready,
      handleOf: (containerId, interfaceName) => `${containerId}:${interfaceName}:n1`,
      agent: {
        attach: async (request) => {
          fail('attach')
          attached.set(name(request), request)
          return Promise.resolve({
            endpoint: `${request.orchestrator}/${request.workload}/${request.endpoint}`,
            hostInterface: { name: 'drv1', mac: 'ee:ee:ee:ee:ee:ee' },
            containerInterface: {
              name: request.interfaceName,
              mac: request.mac ?? '02:00:00:00:00:01',
              mtuBytes: request.mtuBytes ?? 1500,
              netns: request.netns,
            },
            addresses: ipNetworks(request).map((address) => ({
              address,
              gateway: address.includes(':') ? 'fe80::1' : '169.254.1.1',
            })),
            routes: [
              { destination: '169.254.1.1/32' },
              { destination: '0.0.0.0/0', gateway: '169.254.1.1' },
              { destination: '::/0', gateway: 'fe80::1' },
            ],
          })
        },
        detach: async (request) => {
          fail('detach')
          await agent.held
          detached.push(request)
          const gone = attached.delete(name(request))
          assigned.delete(`${name(request)}:n1`)
          return Promise.resolve({ endpoints: gone ? ['x'] : [], addresses: [], journaled: false })
        },
        check: async (request: CheckRequest) => {
          fail('check')
          const found = attached.get(name(request))
          return Promise.resolve({
            endpoint:
              found === undefined ? undefined : `${found.orchestrator}/${found.workload}/${found.endpoint}`,
            hostInterface: 'drv1',
            addresses: found === undefined ? [] : ipNetworks(found),
            differences: agent.differences,
          })
        },
        endpoints: async () =>
          Promise.resolve(
            [...attached.values()].map((request): EndpointReport => ({
              endpoint: `${request.orchestrator}/${request.workload}/${request.endpoint}`,
              orchestrator: request.orchestrator,
              workload: request.workload,
              containerId: request.containerId,
              containerInterface: request.interfaceName,
              hostInterface: 'drv1',
              mac: '',
              addresses: ipNetworks(request),
              profiles: [],
              labels: request.labels ?? {},
              portMappings: [],
              state: 'up',
            })),
          ),
        ready: async () =>
          Promise.resolve({
            ok: agent.failing === undefined,
            checks: ['store', 'dataplane'].map((name) => ({
              ...{ name, ok: agent.failing !== name, since: 0 },
              reason: `the ${name} is away.`,
            })),
          }),
        health: () => Promise.reject(new Error('not asked for')),
        node: () => Promise.reject(new Error('not asked for')),
        config: () => Promise.reject(new Error('not asked for')),
        audit: () => Promise.reject(new Error('not asked for')),
      },
      resources: () => ({ list: () => Promise.resolve({ items: [] }) }) as never,
      handover: () => {
        throw new Error('not asked for')
      },
      allocator: () =>
        ({
          show: () =>
            Promise.resolve({
              pools: (['ipv4', 'ipv6'] as const).map((family) => ({
                name: family,
                family,
                available: agent.free,
              })),
            }),
          assign: (request: { handle: string; addresses?: readonly string[] }) => {
            fail('assign')
            const assignment = {
              handle: request.handle,
              addresses: [
                {
                  family: 'ipv4',
                  address: request.addresses?.[0] ?? '10.65.0.9',
                  block: '10.65.0.0/26',
                  sequence: 1,
                },
              ],
            } as unknown as Assignment
            assigned.set(request.handle, assignment)
            return Promise.resolve(assignment)
          },
          get: (handle: string) => Promise.resolve(assigned.get(handle)),
        }) as never,
      model: () => ({
        get: () => undefined,
        list: () =>
          (['ipv4', 'ipv6'] as const).map((family) => ({
            metadata: { name: family },
            spec: {
              cidr: family === 'ipv4' ? '10.65.0.0/16' : 'fd65::/48',
              disabled: false,
              assignmentMode: 'Automatic',
            },
          })) as never,
      }),
      serve: async (options) => {
        answer = (request) => options.answer(request)
        return Promise.resolve({ close: () => Promise.resolve() })
      },
    },
  }
  return agent
}
