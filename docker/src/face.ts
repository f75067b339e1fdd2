/**
 * The Docker plugin: one socket, two protocols. Each call is read, carried out, and answered in the field that its protocol
 * reads: `Err` for networks, `Error` for addresses, with a sentence and its remedy, since `docker` shows them as they are.
 */
import { randomUUID } from 'node:crypto'
import path from 'node:path'
import type { Face, FaceAnswer, FaceRequest, FaceServices } from '@network/agent/client'
import { DroverError } from '@network/net'
import { createDockerAudit } from './audit.ts'
import { createCompletions } from './completions.ts'
import { createDockerApi } from './docker-api.ts'
import { MANAGED_SOCKET_NAME } from './install/index.ts'
import { createIdentities } from './identities.ts'
import { ADDRESS_SPACES, createIpamDriver } from './ipam-driver.ts'
import {
  readBody,
  readCreateEndpoint,
  readCreateNetwork,
  readEndpointReference,
  readJoin,
  readNetworkId,
  readReleaseAddress,
  readRequestAddress,
  readRequestPool,
} from './messages.ts'
import { createNames } from './names.ts'
import { createNetworkDriver } from './network-driver.ts'
import { createNetworkSync } from './network-sync.ts'
import { createNetworks } from './networks.ts'
import { createReleasedAddresses } from './released-addresses.ts'

interface DockerFaceOptions {
  /** '/run/docker/plugins/drover.sock': the file's name is the driver's. */
  readonly pluginSocket: string
  /** '/var/run/docker.sock' */
  readonly dockerSocket: string
  /** Where a managed plugin hands its calls on to. */
  readonly managedSocket: string
}

const CONTENT_TYPE = 'application/vnd.docker.plugins.v1.2+json'
const CLOSE_MS = 5_000
/** How long a start of a container waits for its labels; dockerd answers within milliseconds unless it is overrun. */
const IDENTITY_MS = 1_000
/**
 * How long after our start calls wait until the agent is ready: at boot dockerd removes what the last life left, and starts
 * containers, each once only, whether we are ready or not. All calls wait for one end, so dockerd is never held up for longer.
 */
const START_MS = 15_000
const SYNC_MS = 2_000
const AUDIT_MS = 30_000

/** What dockerd asks of a plugin that it has just found; nothing else is needed to answer it. */
const AT_ONCE = new Set(['GetCapabilities', 'GetDefaultAddressSpaces', 'DiscoverNew', 'DiscoverDelete'])

/** `local`: a network of each dockerd, made known to the others by us. `global`: a network of a swarm. */
type Scope = 'local' | 'global'
type Body = ReturnType<typeof readBody>
type Calls = Readonly<Record<string, (body: Body) => object | Promise<object>>>

/** The face; it stands still unless the agent's setting `docker` is on. */
export function createDockerFace(): Face {
  return {
    name: 'docker',
    async start(services) {
      const options = await readOptions(services)
      if (options === undefined) return { stop: () => Promise.resolve() }
      const plugin = createPlugin(services, options)
      const servers = await Promise.all([
        services.serve({ socketPath: options.pluginSocket, answer: plugin.answer.local }),
        services.serve({ socketPath: options.managedSocket, answer: plugin.answer.global }),
      ])
      void services.ready.then(() => plugin.follow())
      return {
        stop: async () => {
          await Promise.all(servers.map((server) => server.close(CLOSE_MS)))
        },
      }
    },
  }
}

async function readOptions(services: FaceServices): Promise<DockerFaceOptions | undefined> {
  const settings = new Map((await services.agent.config()).map(({ name, value }) => [name, value]))
  if (settings.get('docker') !== true) return undefined
  return {
    pluginSocket: String(settings.get('dockerPluginSocket')),
    managedSocket: path.join(path.dirname(services.socketPath), MANAGED_SOCKET_NAME),
    dockerSocket: String(settings.get('dockerSocket')),
  }
}

