import t from 'tap'
import { ipv4Unicast } from '../../src/codec/iana.ts'
import { FakeClock, FakeNetwork } from './fake-network.ts'
import { Side, pair, up } from './two-peers.ts'

t.test('one side dials, the other waits', (t) => {
  const sides = pair({}, { passive: true })
  sides.b.peer.start()
  sides.a.peer.start()
  sides.clock.advance(100)
  t.ok(up(sides))
  t.same(sides.a.states, ['Connect', 'OpenSent', 'OpenConfirm', 'Established'])
  t.same(sides.b.states, ['Active', 'OpenSent', 'OpenConfirm', 'Established'])
  t.equal(sides.b.peer.counters.connectAttempts, 0)
  t.match(sides.a.ups[0], { peerType: 'external', peerAsn: 65001, holdTimeSeconds: 90 })
  t.end()
})

t.test('both dial at once: one connection stays, the same for both, and the session goes up once', (t) => {
  for (const ids of [
    ['10.0.0.1', '10.0.0.2'],
    ['10.0.0.2', '10.0.0.1'],
    ['7.7.7.7', '7.7.7.7'],
  ] as const) {
    const sides = pair({}, {}, ids)
    sides.a.peer.start()
    sides.b.peer.start()
    sides.clock.advance(60_000)
    t.ok(up(sides), ids.join(' and '))
    t.equal(sides.a.ups.length, 1)
    t.equal(sides.b.ups.length, 1)
    t.equal(sides.a.downs.length + sides.b.downs.length, 0)
    t.equal(sides.a.peer.socket?.localPort, sides.b.peer.socket?.remotePort, 'the same connection')
  }
  t.end()
})

t.test('nobody there: dialled again and again without a flood, and up when somebody comes', (t) => {
  const clock = new FakeClock()
  const network = new FakeNetwork(clock)
  const a = new Side(
    clock,
    network,
    { address: '10.0.0.1', asn: 64512, routerId: '10.0.0.1' },
    { address: '10.0.0.2', asn: 65001 },
  )
  a.peer.start()
  clock.advance(60_000)
  t.ok(a.peer.counters.connectAttempts >= 11 && a.peer.counters.connectAttempts <= 17)
  t.match(a.peer.lastError?.text, /nobody listens there/)
  t.equal(a.warnings.length, 1, 'the same reason is logged once')
  const b = new Side(
    clock,
    network,
    { address: '10.0.0.2', asn: 65001, routerId: '10.0.0.2' },
    { address: '10.0.0.1', asn: 64512, passive: true },
  )
  b.peer.start()
  clock.advance(6000)
  t.equal(a.peer.state, 'Established')
  t.end()
})

t.test('a wrong AS is refused with 2/2, told to both, and tried again ever more rarely', (t) => {
  const sides = pair({ asn: 65009, timers: { idleHoldMaximumSeconds: 16 } }, { passive: true })
  sides.b.peer.start()
  sides.a.peer.start()
  sides.clock.advance(200)
  t.match(sides.a.peer.lastNotification, { direction: 'sent', code: 2, subcode: 2 })
  t.match(sides.b.peer.lastNotification, { direction: 'received', code: 2, subcode: 2 })
  t.match(sides.a.peer.lastError?.text, /the peer is AS 65001, not AS 65009/)
  t.match(sides.b.peer.lastError?.text, /Bad Peer AS/)
  const first = sides.a.peer.counters.connectAttempts
  sides.clock.advance(60_000)
  const minute = sides.a.peer.counters.connectAttempts - first
  t.ok(minute >= 3 && minute <= 12, `${minute} attempts in a minute`)
  t.end()
})

t.test('keepalives hold a session; silence for the hold time ends it with 4/0', (t) => {
  const sides = pair({ timers: { holdTimeSeconds: 9 } }, { passive: true })
  sides.b.peer.start()
  sides.a.peer.start()
  sides.clock.advance(600_000)
  t.ok(up(sides))
  t.equal(sides.a.downs.length, 0, 'ten minutes on keepalives')
  t.ok(sides.a.peer.counters.messagesOut >= 200, 'every three seconds or, with jitter, a little oftener')
  sides.network.silent = true
  sides.clock.advance(9100)
  t.match(sides.a.downs, [
    { event: 'HoldTimer_Expires', notification: { direction: 'sent', content: { code: 4, subcode: 0 } } },
  ])
  t.match(sides.a.downs[0]?.text, /silent for the hold time of 9 s/)
  t.end()
})

