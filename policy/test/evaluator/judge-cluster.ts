/** A small cluster where everything is open but for what a case adds, and how a case is told. */
import type { Flow, NodeSettings, Party, PolicyUpdate, Step } from '../../src/index.ts'
import { allow, pool, profile, workload } from '../calc/updates.ts'

const node = (name: string, ...addresses: string[]): PolicyUpdate => ({
  kind: 'Node',
  name,
  resource: { metadata: { name }, spec: { addresses: addresses.map((address) => ({ address })) } },
})
/** Two nodes, two workloads each; everything open but for what a case adds. */
export const cluster: readonly PolicyUpdate[] = [
  node('here', '192.0.2.1', '2001:db8::1'),
  node('there', '192.0.2.2'),
  pool('inside', '10.0.0.0/16', true),
  profile('open', { ingress: [allow], egress: [allow] }),
  workload('web', { labels: { app: 'web' }, ipNetworks: ['10.0.0.1/32', 'fd00::1/128'], profiles: ['open'] }),
  workload('mate', { labels: { app: 'mate' }, ipNetworks: ['10.0.0.2/32'], profiles: ['open'] }),
  workload('db', { node: 'there', labels: { app: 'db' }, ipNetworks: ['10.0.1.1/32'], profiles: ['open'] }),
]

export const is = {
  web: { is: 'workload', name: 'web' },
  mate: { is: 'workload', name: 'mate' },
  db: { is: 'workload', name: 'db' },
  here: { is: 'host', node: 'here' },
  there: { is: 'host', node: 'there' },
  stranger: { is: 'address', address: '203.0.113.9' },
} satisfies Record<string, Party>
export type Name = keyof typeof is

export interface JudgeCase {
  readonly name: string
  readonly add?: readonly PolicyUpdate[]
  readonly flow: readonly [Name | Party, Name | Party, ...unknown[]]
  readonly protocol?: Flow['protocol']
  readonly port?: number
  readonly sourcePort?: number
  readonly icmp?: Flow['icmp']
  readonly family?: Flow['family']
  readonly settings?: NodeSettings
  readonly enforceStaged?: boolean
  readonly expected: 'allow' | 'deny'
  /** What the last step says. */
  readonly because?: Partial<Step>
  readonly untracked?: boolean
}
