/** What is logged: a listener of NFLOG is told of denied packets with who denied them, and rules that log count. */
import { createReadStream } from 'node:fs'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import tap from 'tap'
import type { Backend } from '../../../agent/src/drivers/iptables/programs.ts'
import { type State, allow, from, hostEndpoint, named, policy, profile, tcp } from '../case.ts'
import { createPolicyNode } from '../node.ts'
import { buildRack } from '../rack.ts'
import { expectedOf, shootAll } from '../shooting.ts'
import { until } from '../../lab/index.ts'

const group = 7
const state: State = {
  settings: { denyLogGroup: group },
  workloads: { db: { profiles: ['half'] } },
  resources: [
    policy('web', {
      selector: named('web'),
      ingress: [tcp('Log', 80), from('Deny', 'db'), tcp('Allow', 80)],
    }),
    profile('half', { ingress: [tcp('Deny', 81)], egress: [allow] }),
    hostEndpoint(),
    policy('gate', { selector: "host == 'yes'", ingress: [tcp('Deny', 81)] }),
  ],
}
const probes = {
  allowed: ['client > web tcp 80'],
  denied: ['db > web tcp 443', 'client > web tcp 81', 'client > db tcp 81', 'peer > host tcp 81'],
}
/** A sentence for each probe that is denied, in the order above. */
const told = [
  'drv deny GlobalNetworkPolicy/web inbound 1',
  'drv deny end of tier default inbound',
  'drv deny half inbound 0',
  'drv deny GlobalNetworkPolicy/gate inbound 0',
]

for (const backend of ['nft', 'legacy'] satisfies Backend[]) {
  await tap.test(`with ${backend}`, async (t) => {
    const rack = await buildRack(`pollog${backend}`)
    const node = createPolicyNode(rack.exec, backend)
    const file = path.join(rack.lab.folder, 'denied.pcap')
    const listener = rack.node.start('listener', 'tcpdump', ['-U', '-i', `nflog:${group}`, '-w', file])
    t.teardown(() => {
      node.close()
      rack.destroy()
    })
    await until('somebody listens', async () => {
      const { stdout } = await rack.node.run('cat', ['/proc/net/netfilter/nfnetlink_log'])
      return stdout.includes(` ${group} `)
    })
    t.same((await node.become(state)).faults, [])
    t.same(await shootAll(rack, expectedOf(probes)), [])
    const heard = async (): Promise<string> => text(createReadStream(file, 'latin1'))
    await until('all is told', async () => {
      const packets = await heard()
      return told.every((sentence) => packets.includes(sentence))
    })
    listener.signal('SIGTERM')
    await listener.ended
    const packets = await heard()
    for (const sentence of told)
      t.equal(packets.split(`${sentence}\0`).length - 1, 2, `'${sentence}' once in each family`)

    const counters = await node.driver().counters()
    const logged = counters.filter(
      ({ origin, counts }) => counts && origin?.id === 'GlobalNetworkPolicy/web' && origin.position === 0,
    )
    t.same(
      logged.map(({ family, packets }) => ({ family, packets })),
      [
        { family: 'ipv4', packets: 1 },
        { family: 'ipv6', packets: 1 },
      ],
      'the rule that logs has seen what it logs, and let it go on',
    )
  })
}
