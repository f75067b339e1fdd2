/** Two peers that face each other over a network of the test's own, each without routes. */
import { type Log } from '@network/net'
import { type Negotiated, type OpenOptions } from '../../src/fsm/negotiate.ts'
import { type Ending } from '../../src/fsm/session.ts'
import { type PeerOptions } from '../../src/speaker/options/options.ts'
import { OpenMessages } from '../../src/speaker/open-messages.ts'
import { Peer, type PeerEvents } from '../../src/speaker/peer.ts'
import { resolvePeer } from '../../src/speaker/options/resolve-peer.ts'
import { resolveSpeaker } from '../../src/speaker/options/resolve-speaker.ts'
import { FakeClock, FakeNetwork } from './fake-network.ts'

/** A speaker of one peer, without routes: what a peer tells of its sessions is written down. */
export class Side implements PeerEvents {
  readonly peer: Peer
  readonly ups: Negotiated[] = []
  readonly downs: Ending[] = []
  keepsRoutes = false
  readonly states: string[] = []
  restart: OpenOptions['gracefulRestart']
  readonly warnings: string[] = []
  readonly #network: FakeNetwork

  constructor(
    clock: FakeClock,
    network: FakeNetwork,
    own: { address: string; asn: number; routerId: string },
    options: PeerOptions,
    random: () => number = () => 0.5,
  ) {
    this.#network = network
    const local = resolveSpeaker({ asn: own.asn, routerId: own.routerId })
    const settings = resolvePeer(options, local)
    const log: Log = {
      debug: () => undefined,
      info: () => undefined,
      warn: (_data, message) => void this.warnings.push(message),
      error: () => undefined,
      child: () => log,
    }
    const opens = new OpenMessages()
    const modules = { clock, log, sockets: network.host(own.address), random, opens }
    this.peer = new Peer(modules, this, settings, local.routerId)
    void network.host(own.address).listen(own.address, 179, {
      accepted: (connection) => this.peer.accept(connection),
    })
  }

  offeredRestart(): OpenOptions['gracefulRestart'] {
    return this.restart
  }

  flushSoon(): void {
    this.#network.flush()
  }

  established(negotiated: Negotiated): void {
    this.ups.push(negotiated)
  }

  down(ending: Ending): boolean {
    this.downs.push(ending)
    return this.keepsRoutes
  }

  updateReceived(): void {
    throw new Error('no routes here')
  }

  updateRefused(): void {
    throw new Error('no routes here')
  }

  refreshReceived(): void {
    throw new Error('no routes here')
  }

  writable(): void {
    return
  }

  stateChanged(): void {
    this.states.push(this.peer.state)
  }
}

export interface Pair {
  readonly clock: FakeClock
  readonly network: FakeNetwork
  readonly a: Side
  readonly b: Side
}

export function pair(
  aOptions: Partial<PeerOptions> = {},
  bOptions: Partial<PeerOptions> = {},
  ids: readonly [string, string] = ['10.0.0.1', '10.0.0.2'],
): Pair {
  const clock = new FakeClock()
  const network = new FakeNetwork(clock)
  const a = new Side(
    clock,
    network,
    { address: '10.0.0.1', asn: 64512, routerId: ids[0] },
    { address: '10.0.0.2', asn: 65001, ...aOptions },
  )
  const b = new Side(
    clock,
    network,
    { address: '10.0.0.2', asn: 65001, routerId: ids[1] },
    { address: '10.0.0.1', asn: 64512, ...bOptions },
  )
  return { clock, network, a, b }
}

export const up = ({ a, b }: Pair): boolean =>
  a.peer.state === 'Established' && b.peer.state === 'Established'
