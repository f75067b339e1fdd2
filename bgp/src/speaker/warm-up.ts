/*
 * Takes the first slowness out of a process that is going to have many sessions: a speaker of its own is dialled over
 * the loopback by peers of a range, which say OPEN and KEEPALIVE, announce some routes, change and withdraw them and
 * leave, several times over; more routes go through a RIB of its own. Real sockets, because half of what a session costs
 * in the beginning is Node's part of them, and because the compiler would take back what it had learnt of others.
 * Nothing of it is left.
 */
import { systemClock } from '@network/net/system'
import { steps } from '../rib/made-up-routes.ts'
import { warmUp as warmUpRib } from '../rib/warm-up.ts'
import { SpeakerError } from './error.ts'
import { createSpeaker } from './speaker.ts'
import { WarmUpPeer, warmUpAsn } from './warm-up-peer.ts'

const loopback = '127.0.0.1'
const rounds = 6
const sessions = 48
const ribsPerRound = 2
const lookMs = 2

/**
 * Takes about half a second, once in a process that is going to have many peers.
 *
 * @param boundMs beyond that the process is needed: where it takes so long, it begins half warm
 * @returns how many sessions came up
 */
export async function warmUp({ boundMs = 1500 }: { boundMs?: number } = {}): Promise<number> {
  const end = systemClock.monotonic() + boundMs
  const speaker = createSpeaker({ asn: warmUpAsn, routerId: loopback, listen: [`${loopback}:0`] })
  try {
    const [place] = await speaker.ready()
    await speaker.apply({
      peers: [{ range: '127.0.0.0/8', asn: 'internal', routeReflectorClient: true, families: ['ipv4'] }],
      routes: [],
    })
    let up = 0
    for (let round = 0; round < rounds && systemClock.monotonic() < end; round++) {
      for (let i = 0; i < ribsPerRound; i++) warmUpRib()
      const peers = Array.from(
        { length: sessions },
        (_, number) => new WarmUpPeer(round * sessions + number, place?.port ?? 0),
      )
      await quiet(peers, end)
      up += speaker.peers().filter(({ state }) => state === 'Established').length
      for (const step of steps) {
        for (const peer of peers) peer.tell(step)
        await quiet(peers, end)
      }
      await Promise.all(peers.map((peer) => peer.leave()))
    }
    return up
  } catch (error) {
    // Where there is no loopback nothing is lost but time.
    if (error instanceof SpeakerError) return 0
    throw error
  } finally {
    await speaker.stop()
  }
}

/** Something has come for the peers, and nothing more comes; or `end` (monotonic) has. */
async function quiet(peers: readonly WarmUpPeer[], end: number): Promise<void> {
  const octets = (): number => peers.reduce((sum, peer) => sum + peer.octets, 0)
  const before = octets()
  let seen: number
  do {
    seen = octets()
    await new Promise<void>((resolve) => {
      systemClock.setTimeout(resolve, lookMs)
    })
  } while ((octets() === before || octets() !== seen) && systemClock.monotonic() < end)
}
