/** The programs of ours: the speaker under test, and the mirror that stands for the generator's own ceiling. */
import path from 'node:path'
import type { PeerOptions, SpeakerOptions } from '@network/bgp'
import { type Population, clientNetwork, clientsOf, speakerAddress, speakerAs } from '../plan.ts'
import type { Target } from './target.ts'

const options: SpeakerOptions = {
  asn: speakerAs,
  routerId: speakerAddress,
  listen: [`${speakerAddress}:179`],
}

function peers(population: Population): PeerOptions[] {
  const families = ['ipv4'] as const
  return population.peerType === 'internal'
    ? [{ range: clientNetwork, asn: 'internal', routeReflectorClient: true, families }]
    : clientsOf(population).map(({ address, asn }) => ({ address, asn, passive: true, families }))
}

export const drover: Target = {
  name: 'drover',
  decides: true,
  version: () => Promise.resolve('Drover'),
  start: ({ place, population, programs, nodeArguments }) =>
    place.start('drover', process.execPath, [
      ...nodeArguments,
      path.join(programs, 'speaker.mjs'),
      JSON.stringify({ options, peers: peers(population) }),
    ]),
}

export const mirror: Target = {
  name: 'mirror',
  decides: false,
  version: () => Promise.resolve('mirror'),
  start: ({ place, programs }) =>
    place.start('mirror', process.execPath, [path.join(programs, 'mirror.mjs')]),
}