t.test('hold time 0: no keepalives, and silence is fine', (t) => {
  const sides = pair({ timers: { holdTimeSeconds: 0 } }, { passive: true })
  sides.b.peer.start()
  sides.a.peer.start()
  sides.clock.advance(100)
  const sent = sides.a.peer.counters.messagesOut
  sides.clock.advance(3_600_000)
  t.ok(up(sides))
  t.equal(sides.a.peer.counters.messagesOut, sent)
  t.end()
})

t.test('DelayOpen: OPEN is held back until the peer has sent its own, or the time is over', (t) => {
  for (const both of [false, true]) {
    const delayed = { timers: { delayOpenSeconds: 8 } }
    const sides = pair(delayed, { passive: true, ...(both ? delayed : {}) })
    sides.b.peer.start()
    sides.a.peer.start()
    sides.clock.advance(1000)
    t.equal(sides.a.peer.state, both ? 'Connect' : 'Established')
    sides.clock.advance(8000)
    t.ok(up(sides))
  }
  t.end()
})

t.test('a cut connection comes back', (t) => {
  const sides = pair({}, { passive: true })
  sides.b.peer.start()
  sides.a.peer.start()
  sides.clock.advance(100)
  sides.network.cut()
  sides.clock.advance(1)
  t.match(sides.a.downs, [{ event: 'TcpConnectionFails', notification: undefined }])
  sides.clock.advance(5000)
  t.ok(up(sides))
  t.equal(sides.a.peer.counters.dropped, 1)
  t.equal(sides.a.peer.counters.established, 2)
  t.end()
})

t.test('an orderly stop says so, with its text, and leaves no timer behind', (t) => {
  const sides = pair({}, { passive: true })
  sides.b.peer.start()
  sides.a.peer.start()
  sides.clock.advance(100)
  sides.a.peer.stop({ subcode: 2, text: 'moving racks' })
  sides.clock.advance(10)
  t.match(sides.b.peer.lastNotification, {
    direction: 'received',
    code: 6,
    subcode: 2,
    text: /"moving racks"/,
  })
  sides.b.peer.stop(undefined)
  t.equal(sides.clock.pending, 0)
  sides.clock.advance(600_000)
  t.equal(sides.a.peer.state, 'Idle')
  t.equal(sides.b.peer.state, 'Idle')
  t.end()
})

t.test('stopped without a word, the peer sees only TCP', (t) => {
  const sides = pair({}, { passive: true })
  sides.b.peer.start()
  sides.a.peer.start()
  sides.clock.advance(100)
  sides.a.peer.stop(undefined)
  sides.clock.advance(10)
  t.match(sides.b.downs, [{ event: 'TcpConnectionFails', notification: undefined }])
  t.end()
})

t.test(
  'RFC 4724: a restarted peer that dials anew replaces its dead session; otherwise the live one stays',
  (t) => {
    for (const able of [true, false]) {
      const sides = pair({ passive: true }, {})
      if (able) {
        const restart = {
          restartTimeSeconds: 60,
          notification: false,
          restarting: false,
          forwardingPreserved: true,
          families: [ipv4Unicast],
        }
        sides.a.restart = restart
        sides.b.restart = restart
      }
      sides.a.peer.start()
      sides.b.peer.start()
      sides.clock.advance(100)
      t.ok(up(sides))
      // The peer's machine loses its power: no FIN, no RST. A new process of it dials.
      const reborn = new Side(
        sides.clock,
        sides.network,
        { address: '10.0.0.3', asn: 65001, routerId: '10.0.0.2' },
        { address: '10.0.0.1', asn: 64512, sourceAddress: '10.0.0.2' },
      )
      reborn.restart = sides.b.restart
      reborn.peer.start()
      sides.clock.advance(100)
      if (able) {
        t.match(sides.a.downs, [{ event: 'TcpConnectionFails' }])
        t.equal(sides.a.ups.length, 2)
        t.equal(reborn.peer.state, 'Established')
      } else {
        t.equal(sides.a.downs.length, 0)
        t.match(reborn.peer.lastNotification, { code: 6, subcode: 7 })
      }
      t.equal(sides.a.peer.state, 'Established')
    }
    t.end()
  },
)

t.test('a peer in Idle after an error turns connections away', (t) => {
  const sides = pair({ passive: true }, { timers: { connectRetrySeconds: 100 } })
  sides.a.peer.start()
  sides.b.peer.start()
  sides.clock.advance(100)
  sides.a.peer.reset({ subcode: 4 }, Infinity)
  t.equal(sides.a.peer.state, 'Idle')
  sides.clock.advance(600_000)
  t.equal(sides.a.peer.state, 'Idle', 'until somebody starts it')
  sides.a.peer.start(true)
  sides.clock.advance(200_000)
  t.ok(up(sides))
  t.end()
})