function createPlugin(services: FaceServices, options: DockerFaceOptions) {
  const { clock, log, signal } = services
  const driver = options.pluginSocket.replace(/^.*\//, '').replace(/\.sock$/, '')
  const networks = createNetworks(services)
  const docker = createDockerApi({ socketPath: options.dockerSocket, signal })
  const identities = createIdentities({ services, docker, networks, clock, log })
  const completions = createCompletions({ services, docker, log })
  const names = createNames({ services, docker, clock, log })
  const sync = createNetworkSync({ services, docker, networks, clock, log }, { driver })
  const audit = createDockerAudit({ services, docker, networks, log })
  const sandboxes = new Map<string, string>()
  const released = createReleasedAddresses({ clock })
  const started = Promise.race([
    services.ready,
    new Promise<void>((resolve) => {
      clock.setTimeout(resolve, START_MS)
    }),
  ])

  const answerOf = (scope: Scope): ((request: FaceRequest) => Promise<FaceAnswer>) => {
    const ipam = createIpamDriver({ services, uuid: randomUUID, released }, { scope })
    const network = createNetworkDriver(
      {
        services,
        networks,
        sandboxes,
        released,
        random: Math.random,
        onNetwork: (id) => sync.onNetwork(id),
        onJoin: (call, { gateway }) => {
          identities.learn(call)
          names.learn(call.endpointId)
          completions.begin(call.endpointId, { netns: call.sandbox, makesDefaultRoute: gateway })
        },
      },
      { scope },
    )

    const ofIpam: Calls = {
      GetCapabilities: () => ({ RequiresMACAddress: false, RequiresRequestReplay: false }),
      GetDefaultAddressSpaces: () => ({
        LocalDefaultAddressSpace: ADDRESS_SPACES.local,
        GlobalDefaultAddressSpace: ADDRESS_SPACES.global,
      }),
      RequestPool: (body) => ipam.requestPool(readRequestPool(body)),
      ReleasePool: () => ipam.releasePool(),
      RequestAddress: (body) => ipam.requestAddress(readRequestAddress(body)),
      ReleaseAddress: (body) => ipam.releaseAddress(readReleaseAddress(body)),
    }
    const ofNetwork: Calls = {
      GetCapabilities: () => ({ Scope: scope, ConnectivityScope: 'global' }),
      CreateNetwork: (body) => network.createNetwork(readCreateNetwork(body)),
      DeleteNetwork: (body) => network.deleteNetwork(readNetworkId(body)),
      CreateEndpoint: (body) => network.createEndpoint(readCreateEndpoint(body)),
      // The last call before the container's first process: that one shall find its policy in the kernel.
      EndpointOperInfo: async (body) => {
        await identities.known(readEndpointReference(body).endpointId, IDENTITY_MS)
        return { Value: {} }
      },
      DeleteEndpoint: (body) => network.deleteEndpoint(readEndpointReference(body)),
      Join: (body) => network.join(readJoin(body)),
      Leave: (body) => network.leave(readEndpointReference(body)),
      ProgramExternalConnectivity: () => ({}),
      RevokeExternalConnectivity: () => ({}),
      DiscoverNew: () => ({}),
      DiscoverDelete: () => ({}),
      AllocateNetwork: () => ({ Options: {} }),
      FreeNetwork: () => ({}),
    }

    const protocols = new Map([
      ['NetworkDriver', ofNetwork],
      ['IpamDriver', ofIpam],
    ])
    return async ({ method, path, body }: FaceRequest): Promise<FaceAnswer> => {
      if (method === 'POST' && path === '/Plugin.Activate') {
        return ok({ Implements: ['NetworkDriver', 'IpamDriver'] })
      }
      const [protocol = '', name = ''] = path.slice(1).split('.')
      const calls = protocols.get(protocol)
      const call = calls !== undefined && Object.hasOwn(calls, name) ? calls[name] : undefined
      if (method !== 'POST' || call === undefined) return { status: 404, body: '404 page not found' }
      const field = protocol === 'IpamDriver' ? 'Error' : 'Err'
      try {
        if (!AT_ONCE.has(name)) await started
        const answered = await call(readBody(body))
        log.debug({ call: path.slice(1), scope }, 'a call of Docker was answered')
        return ok(answered)
      } catch (error) {
        if (error instanceof DroverError) {
          log.warn(
            { call: path.slice(1), code: error.code, error: error.message },
            'a call of Docker was refused',
          )
          return ok({ [field]: sentence(error) })
        }
        log.error(
          { call: path.slice(1), error: error instanceof Error ? error.stack : String(error) },
          'a call failed by a bug',
        )
        return ok({ [field]: 'The agent failed in a way it did not foresee; its log has the details.' })
      }
    }
  }

  /** Repeats until the agent's end; what dockerd refuses while it is down is tried again. */
  const repeat = async (what: string, everyMs: number, work: () => Promise<unknown>): Promise<void> => {
    let said = ''
    while (!signal.aborted) {
      try {
        await work()
        said = ''
      } catch (error) {
        const words = error instanceof DroverError ? error.message : String(error)
        if (words !== said) log.warn({ error: words }, `${what} did not come to its end`)
        said = words
      }
      await new Promise<void>((resolve) => {
        clock.setTimeout(resolve, everyMs)
      })
    }
  }

  return {
    answer: { local: answerOf('local'), global: answerOf('global') },
    follow(): void {
      void repeat('the comparison of networks with Docker', SYNC_MS, async () => {
        await identities.learnPending()
        names.learnMissing()
        await sync.compare()
      })
      void repeat('the comparison of endpoints with Docker', AUDIT_MS, async () => {
        await audit.look()
        await names.learnRenamed()
        await identities.learnRefused()
        await completions.resume()
      })
    },
  }
}

function sentence({ message, remedy }: DroverError): string {
  const whole = /[.?!]$/.test(message) ? message : `${message}.`
  return remedy === undefined ? whole : `${whole} ${remedy}`
}

function ok(value: object): FaceAnswer {
  return { status: 200, headers: { 'content-type': CONTENT_TYPE }, body: JSON.stringify(value) }
}
