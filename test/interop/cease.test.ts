/*
 * How sessions end with words: shutdown communication (RFC 8203, 9003) to and from every daemon that has it, prefix
 * limits on both sides, a wrong MD5 key, and a TTL too small.
 */
import t from 'tap'
import { type PeerOptions, type Speaker } from '@network/bgp'
import { until } from '../lab/index.ts'
import { type Bench, type Seat, openBench } from './bench.ts'
import { startBird } from './peers/bird.ts'
import { type DaemonName, daemonNames, startDaemon } from './peers/daemon.ts'
import { startFrr } from './peers/frr.ts'
import { startGobgp } from './peers/gobgp.ts'
import { startOpenbgpd } from './peers/openbgpd.ts'

const asn = 65001
const families = ['ipv4'] as const

let bench: Bench

t.jobs = 6
t.setTimeout(120_000)
t.before(async () => {
  bench = await openBench('cease')
})
t.teardown(() => bench.close())

async function speakerAt(seat: Seat, peer: Partial<PeerOptions> = {}): Promise<Speaker> {
  const speaker = bench.speaker({ asn: 64512, listen: [`${seat.here.ipv4}:179`] })
  await speaker.ready()
  speaker.peer({
    address: seat.there.ipv4,
    asn,
    families,
    timers: { connectRetrySeconds: 1 },
    ...peer,
  })
  return speaker
}

const up = (speaker: Speaker): Promise<boolean> =>
  until('the session is up', () => speaker.peers()[0]?.state === 'Established')

const words = 'rack 7 moves house'

/** What we say when we leave, and how a daemon tells it. */
const farewells: Readonly<Record<DaemonName, { readonly reason?: string; readonly told: string }>> = {
  bird: { reason: words, told: words },
  frr: { reason: words, told: words },
  // It tells the octets of what it does not read: a hard reset (RFC 8538) with the reason in it.
  gobgp: { reason: words, told: [...Buffer.from(words)].join(' ') },
  openbgpd: { reason: words, told: words },
  // Version 4.2 trips over any text.
  exabgp: { told: 'Administrative Shutdown' },
}

for (const name of daemonNames) {
  const { reason, told } = farewells[name]
  t.test(`${name} hears why we leave`, { buffered: true }, async (t) => {
    const seat = await bench.seat(`hears-${name}`)
    const daemon = await startDaemon(name, seat, { asn, ourAsn: 64512, families })
    const speaker = await speakerAt(seat)
    await up(speaker)
    await until('the daemon calls it up', () => daemon.established())
    await speaker.stop(reason === undefined ? {} : { reason })
    await until(`the daemon tells: ${told}`, async () => (await daemon.session()).includes(told))
    t.pass(`${name} tells: ${told}`)
    await daemon.stop()
  })
}

const text = 'new line cards until noon'

/** Daemons told to end the session, with words. */
const leavers: Readonly<Partial<Record<DaemonName, (seat: Seat) => Promise<() => Promise<unknown>>>>> = {
  bird: async ({ place, folder, here, there }) => {
    const session = { name: 'drover', local: there.ipv4, neighbor: here.ipv4, neighborAs: 64512, families }
    const bird = await startBird(place, folder, { asn, routerId: there.ipv4, sessions: [session] })
    return () => bird.birdc('disable', 'drover', `"${text}"`)
  },
  frr: async ({ place, folder, here, there }) => {
    const neighbors = [{ address: here.ipv4, asn: 64512, families }]
    const frr = await startFrr(place, folder, { asn, routerId: there.ipv4, neighbors })
    return () => frr.configure(`router bgp ${String(asn)}`, `neighbor ${here.ipv4} shutdown message ${text}`)
  },
  gobgp: async ({ place, folder, here, there }) => {
    const neighbors = [{ address: here.ipv4, asn: 64512, families }]
    const gobgp = await startGobgp(place, folder, { asn, routerId: there.ipv4, neighbors })
    return () => gobgp.gobgp('neighbor', here.ipv4, 'shutdown', '--reason', text)
  },
  openbgpd: async ({ place, folder, here, there }) => {
    const neighbors = [{ address: here.ipv4, asn: 64512, families }]
    const bgpd = await startOpenbgpd(place, folder, { asn, routerId: there.ipv4, neighbors })
    return () => bgpd.bgpctl('neighbor', here.ipv4, 'down', text)
  },
}