t.test('a reset with a time starts again after it', (t) => {
  const sides = pair({}, { passive: true })
  sides.b.peer.start()
  sides.a.peer.start()
  sides.clock.advance(100)
  sides.a.peer.reset({ subcode: 1 }, 30_000)
  sides.clock.advance(29_000)
  t.equal(sides.a.peer.state, 'Idle')
  sides.clock.advance(2000)
  t.ok(up(sides))
  t.end()
})

t.test('an unanswered peer with a password: the hint, and what the kernel counted', (t) => {
  const sides = pair({ password: 'secret' }, { passive: true })
  sides.network.dropSyn = true
  sides.a.peer.start()
  sides.clock.advance(6000)
  t.match(sides.a.peer.lastError?.text, /Nobody answered.*password \(TCP MD5\) on either side/)
  sides.network.md5Failures = 4
  sides.clock.advance(2500)
  t.match(sides.a.peer.lastError?.text, /wrong or missing TCP MD5 signature/)
  t.ok(sides.a.warnings.some((line) => line.includes('TCP MD5 signature')))
  t.end()
})

t.test('a peer whose TTL is below the minimum: what the kernel counted', (t) => {
  const sides = pair({ ttlSecurityHops: 1 }, { passive: true })
  sides.network.dropSyn = true
  sides.a.peer.start()
  sides.clock.advance(6000)
  t.match(sides.a.peer.lastError?.text, /Nobody answered.*TTL below 255/)
  sides.network.ttlDrops = 4
  sides.clock.advance(2500)
  t.match(sides.a.peer.lastError?.text, /Segments with a TTL below 255 arrive.*RFC 5082/)
  t.ok(sides.a.warnings.some((line) => line.includes('RFC 5082')))
  t.end()
})

t.test('damping: whoever fails waits longer each time, whoever restarts gracefully does not', (t) => {
  for (const keepsRoutes of [false, true]) {
    const sides = pair({}, { passive: true })
    for (const side of [sides.a, sides.b]) side.keepsRoutes = keepsRoutes
    sides.a.peer.start()
    sides.b.peer.start()
    for (let restarts = 0; restarts < 6; restarts++) {
      while (!up(sides)) sides.clock.advance(100)
      sides.network.cut()
    }
    t.equal(sides.b.peer.state, keepsRoutes ? 'Active' : 'Idle')
    sides.clock.advance(6000)
    t.equal(up(sides), keepsRoutes)
  }
  t.end()
})

t.test('RFC 9687: a peer that takes nothing is given up with 8/0', (t) => {
  const sides = pair({ timers: { sendHoldSeconds: 30, holdTimeSeconds: 9 } }, { passive: true })
  sides.b.peer.start()
  sides.a.peer.start()
  sides.clock.advance(100)
  sides.clock.advance(300_000)
  t.ok(up(sides), 'a reader that keeps up is kept')
  for (const end of sides.network.ends) if (end.localAddress === '10.0.0.1') end.backlog = 70_000
  sides.clock.advance(31_000)
  t.match(sides.a.downs, [{ event: 'SendHoldTimer_Expires', notification: { content: { code: 8 } } }])
  t.end()
})

t.test('garbage ends the session with the header error that it is', (t) => {
  const sides = pair({}, { passive: true })
  sides.b.peer.start()
  sides.a.peer.start()
  sides.clock.advance(100)
  sides.b.peer.send(new Uint8Array(19), 1, 0)
  sides.clock.advance(10)
  t.match(sides.b.peer.lastNotification, { direction: 'received', code: 1, subcode: 1 })
  t.match(sides.a.downs, [{ event: 'BGPHeaderErr' }])
  t.end()
})

t.test('messages may come in any pieces', (t) => {
  const sides = pair({}, { passive: true })
  sides.b.peer.start()
  sides.a.peer.start()
  sides.clock.advance(100)
  const heard = sides.a.peer.counters.messagesIn
  const keepalives = new Uint8Array(19 * 20)
  for (let i = 0; i < 20; i++) {
    keepalives.fill(0xff, i * 19, i * 19 + 16)
    keepalives.set([0, 19, 4], i * 19 + 16)
  }
  let at = 0
  for (const size of [1, 18, 20, 37, 5, 100, 199]) {
    sides.b.peer.send(keepalives.subarray(at, at + size), 1, 0)
    at += size
  }
  sides.clock.advance(10)
  t.equal(at, keepalives.length)
  t.equal(sides.a.peer.counters.messagesIn, heard + 20)
  t.ok(up(sides))
  t.end()
})
