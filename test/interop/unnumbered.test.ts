import path from 'node:path'
import { execa } from 'execa'
import t from 'tap'
import { until } from '../lab/index.ts'
import { type Bench, openBench, there } from './bench.ts'
import { type Frr, startFrr } from './peers/frr.ts'

/*
 * A link without an address but the link-local ones of its two ends: FRR on one side, we on the other, each found by
 * the other's router advertisements, and IPv4 routes with IPv6 next hops.
 */
let bench: Bench
let daemon: Frr

t.setTimeout(120_000)

t.before(async () => {
  bench = await openBench('unnumbered')
  await execa('ip', ['addr', 'flush', 'dev', 'wire', 'scope', 'global'])
  await bench.peer.run('ip', ['addr', 'flush', 'dev', 'wire', 'scope', 'global'])
  daemon = await startFrr(bench.peer, path.join(bench.lab.folder, 'frr'), {
    asn: 65001,
    routerId: there.ipv4,
    routes: ['10.50.0.0/24', '10.50.1.0/24', 'fd00:50::/64'],
    neighbors: [],
    extra: [
      'neighbor wire interface remote-as external',
      'neighbor wire timers connect 2',
      ...['ipv4', 'ipv6'].flatMap((family) => [
        `address-family ${family} unicast`,
        ' neighbor wire activate',
        'exit-address-family',
      ]),
    ],
  })
})

t.teardown(async () => {
  await daemon.stop()
  await bench.close()
})

const linkLocal = async (run: (program: string, args: readonly string[]) => Promise<{ stdout: string }>) =>
  /inet6 (fe80::[0-9a-f:]+)/.exec((await run('ip', ['-6', 'addr', 'show', 'dev', 'wire'])).stdout)?.[1]

t.test(
  'a router advertisement with a hop limit below 255 is from beyond the link: nobody is heard',
  async (t) => {
    const advertisements = [
      '-p',
      'icmpv6',
      '--icmpv6-type',
      'router-advertisement',
      '-j',
      'HL',
      '--hl-set',
      '254',
    ]
    const mangle = (...words: readonly string[]) => bench.peer.run('ip6tables', ['-t', 'mangle', ...words])
    await mangle('-A', 'OUTPUT', ...advertisements)
    // FRR hears us: it is not to be found by its connection.
    await mangle('-A', 'OUTPUT', '-p', 'tcp', '--dport', '179', '-j', 'DROP')
    const speaker = bench.speaker({ asn: 64512 })
    await speaker.ready()
    const handle = speaker.peer({ interface: 'wire', asn: 'external' })
    await until(
      'FRR has advertised itself twice',
      async () => Number(/(\d+) +\d+ HL/.exec((await mangle('-vnxL', 'OUTPUT')).stdout)?.[1] ?? 0) >= 2,
      { timeoutMs: 40_000 },
    )
    await new Promise((resolve) => setTimeout(resolve, 500))
    t.match(handle.status(), { address: '', state: 'Idle' })
    await mangle('-D', 'OUTPUT', ...advertisements)
    await until('it is heard as soon as they are whole', () => handle.status().address !== '', {
      timeoutMs: 40_000,
    })
    await mangle('-F', 'OUTPUT')
    await speaker.stop()
  },
)

for (const passive of [false, true]) {
  t.test(`FRR on an unnumbered link, ${passive ? 'FRR dials' : 'either dials'}`, async (t) => {
    const theirs = await linkLocal((program, args) => bench.peer.attempt(program, args))
    const ours = await linkLocal((program, args) => execa(program, args))
    const speaker = bench.speaker({ asn: 64512 })
    await speaker.ready()
    for (const prefix of ['10.60.0.0/26', '10.60.0.64/26', 'fd00:60::/64']) speaker.originate(prefix)
    const handle = speaker.peer({ interface: 'wire', asn: 'external', passive })
    t.match(handle.status(), { name: 'wire', address: '', state: 'Idle' }, 'nobody has been heard')
    await until(
      'the session is up',
      async () => handle.status().state === 'Established' && (await daemon.established('wire')),
    )
    t.match(handle.status(), {
      address: `${theirs ?? ''}%wire`,
      interface: 'wire',
      asn: 65001,
      negotiated: { extendedNextHop: ['ipv4/unicast'] },
    })
    await until('FRR has our routes', async () => {
      const four = await daemon.learned('wire', 'ipv4')
      const six = await daemon.learned('wire', 'ipv6')
      return four.length === 2 && six.length === 1
    })
    t.match(await daemon.route('10.60.0.0/26'), ours ?? '?', 'IPv4 by our link-local address')
    t.match(await daemon.route('fd00:60::/64'), ours ?? '?')
    await until("we have FRR's", () => {
      const { ipv4, ipv6 } = handle.status().prefixes
      return ipv4.accepted === 2 && ipv6.accepted === 1
    })
    for await (const { changes } of speaker.best('ipv4')) {
      const route = changes.find(({ prefix }) => prefix === '10.50.0.0/24')
      if (route === undefined) continue
      t.same(
        route.nextHops,
        [{ address: theirs, interface: 'wire' }],
        'by its link-local address and our device',
      )
      break
    }
    t.equal(speaker.peers().length, 1)
    await speaker.stop()
  })
}
