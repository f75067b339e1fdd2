import { type Prefix, formatPrefix, prefixesOverlap } from '@network/net'
import { SpeakerError } from '../error.ts'
import { readPrefix, refuse } from './option-values.ts'
import { type DesiredState, type RouteOptions } from './options.ts'
import { resolvePeer } from './resolve-peer.ts'
import { type LocalSettings, type PeerSettings } from './settings.ts'

/** Reads a whole desired state and checks its parts against each other. */
export function resolveDesired(
  desired: DesiredState,
  local: LocalSettings,
): { peers: Map<string, PeerSettings>; routes: Map<string, { prefix: Prefix; route: RouteOptions }> } {
  const peers = new Map<string, PeerSettings>()
  for (const options of desired.peers) {
    const settings = resolvePeer(options, local)
    checkAgainst(settings, peers.values())
    peers.set(settings.name, settings)
  }
  const routes = new Map<string, { prefix: Prefix; route: RouteOptions }>()
  for (const route of desired.routes) {
    const prefix = readPrefix('A route', route.prefix)
    const key = formatPrefix(prefix)
    if (routes.has(key)) refuse(`Route ${key} is given twice.`, 'Give each prefix once.')
    routes.set(key, { prefix, route })
  }
  return { peers, routes }
}

/** Refuses a peer that would be mistaken for another. */
export function checkAgainst(settings: PeerSettings, others: Iterable<PeerSettings>): void {
  for (const other of others) {
    if (other.name === settings.name) {
      throw new SpeakerError('duplicate-peer', `Two peers are called ${settings.name}.`, {
        remedy: 'Give each peer a name of its own.',
      })
    }
    if (
      settings.address !== undefined &&
      settings.address === other.address &&
      settings.port === other.port
    ) {
      throw new SpeakerError(
        'duplicate-peer',
        `Peers ${other.name} and ${settings.name} have the same address ${settings.address}.`,
        { remedy: 'Leave one of them out.' },
      )
    }
    if (settings.unnumbered && other.unnumbered && settings.device === other.device) {
      throw new SpeakerError(
        'duplicate-peer',
        `Peers ${other.name} and ${settings.name} are both whoever is on ${settings.device ?? ''}.`,
        { remedy: 'Leave one of them out, or give them addresses.' },
      )
    }
    if (
      settings.range !== undefined &&
      other.range !== undefined &&
      prefixesOverlap(settings.range, other.range)
    ) {
      throw new SpeakerError(
        'duplicate-peer',
        `Peer ranges ${formatPrefix(other.range)} and ${formatPrefix(settings.range)} overlap.`,
        { remedy: 'Make them disjoint: whose options hold would depend on their order.' },
      )
    }
  }
}