for (const [name, start] of Object.entries(leavers)) {
  t.test(`we hear why ${name} leaves`, { buffered: true }, async (t) => {
    const seat = await bench.seat(`leaves-${name}`)
    const leave = await start(seat)
    const speaker = await speakerAt(seat)
    await up(speaker)
    await leave()
    const notification = await until('the session has ended', () => speaker.peers()[0]?.lastNotification)
    // FRR asks for a hard reset (RFC 8538), with the shutdown in it.
    t.match(notification, { direction: 'received', code: 6, subcode: name === 'frr' ? 9 : 2 })
    t.ok(notification.text.includes(text), notification.text)
    t.ok(
      bench.log.some(({ level, message }) => level === 'warn' && message.includes(text)),
      'and the log says so',
    )
    await speaker.stop()
  })
}

/** How daemons tell that they have announced too much. BIRD's way is in its own file. */
const overLimit = {
  frr: /Cease\/(Hard Reset|Maximum Number of Prefixes)/i,
  gobgp: /Data="\[6 1\b/,
  openbgpd: /maximum number of prefixes|max-prefix/i,
  exabgp: /Maximum Number of Prefixes/i,
} as const

for (const [name, told] of Object.entries(overLimit) as [keyof typeof overLimit, RegExp][]) {
  t.test(`${name} announces more than its limit: Cease/1, and it is told`, { buffered: true }, async (t) => {
    const seat = await bench.seat(`limit-${name}`)
    const routes = ['10.50.0.0/24', '10.50.1.0/24', '10.50.2.0/24'].map((prefix) => ({ prefix }))
    const daemon = await startDaemon(name, seat, { asn, ourAsn: 64512, families, routes })
    const speaker = await speakerAt(seat, { prefixLimit: { in: { ipv4: 2 } } })
    const notification = await until('the session has ended', () => speaker.peers()[0]?.lastNotification)
    // Where RFC 8538 is agreed the Cease is in a hard reset: the peer shall not keep our routes.
    const hard = name === 'frr' || name === 'gobgp'
    t.match(notification, { direction: 'sent', code: 6, subcode: hard ? 9 : 1 })
    t.match(notification.text, /prefixes/i)
    await until(`${name} tells of it`, async () => told.test(await daemon.session()))
    t.equal(speaker.routes({ family: 'ipv4', view: 'received' }).length, 0, 'nothing of it is kept')
    await speaker.stop()
    await daemon.stop()
  })
}

t.test('we announce more than the limit of FRR: it says so, and so do we', { buffered: true }, async (t) => {
  const seat = await bench.seat('limited')
  const daemon = await startFrr(seat.place, seat.folder, {
    asn,
    routerId: seat.there.ipv4,
    neighbors: [{ address: seat.here.ipv4, asn: 64512, families, familyExtra: ['maximum-prefix 2'] }],
  })
  const speaker = bench.speaker({ asn: 64512, listen: [`${seat.here.ipv4}:179`] })
  // FRR counts before it takes a prefix in.
  for (const third of [0, 1, 2, 3, 4]) speaker.originate(`10.60.${String(third)}.0/24`)
  await speaker.ready()
  speaker.peer({ address: seat.there.ipv4, asn, families })
  const notification = await until('the session has ended', () => speaker.peers()[0]?.lastNotification)
  // In a hard reset: our routes shall not be kept.
  t.match(notification, { direction: 'received', code: 6, subcode: 9 })
  t.match(notification.text, /prefixes/i)
  await speaker.stop()
  await daemon.stop()
})

for (const name of ['bird', 'frr', 'gobgp'] as const) {
  t.test(
    `${name} sends with a TTL of 1, 255 is demanded: no session, and the log says why`,
    { buffered: true },
    async (t) => {
      const seat = await bench.seat(`ttl-${name}`)
      const daemon = await startDaemon(name, seat, { asn, ourAsn: 64512, families })
      const speaker = await speakerAt(seat, { ttlSecurityHops: 1 })
      const told = await until('the session tells of the TTL', () =>
        speaker.peers()[0]?.lastError?.text.includes('RFC 5082') === true
          ? speaker.peers()[0]?.lastError?.text
          : undefined,
      )
      t.match(told, /TTL below 255/)
      t.not(speaker.peers()[0]?.state, 'Established')
      t.ok(bench.log.some(({ level, message }) => level === 'warn' && message.includes('TTL below 255')))
      await speaker.stop()
      await daemon.stop()
    },
  )
}

t.test('GoBGP has another MD5 key: no session, and the log says why', { buffered: true }, async (t) => {
  const seat = await bench.seat('key')
  const options = { asn, ourAsn: 64512, families, password: 'wrong' } as const
  const daemon = await startDaemon('gobgp', seat, options)
  const speaker = await speakerAt(seat, { password: 'right' })
  await until('the session tells of the key', () => /MD5/.test(speaker.peers()[0]?.lastError?.text ?? ''))
  t.not(speaker.peers()[0]?.state, 'Established')
  t.ok(bench.log.some(({ level, message }) => level === 'warn' && message.includes('MD5')))
  await speaker.stop()
  await daemon.stop()
})
