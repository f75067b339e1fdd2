/**
 * Names of containers, answered at the addresses of `dnsListen`. Both settings are taken over while the agent runs. An
 * address that can't be listened at is a problem that is shown and tried again; nothing else of the agent waits for it.
 */
import type { AgentSettings } from '@network/datastore/model'
import { type Clock, DroverError, type Log, type Timer } from '@network/net'
import type { NameIndex } from '../names/name-index.ts'
import { type Server, serverOf } from '../names/nameservers.ts'
import { type Listener, listenForQuestions } from '../resolver/listener.ts'
import { type QuestionOutcome, createResolver } from '../resolver/resolver.ts'
import { createSurroundings } from '../resolver/surroundings.ts'
import { createUpstream } from '../resolver/upstream.ts'

export interface NameService {
  setSettings(settings: Pick<AgentSettings, 'dnsListen' | 'dnsUpstream'>): void
  /** Sentences about addresses that can't be listened at, and questions that nobody can be asked. */
  problems(): readonly string[]
  /** Resolves when every address has been tried once. */
  settled(): Promise<void>
  stop(): Promise<void>
}

export interface NameServiceOptions {
  readonly resolvConf: string
  readonly onOutcome: (outcome: QuestionOutcome) => void
}

const RETRY_MS = 5_000

export function createNameService(
  modules: { index: NameIndex; complete: () => boolean; random: () => number; clock: Clock; log: Log },
  options: NameServiceOptions,
): NameService {
  const { index, complete, random, clock } = modules
  const log = modules.log.child({ module: 'names' })
  const surroundings = createSurroundings({ clock }, { resolvConf: options.resolvConf })
  const listeners = new Map<string, Listener>()
  const faults = new Map<string, DroverError>()
  let wanted = new Map<string, Server>()
  let upstreams: readonly Server[] = []
  let timer: Timer | undefined
  let stopped = false
  /** What is being done now; one thing after the other. */
  let work: Promise<void> = Promise.resolve()

  /** Never ourselves: the host may well have us in its own resolv.conf. */
  const servers = (): readonly Server[] =>
    (upstreams.length > 0 ? upstreams : surroundings.nameservers()).filter(
      (server) => !wanted.has(nameOf(server)),
    )

  const answer = createResolver(
    {
      index,
      complete,
      random,
      log,
      upstream: createUpstream({ clock, random, servers }),
      isNear: (address) => surroundings.isNear(address),
    },
    { onOutcome: options.onOutcome },
  )

  const open = async (name: string, at: Server): Promise<void> => {
    try {
      listeners.set(name, await listenForQuestions(at, answer))
      faults.delete(name)
      log.info({ address: at.address, port: at.port }, "containers' names are answered here")
    } catch (error) {
      if (!(error instanceof DroverError)) throw error
      if (!faults.has(name)) log.error({ remedy: error.remedy }, error.message)
      faults.set(name, error)
    }
  }

  const compare = async (): Promise<void> => {
    for (const [name, listener] of [...listeners]) {
      if (wanted.has(name)) continue
      listeners.delete(name)
      await listener.close()
    }
    for (const name of [...faults.keys()]) if (!wanted.has(name)) faults.delete(name)
    for (const [name, at] of wanted) if (!listeners.has(name)) await open(name, at)
    if (faults.size === 0 || stopped) return
    timer?.cancel()
    timer = clock.setTimeout(compareSoon, RETRY_MS)
  }

  const compareSoon = (): void => {
    work = work
      .then(compare)
      .catch((error: unknown) => log.error({ error }, 'listening for names failed by a bug'))
  }

  return {
    setSettings({ dnsListen, dnsUpstream }) {
      if (stopped) return
      upstreams = dnsUpstream.flatMap((text) => serverOf(text) ?? [])
      const next = new Map(
        dnsListen.flatMap((text): [string, Server][] => {
          const server = serverOf(text)
          return server === undefined ? [] : [[nameOf(server), server]]
        }),
      )
      if ([...next.keys()].join() === [...wanted.keys()].join()) return
      wanted = next
      compareSoon()
    },
    problems: () => [
      ...[...faults.values()].map(({ message, remedy = '' }) => `${message} ${remedy}`.trim()),
      ...(listeners.size > 0 && servers().length === 0
        ? [
            "Nobody can be asked what is no container's name: resolv.conf lists nobody but this agent, and dnsUpstream is empty.",
          ]
        : []),
    ],
    settled: () => work,
    async stop() {
      stopped = true
      timer?.cancel()
      wanted = new Map()
      compareSoon()
      await work
    },
  }
}

function nameOf({ address, port }: Server): string {
  return address.includes(':') ? `[${address}]:${String(port)}` : `${address}:${String(port)}`
}
