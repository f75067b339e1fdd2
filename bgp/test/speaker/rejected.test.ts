import t from 'tap'
import { encodeNotification } from '../../src/codec/notification.ts'
import { type Speaker, createSpeaker } from '../../src/index.ts'
import { FakeClock } from './fake-network.ts'
import { type RawPeer, RawWire } from './raw-peer.ts'

const running: Speaker[] = []

t.afterEach(async () => {
  await Promise.all(running.splice(0).map((speaker) => speaker.stop()))
})

async function scene() {
  const clock = new FakeClock()
  const wire = new RawWire()
  const interfaces = () => [{ device: 'eth0', address: '10.0.0.1', length: 24 }]
  const speaker = createSpeaker(
    { asn: 64512, routerId: '10.0.0.1', listen: ['10.0.0.1:179'] },
    { clock, sockets: wire.sockets, interfaces, random: () => 0.5 },
  )
  running.push(speaker)
  await speaker.ready()
  return { clock, wire, speaker }
}

t.test('who dials before the first peers are declared is left without a word, later told', async (t) => {
  const { wire, speaker } = await scene()
  const early = wire.dial('10.0.0.2')
  t.ok(early.closed)
  t.same(early.messages(), [])
  speaker.peer({ address: '10.0.0.2', asn: 65001 })
  const stranger = wire.dial('10.0.0.3')
  t.match(stranger.messages(), [{ type: 'notification', code: 6, subcode: 5 }])
  const late = wire.dial('10.0.0.2')
  late.open({ asn: 65001, routerId: 0x0a000002 })
  t.match(speaker.peers(), [{ state: 'Established' }])
})

t.test(
  'a peer that rejects us, however often, is dialled again with ConnectRetry, and may dial',
  async (t) => {
    const { clock, wire, speaker } = await scene()
    const handle = speaker.peer({ address: '10.0.0.2', asn: 65001 })
    const rejection = encodeNotification({ code: 6, subcode: 5, data: new Uint8Array(0) })
    for (let attempts = 1; attempts <= 8; attempts++) {
      t.equal(wire.dialled.length, attempts)
      const dialled = wire.dialled.at(-1) as RawPeer
      dialled.handlers?.connected()
      dialled.send(rejection)
      t.match(handle.status(), { state: 'Active', lastNotification: { direction: 'received', subcode: 5 } })
      if (attempts < 8) clock.advance(5000)
    }
    const peer = wire.dial('10.0.0.2')
    peer.open({ asn: 65001, routerId: 0x0a000002 })
    t.equal(handle.status().state, 'Established')
  },
)
