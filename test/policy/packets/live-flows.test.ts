/** Flows that live when policy turns against them are cut, those of workloads and those of the host's interfaces; others go on. */
import tap from 'tap'
import { AGENT_DEFAULTS } from '@network/datastore/model'
import { silentLog, systemClock } from '@network/net/system'
import type { Backend } from '../../../agent/src/drivers/iptables/programs.ts'
import { createPolicyControl } from '../../../agent/src/roles/policy-control.ts'
import { thisNode } from '../actors.ts'
import { type State, allow, hostEndpoint, named, policy, tcp } from '../case.ts'
import { mapping } from '../cases/nat.ts'
import { type Rack, buildRack } from '../rack.ts'
import { expectedOf, shootAll } from '../shooting.ts'
import { nodeSettings, updatesOf } from '../state.ts'
import { until } from '../../lab/index.ts'

interface Turn {
  readonly name: string
  readonly before: State
  readonly after: State
  /** Flows that are begun before the turn and that nothing lets through after it. */
  readonly cut: readonly string[]
  /** Flows that go on. */
  readonly kept: readonly string[]
}

const host = "host == 'yes'"
const udp = (...ports: number[]) => ({ action: 'Allow', protocol: 'UDP', destination: { ports } }) as const
const closed = policy('closed', { selector: host, ingress: [udp(9)], egress: [udp(53, 80)] })

const turns: readonly Turn[] = [
  {
    name: 'a policy of a workload',
    before: {},
    after: { resources: [policy('p', { selector: named('web'), ingress: [udp(80)] })] },
    cut: ['client:4000 > web udp 81', 'outside:4000 > web udp 82'],
    kept: ['client:4000 > web udp 80', 'outside:4000 > web udp 80', 'client:4000 > db udp 81'],
  },
  {
    name: 'an interface of the host comes under policy',
    before: {},
    after: { resources: [hostEndpoint(), closed] },
    cut: ['peer:4000 > host udp 8080', 'outside:4000 > host udp 10', 'host:4000 > outside udp 123'],
    kept: [
      'peer:4000 > host udp 9',
      'host:4000 > outside udp 80',
      // Failsafe ports.
      'peer:68 > host udp 68',
      'host:4001 > peer udp 53',
      // No traffic of the host.
      'outside:4000 > web udp 8080',
      'web:4000 > outside udp 8080',
      'host:4000 > web udp 8080',
    ],
  },
  {
    name: 'every interface of the host comes under policy',
    before: {},
    after: { resources: [hostEndpoint({ interfaceName: '*' }), closed] },
    cut: ['peer:4000 > host udp 8080', 'host:4000 > outside udp 123'],
    kept: ['peer:4000 > host udp 9', 'host:4000 > web udp 8080', 'web:4000 > outside udp 123'],
  },
  {
    name: 'another interface comes under policy, which no flow takes',
    before: {},
    after: { resources: [hostEndpoint({ interfaceName: 'eth7' }), policy('p', { selector: named('db') })] },
    cut: ['client:4000 > db udp 80'],
    kept: ['peer:4000 > host udp 8080', 'host:4000 > outside udp 123', 'outside:4000 > web udp 80'],
  },
  {
    name: 'a policy of what the host forwards',
    before: { resources: [hostEndpoint({ profiles: ['open'] })] },
    after: {
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        policy('through', {
          ...{ selector: host, applyOnForward: true, types: ['Ingress', 'Egress'] },
          ingress: [udp(80)],
          egress: [udp(443)],
        }),
      ],
    },
    cut: [
      'outside:4000 > web udp 81',
      'web:4000 > outside udp 80',
      'web:4000 > far udp 80',
      'peer:4000 > host udp 81',
    ],
    kept: ['outside:4000 > web udp 80', 'web:4000 > outside udp 443', 'client:4000 > web udp 81'],
  },
  {
    name: 'a policy before translation, by the port that was asked for',
    before: {
      workloads: { web: { portMappings: [mapping({ protocol: 'UDP' })] } },
      resources: [hostEndpoint({ profiles: ['open'] })],
    },
    after: {
      workloads: { web: { portMappings: [mapping({ protocol: 'UDP' })] } },
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        policy('early', {
          ...{ selector: host, preDNAT: true, applyOnForward: true },
          ingress: [{ ...udp(8080), action: 'Deny' }],
        }),
      ],
    },
    cut: ['outside:4000 > host udp 8080 at web:80'],
    kept: ['outside:4000 > web udp 80', 'peer:4000 > host udp 80'],
  },
  {
    name: 'a profile of the host',
    before: { resources: [hostEndpoint({ profiles: ['open'] })] },
    after: {
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        { kind: 'Profile', name: 'open', spec: { ingress: [tcp('Allow', 80), udp(80)], egress: [allow] } },
      ],
    },
    cut: ['peer:4000 > host udp 81', 'outside:4000 > web udp 81'],
    kept: ['peer:4000 > host udp 80', 'host:4000 > peer udp 81', 'outside:4000 > web udp 80'],
  },
]

async function entries(rack: Rack): Promise<number> {
  const lists = await Promise.all(
    ['ipv4', 'ipv6'].map((family) => rack.node.run('conntrack', ['-L', '-f', family])),
  )
  return lists.reduce((sum, { stdout }) => sum + stdout.split('\n').filter((line) => line !== '').length, 0)
}

for (const backend of ['nft', 'legacy'] satisfies Backend[]) {
  await tap.test(`with ${backend}`, async (t) => {
    const rack = await buildRack(`pollive${backend}`)
    t.teardown(() => {
      rack.destroy()
    })
    for (const { name, before, after, cut, kept } of turns) {
      await t.test(name, async (t) => {
        await rack.forgetConnections()
        let cutFlows = 0
        const control = createPolicyControl(
          { exec: rack.exec, clock: systemClock, log: silentLog },
          {
            node: thisNode,
            settings: { ...AGENT_DEFAULTS, iptablesBackend: backend },
            onCut: (flows) => {
              cutFlows += flows
            },
          },
        )
        t.teardown(() => control.stop())
        await control.start()
        control.setInterfaces(new Map(Object.entries(nodeSettings({}).interfaces ?? {})))
        const told = new Map<string, string>()
        const become = async (state: State): Promise<void> => {
          const updates = updatesOf(state)
          const wanted = new Map(updates.map((update) => [`${update.kind} ${update.name}`, update]))
          for (const [key, update] of wanted) {
            if (told.get(key) === JSON.stringify(update)) continue
            control.onUpdate(update)
            told.set(key, JSON.stringify(update))
          }
          control.refresh()
          await control.programmed()
        }
        await become(before)
        const begun = expectedOf({ allowed: [...cut, ...kept] })
        t.same(await shootAll(rack, begun), [], 'all flows are let through before')
        await become(after)
        const wanted = expectedOf({ allowed: cut }).length
        await until('those that are not wanted are cut', () => Promise.resolve(cutFlows >= wanted))
        t.same(await shootAll(rack, expectedOf({ allowed: kept, denied: cut })), [])
        t.equal(cutFlows, wanted, 'and no other')
        t.ok((await entries(rack)) >= expectedOf({ allowed: kept }).length, 'the others are still known')
      })
    }
  })
}
