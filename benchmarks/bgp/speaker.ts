/** Our own speaker as a process, begun as a reflector begins, with the options and peers that it is given as JSON. */
import { type PeerOptions, type SpeakerOptions, createSpeaker, warmUp } from '@network/bgp'

const given = JSON.parse(process.argv[2] ?? '') as { options: SpeakerOptions; peers: readonly PeerOptions[] }
await warmUp()
const speaker = createSpeaker(given.options)
await speaker.apply({ peers: given.peers, routes: [] })
await speaker.ready()
process.once('SIGTERM', () => {
  void speaker.stop().then(() => process.exit(0))
})
