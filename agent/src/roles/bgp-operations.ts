/**
 * A speaker as the local API sees it: the agent's in its thread, or a reflector's own. Peers are named as people do, by
 * name or by address; every answer is bounded.
 */
import type {
  DesiredState,
  ExportExplanation,
  PeerOptions,
  PeerStatus,
  RouteExplanation,
  RouteQuery,
  RouteStatus,
} from '@network/bgp'
import { DroverError, type Family } from '@network/net'
import type { BgpOperations } from '../api/operations.ts'
import { exportReport, peerReport, routeReport } from './reports.ts'

/** What is looked at. */
export interface ServedSpeaker {
  peers(): Promise<readonly PeerStatus[]>
  routes(query: RouteQuery): Promise<readonly RouteStatus[]>
  explain(prefix: string): Promise<readonly RouteExplanation[]>
  explainExports(prefix: string): Promise<readonly ExportExplanation[]>
  refresh(peer: string, family: Family | undefined): Promise<boolean>
  /** What was declared, without what an operator has shut down. */
  declared(): readonly PeerOptions[]
  /** Where a declared peer stands. */
  origin(name: string): string | undefined
  /** By name of peer or range: the text that its peers were told. */
  readonly shutdowns: ReadonlyMap<string, string>
  /** Puts other shutdowns in force. */
  shutDown(shutdowns: ReadonlyMap<string, string>): Promise<void>
}

const MOST_ROUTES = 10_000
const DEFAULT_PORT = 179

/** `speaker` answers undefined while there is none: then there are no peers and no routes. */
export function createBgpOperations(speaker: () => ServedSpeaker | undefined): BgpOperations {
  return {
    async bgpPeers() {
      const served = speaker()
      if (served === undefined) return []
      const declared = new Map(served.declared().map((options) => [peerName(options), options]))
      return (await served.peers()).map((status) => {
        const { port = DEFAULT_PORT } = declared.get(status.name) ?? {}
        const range = status.range === undefined ? undefined : `range ${status.range}`
        return peerReport(status, {
          origin: range ?? served.origin(status.name) ?? 'as last known',
          port,
          shutdown: served.shutdowns.get(status.name),
        })
      })
    },
    async bgpRoutes({ family, view, peer, prefix }) {
      const served = speaker()
      if (served === undefined) return { routes: [], truncated: false }
      const name = peer === undefined ? undefined : (await runningPeer(served, peer)).name
      const families = family === undefined ? (['ipv4', 'ipv6'] as const) : [family]
      const found = await Promise.all(
        families.map((each) =>
          served.routes({
            family: each,
            limit: MOST_ROUTES + 1,
            ...(view === undefined ? {} : { view }),
            ...(name === undefined ? {} : { peer: name }),
            ...(prefix === undefined ? {} : { prefix, match: 'longer' }),
          }),
        ),
      )
      const routes = found.flat()
      return { routes: routes.slice(0, MOST_ROUTES).map(routeReport), truncated: routes.length > MOST_ROUTES }
    },
    async bgpWhy({ prefixes }) {
      const served = speaker()
      for (const prefix of served === undefined ? [] : prefixes) {
        const paths = (await served?.explain(prefix)) ?? []
        if (paths.length === 0) continue
        const exports = (await served?.explainExports(prefix)) ?? []
        return { prefix, routes: paths.map(routeReport), exports: exports.map(exportReport) }
      }
      return { prefix: undefined, routes: [], exports: [] }
    },
    async bgpRefresh({ peer, family }) {
      const served = running(speaker())
      const peers = peer === undefined ? await served.peers() : [await runningPeer(served, peer)]
      const asked: string[] = []
      const notAsked: string[] = []
      for (const { name } of peers) {
        if (await served.refresh(name, family)) asked.push(name)
        else notAsked.push(name)
      }
      return { asked, notAsked }
    },
    async bgpShutdown({ peer, message = '', undo = false }) {
      const served = running(speaker())
      const declared = served.declared()
      const names = peer === undefined ? declared.map(peerName) : [await declaredPeer(served, declared, peer)]
      const shutdowns = new Map(served.shutdowns)
      for (const name of names) {
        if (undo) shutdowns.delete(name)
        else shutdowns.set(name, message)
      }
      await served.shutDown(shutdowns)
      return { peers: names }
    },
  }
}

/** The declared state with some peers and ranges administratively down. */
export function withShutdowns(state: DesiredState, shutdowns: ReadonlyMap<string, string>): DesiredState {
  if (shutdowns.size === 0) return state
  return {
    ...state,
    peers: state.peers.map((options) => {
      const text = shutdowns.get(peerName(options))
      return text === undefined ? options : { ...options, shutdown: text === '' ? true : text }
    }),
  }
}

/** What the speaker calls a peer. */
export function peerName({ name, address, range, interface: device }: PeerOptions): string {
  return name ?? address ?? range ?? device ?? ''
}

function running(served: ServedSpeaker | undefined): ServedSpeaker {
  if (served !== undefined) return served
  throw new DroverError('not-ready', 'The BGP speaker does not run yet.', {
    remedy: "Try again in a moment; 'drover node status' says what it waits for.",
  })
}

async function runningPeer(served: ServedSpeaker, words: string): Promise<PeerStatus> {
  const peers = await served.peers()
  const found = peers.find(({ name }) => name === words) ?? peers.find(({ address }) => address === words)
  if (found !== undefined) return found
  throw unknownPeer(
    words,
    peers.map(({ name }) => name),
  )
}

async function declaredPeer(
  served: ServedSpeaker,
  declared: readonly PeerOptions[],
  words: string,
): Promise<string> {
  const found =
    declared.find((options) => peerName(options) === words) ??
    declared.find(({ address }) => address === words)
  if (found !== undefined) return peerName(found)
  const admitted = (await served.peers()).find(({ name, address }) => name === words || address === words)
  if (admitted?.range === undefined) throw unknownPeer(words, declared.map(peerName))
  throw new DroverError(
    'conflict',
    `${words} is not declared: the range ${admitted.range} has admitted it.`,
    {
      remedy: `Shut the range down ('${admitted.range}'), or leave the address out of it.`,
    },
  )
}

function unknownPeer(words: string, names: readonly string[]): DroverError {
  const shown = names.slice(0, 20).join(', ')
  return new DroverError('unknown-peer', `There is no peer '${words}'.`, {
    remedy: `Peers are: ${shown === '' ? 'none' : shown}${names.length > 20 ? ' …' : ''}.`,
  })
}
