import { test } from 'tap'
import { Lab, buildCluster, reaches, until } from '../lab/index.ts'

interface Shown {
  withoutCounters?: string
  rules: { profile?: string; policy?: string; direction: string; position?: number; packets?: number }[]
}

test('what the policy commands say is what the kernels of two nodes do', async (t) => {
  const lab = new Lab('polcmd')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, { nodes: 2 })
  const [one, two] = cluster.nodes
  const json = async <T>(...words: string[]): Promise<T> =>
    JSON.parse(await one!.drover(...words, '-o', 'json')) as T
  await one!.drover('profile', 'closed', 'create')
  const client = await one!.attach('client', '--profile', 'closed')
  const server = await two!.attach('server', '--profile', 'closed')
  const stranger = await two!.attach('stranger', '--profile', 'default')
  const places = new Map([
    ['client', client],
    ['server', server],
    ['stranger', stranger],
  ])
  /** Whether the trace and an echo request, over each family, agree; and the trace's word. */
  const agree = async (from: string, to: string, expected: 'allow' | 'deny'): Promise<void> => {
    for (const address of places.get(to)!.addresses) {
      const { action } = await json<{ action: string }>(
        ...['policy', 'trace', '--from', from, '--to', address, '--protocol', 'icmp'],
      )
      t.equal(action, expected, `trace: ${from} to ${address}`)
      const reached = (): Promise<boolean> => reaches(places.get(from)!.place, address, 1)
      const held = await until(`${from} to ${address}: ${expected}`, async () => {
        return (await reached()) === (expected === 'allow')
      })
      t.ok(held, `kernel: ${from} to ${address} is ${expected}`)
    }
  }

  await agree('client', 'server', 'allow')
  await agree('stranger', 'server', 'deny')

  const mine = client.addresses.map((address) => `${address}/${address.includes(':') ? '128' : '32'}`)
  await one!.drover(
    'profile',
    'closed',
    'rule',
    'add',
    'inbound',
    '--at',
    '1',
    'deny',
    'from',
    'cidr',
    mine.join(','),
  )
  await agree('client', 'server', 'deny')
  await agree('server', 'client', 'allow')
  await one!.drover('profile', 'closed', 'rule', 'remove', 'inbound', '--at', '1')
  await one!.drover('profile', 'closed', 'rule', 'add', 'inbound', 'allow', 'icmp', 'type', '8')
  await one!.drover('profile', 'closed', 'rule', 'add', 'inbound', 'allow', 'icmpv6', 'type', '128')
  await agree('stranger', 'server', 'allow')
  await one!.drover('endpoint', 'stranger', 'profile', 'set', 'nobody-made-it')
  await agree('stranger', 'server', 'deny')
  await one!.drover('endpoint', 'stranger', 'profile', 'set', 'default')
  await agree('stranger', 'server', 'allow')

  const here = await json<Shown>('policy', 'show', '--endpoint', 'client')
  t.equal(here.withoutCounters, undefined)
  const outbound = here.rules.find(({ profile, direction }) => profile === 'closed' && direction === 'egress')
  t.ok((outbound?.packets ?? 0) > 0, `the kernel counted: ${JSON.stringify(outbound)}`)
  const elsewhere = await json<Shown>('policy', 'show', '--endpoint', 'server')
  t.match(elsewhere.withoutCounters, /No endpoint of this node/, 'counters are those of the own node')
  t.ok(elsewhere.rules.length > 0)
})
