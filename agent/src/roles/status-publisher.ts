/**
 * What others may read of a node without asking it: its BGP sessions, at the node's leased status keys. It is small and
 * written seldom: state and no counters, the sessions that need a look first, and no oftener than every ten seconds
 * however much they flap.
 */
import { type Store, StoreError } from '@network/datastore'
import { statusKey } from '@network/datastore/model'
import type { Log } from '@network/net'
import type { PeerStatus } from '@network/bgp'
import type { Life } from './life.ts'

export interface StatusPublisherModules {
  store: Pick<Store, 'transact'>
  life: Pick<Life, 'ended' | 'pause'>
  log: Log
}

export interface StatusPublisherOptions {
  node: string
  /** Least time between two writes; default 10,000. */
  intervalMs?: number
  /** The lease on which the status lives; undefined while there is none. */
  lease: () => string | undefined
  peers: () => Promise<readonly PeerStatus[]>
}

/** The value of `/drover/v1/status/<node>/bgp`. */
export interface BgpStatus {
  readonly established: number
  readonly configured: number
  /** Those that are not up first; no more than 64. */
  readonly peers: readonly {
    readonly name: string
    readonly address: string
    readonly asn?: number
    readonly established: boolean
    /** ISO 8601; of a session that is up. */
    readonly since?: string
    /** Of a session that is not. */
    readonly reason?: string
  }[]
}

const MOST_PEERS = 64
const MOST_REASON = 200
const INTERVAL_MS = 10_000

/** Publishes until the agent ends. What fails is tried again at the next turn. */
export async function publishStatus(
  modules: StatusPublisherModules,
  options: StatusPublisherOptions,
): Promise<void> {
  const { store, life } = modules
  const log = modules.log.child({ module: 'status' })
  const key = statusKey(options.node, 'bgp')
  let published: { lease: string; value: string } | undefined
  while (!life.ended()) {
    const lease = options.lease()
    try {
      const value = JSON.stringify(bgpStatus(await options.peers()))
      if (lease !== undefined && (published?.lease !== lease || published.value !== value)) {
        await store.transact({ when: [], then: [{ put: key, value, lease }] })
        published = { lease, value }
      }
    } catch (error) {
      if (error instanceof StoreError && error.code === 'closed') return
      log.debug({ error: String(error) }, 'the status of BGP could not be published')
    }
    await life.pause(options.intervalMs ?? INTERVAL_MS)
  }
}

export function bgpStatus(peers: readonly PeerStatus[]): BgpStatus {
  const isUp = ({ state }: PeerStatus): boolean => state === 'Established'
  const listed = [...peers].sort(
    (a, b) => Number(isUp(a)) - Number(isUp(b)) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  )
  return {
    established: peers.filter(isUp).length,
    configured: peers.length,
    peers: listed.slice(0, MOST_PEERS).map((peer) => ({
      ...{ name: peer.name, address: peer.address },
      ...(peer.asn === undefined ? {} : { asn: peer.asn }),
      // A session that is being tried passes through several states a minute: from outside it is down.
      ...(isUp(peer)
        ? { established: true, since: new Date(peer.since).toISOString() }
        : { established: false, reason: (peer.lastError?.text ?? '').slice(0, MOST_REASON) }),
    })),
  }
}
