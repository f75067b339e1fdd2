import fc from 'fast-check'
import t from 'tap'
import type {
  ActiveChanges,
  ActiveEndpoint,
  ActiveHostEndpoint,
  ActiveRules,
  ActiveTier,
  SetChange,
} from '../../src/calc/active.ts'
import { RENDER_DEFAULTS } from '../../src/render/options.ts'
import { type RenderedChanges, tables } from '../../src/render/rendered.ts'
import { createRenderer } from '../../src/render/renderer.ts'

const nothing: ActiveChanges = {
  ...{ sets: new Map(), policies: new Map(), profiles: new Map() },
  ...{ endpoints: new Map(), hostEndpoints: new Map(), pools: undefined },
}

const endpoint = (interfaceName: string, more: Partial<ActiveEndpoint> = {}): ActiveEndpoint => ({
  ...{ interfaceName, addresses: ['10.0.0.1/32'], allowedSources: [], portMappings: [] },
  ...{ tiers: [], profiles: ['default'] },
  ...more,
})

/** What drivers would hold after all that they were told. */
class Kernel {
  readonly chains = new Map<string, string>()
  readonly jumps = new Map<string, string>()
  readonly sets = new Map<string, { type: string; members: Set<string> }>()

  take(changes: RenderedChanges | undefined): string[] {
    const touched: string[] = []
    if (changes === undefined) return touched
    for (const family of ['ipv4', 'ipv6'] as const) {
      for (const table of tables) {
        for (const [name, rules] of changes.families[family].chains[table]) {
          touched.push(`${family} ${table} ${name}`)
          const key = `${family} ${table} ${name}`
          if (rules === undefined) this.chains.delete(key)
          else this.chains.set(key, rules.map(({ args }) => args.join(' ')).join('\n'))
        }
        for (const [hook, rules] of changes.families[family].jumps[table])
          this.jumps.set(`${family} ${table} ${hook}`, rules.map(({ args }) => args.join(' ')).join('\n'))
      }
    }
    this.takeSets(changes.sets)
    return touched
  }

  takeSets(sets: RenderedChanges['sets']): void {
    for (const [name, change] of sets) {
      if (change === undefined) {
        this.sets.delete(name)
        continue
      }
      const before = change.created ? undefined : this.sets.get(name)
      const members = new Set(before?.members)
      for (const member of change.removed) members.delete(member)
      for (const member of change.added) members.add(member)
      this.sets.set(name, { type: change.type, members })
    }
  }

  state(): unknown {
    return {
      chains: [...this.chains].sort(),
      jumps: [...this.jumps].filter(([, text]) => text !== '').sort(),
      sets: [...this.sets].map(([name, set]) => [name, set.type, [...set.members].sort()]).sort(),
    }
  }

  /** Chains and sets that rules name and nobody made. */
  dangling(): string[] {
    const names = new Set([...this.chains.keys()].map((key) => key.split(' ').slice(0, 2).join(' ')))
    const missing: string[] = []
    for (const [key, text] of [...this.chains, ...this.jumps]) {
      const [family = '', table = ''] = key.split(' ')
      t.ok(names.has(`${family} ${table}`))
      for (const [, target = ''] of text.matchAll(/-[jg] (drv-\S+)/g))
        if (!this.chains.has(`${family} ${table} ${target}`)) missing.push(`${key} → ${target}`)
      for (const [, set = ''] of text.matchAll(/--match-set (\S+)/g))
        if (!this.sets.has(set)) missing.push(`${key} → ${set}`)
    }
    return missing
  }
}

t.test('one more workload touches its own chains and the dispatch to it', (t) => {
  const renderer = createRenderer(RENDER_DEFAULTS)
  const kernel = new Kernel()
  const names = Array.from(
    { length: 200 },
    (_, i) => `drv${((i * 7919) % 46656).toString(36).padStart(3, '0')}x${i}`,
  )
  renderer.update({ ...nothing, endpoints: new Map(names.map((name) => [name, endpoint(name)])) })
  kernel.take(renderer.drain())
  renderer.update({ ...nothing, endpoints: new Map([['new', endpoint('drvzzz')]]) })
  const touched = kernel.take(renderer.drain()).filter((name) => name.startsWith('ipv4'))
  t.ok(touched.includes('ipv4 filter drv-fw-drvzzz') && touched.includes('ipv4 filter drv-tw-drvzzz'))
  t.ok(touched.length <= 6, touched.join(', '))
  const longest = Math.max(...[...kernel.chains.values()].map((text) => text.split('\n').length))
  t.ok(longest <= 40, `a chain has at most ${longest} rules`)
  renderer.update({ ...nothing, endpoints: new Map([['new', undefined]]) })
  kernel.take(renderer.drain())
  t.equal(renderer.drain(), undefined, 'nothing changed since')
  t.end()
})

t.test('two endpoints of one interface: the first by key has it, and the other when it goes', (t) => {
  const renderer = createRenderer(RENDER_DEFAULTS)
  const kernel = new Kernel()
  renderer.update({
    ...nothing,
    endpoints: new Map([
      [
        'b',
        endpoint('drva', {
          profiles: ['second'],
          portMappings: [{ protocol: 6, hostPort: 8080, port: 80 }],
          allowedSources: ['192.0.2.0/24'],
        }),
      ],
      ['a', endpoint('drva', { profiles: ['first'] })],
    ]),
  })
  kernel.take(renderer.drain())
  t.match(kernel.chains.get('ipv4 filter drv-fw-drva'), 'drv-pro-first')
  t.notOk(kernel.chains.has('ipv4 nat drv-hp'), 'ports of the other one are not mapped')
  renderer.update({ ...nothing, endpoints: new Map([['a', undefined]]) })
  kernel.take(renderer.drain())
  t.match(kernel.chains.get('ipv4 filter drv-fw-drva'), 'drv-pro-second')
  t.match(kernel.chains.get('ipv4 nat drv-hp'), '--dport 8080')
  t.match(kernel.chains.get('ipv4 raw drv-src'), '-i drva -s 192.0.2.0/24')
  t.end()
})

t.test('who may send without an address may ask its host for one, and nobody else', (t) => {
  const renderer = createRenderer(RENDER_DEFAULTS)
  const kernel = new Kernel()
  renderer.update({
    ...nothing,
    endpoints: new Map([
      ['a', endpoint('drva', { allowedSources: ['0.0.0.0/32'] })],
      ['b', endpoint('drvb', { allowedSources: ['0.0.0.0/0'] })],
    ]),
  })
  kernel.take(renderer.drain())
  const toHost = kernel.chains.get('ipv4 filter drv-wh')?.split('\n') ?? []
  const lease = toHost.findIndex((line) => line.includes('--dport 67'))
  t.match(
    toHost[lease],
    '-i drva -s 0.0.0.0/32 -d 255.255.255.255/32 -p udp -m udp --sport 68 --dport 67 -j ACCEPT',
  )
  t.ok(lease < toHost.findIndex((line) => line.includes('-j drv-fwd')), 'before its policy')
  t.equal(toHost.filter((line) => line.includes('--dport 67')).length, 1)
  t.match(kernel.chains.get('ipv4 raw drv-src'), '-i drva -s 0.0.0.0/32 -j RETURN')
  t.notMatch(kernel.chains.get('ipv6 filter drv-wh'), '--dport 67')
  renderer.update({ ...nothing, endpoints: new Map([['a', undefined]]) })
  kernel.take(renderer.drain())
  t.notMatch(kernel.chains.get('ipv4 filter drv-wh'), '--dport 67')
  t.end()
})

const pick = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const ids = ['GlobalNetworkPolicy/a', 'NetworkPolicy/n/b', `GlobalNetworkPolicy/${'long'.repeat(12)}`]
const side = fc.record(
  {
    nets: fc.subarray(['10.0.0.0/8', '0.0.0.0/0', 'fd00::/8', '192.0.2.0/24'], { minLength: 1 }),
    notNets: fc.subarray(['10.1.0.0/16', 'fd01::/16'], { minLength: 1 }),
    sets: fc.subarray(['s1', 's2'], { minLength: 1 }),
  },
  { requiredKeys: [] },
)
const rules: fc.Arbitrary<ActiveRules> = fc.record({
  inbound: fc.array(
    fc.record({
      position: fc.constant(0),
      action: pick('Allow', 'Deny', 'Pass', 'Log'),
      source: side,
      destination: side,
    }),
    { maxLength: 2 },
  ),
  outbound: fc.constant([]),
})
const tiers: fc.Arbitrary<ActiveTier[]> = fc
  .subarray(ids)
  .map((inbound) =>
    inbound.length === 0 ? [] : [{ name: 'default', defaultAction: 'Deny', inbound, outbound: inbound }],
  )
const workload: fc.Arbitrary<ActiveEndpoint> = fc.record({
  interfaceName: pick('drva', 'drvab', 'drvb', 'drvc'),
  addresses: fc.subarray(['10.0.0.1/32', 'fd00::1/128'], { minLength: 1 }),
  allowedSources: fc.subarray(['0.0.0.0/0', 'fd02::/16']),
  portMappings: fc.subarray([{ protocol: 6, hostPort: 8080, port: 80 }]),
  tiers,
  profiles: fc.subarray(['p1', 'p2']),
})
const host: fc.Arbitrary<ActiveHostEndpoint> = fc.record({
  interfaceName: pick('eth0', '*'),
  ...{ normal: tiers, forward: tiers, untracked: tiers, preDNAT: tiers },
  profiles: fc.subarray(['p1', 'p2']),
})
const members: fc.Arbitrary<string[]> = fc.subarray([
  '10.0.0.1/32',
  '0.0.0.0/0',
  '0.0.0.0/1',
  'fd00::/64',
  '::/0',
])

type Step =
  | { readonly what: 'policies'; readonly id: string; readonly value: ActiveRules | undefined }
  | { readonly what: 'profiles'; readonly id: string; readonly value: ActiveRules | 'missing' | undefined }
  | { readonly what: 'endpoints'; readonly id: string; readonly value: ActiveEndpoint | undefined }
  | { readonly what: 'hostEndpoints'; readonly id: string; readonly value: ActiveHostEndpoint | undefined }
  | { readonly what: 'sets'; readonly id: string; readonly value: readonly string[] | undefined }
  | {
      readonly what: 'pools'
      readonly id: string
      readonly value: readonly { cidr: string; natOutgoing: boolean }[]
    }
  | { readonly what: 'drain' }
  | { readonly what: 'ahead'; readonly times: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    what: fc.constant('policies' as const),
    id: pick(...ids),
    value: fc.option(rules, { nil: undefined }),
  }),
  fc.record({
    what: fc.constant('profiles' as const),
    id: pick('p1', 'p2'),
    value: fc.oneof(rules, pick('missing' as const, undefined)),
  }),
  fc.record({
    what: fc.constant('endpoints' as const),
    id: pick('k1', 'k2', 'k3'),
    value: fc.option(workload, { nil: undefined }),
  }),
  fc.record({
    what: fc.constant('hostEndpoints' as const),
    id: pick('h1', 'h2'),
    value: fc.option(host, { nil: undefined }),
  }),
  fc.record({
    what: fc.constant('sets' as const),
    id: pick('s1', 's2'),
    value: fc.option(members, { nil: undefined }),
  }),
  fc.record({
    what: fc.constant('pools' as const),
    id: fc.constant(''),
    value: fc.array(
      fc.record({ cidr: pick('10.0.0.0/16', 'fd00::/48', '0.0.0.0/0'), natOutgoing: fc.boolean() }),
      { maxLength: 2 },
    ),
  }),
  fc.constant({ what: 'drain' as const }),
  fc.record({ what: fc.constant('ahead' as const), times: fc.nat({ max: 2 }) }),
)

function setChange(
  before: readonly string[] | undefined,
  after: readonly string[] | undefined,
): SetChange | undefined {
  if (after === undefined) return undefined
  return {
    type: 'addresses',
    added: after.filter((member) => before?.includes(member) !== true),
    removed: (before ?? []).filter((member) => !after.includes(member)),
    created: before === undefined,
  }
}

t.test('what is told adds up to what the last state alone would be told', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const renderer = createRenderer(RENDER_DEFAULTS)
      const kernel = new Kernel()
      const state = {
        ...{ policies: new Map(), profiles: new Map(), endpoints: new Map(), hostEndpoints: new Map() },
        sets: new Map<string, readonly string[]>(),
        pools: [] as ActiveChanges['pools'],
      }
      for (const one of steps) {
        if (one.what === 'drain') kernel.take(renderer.drain())
        else if (one.what === 'ahead') {
          kernel.takeSets(renderer.drainSets())
          for (let i = 0; i < one.times; i++) renderer.renderSome()
        } else if (one.what === 'pools') {
          state.pools = one.value
          renderer.update({ ...nothing, pools: one.value })
        } else if (one.what === 'sets') {
          const before = state.sets.get(one.id)
          renderer.update({ ...nothing, sets: new Map([[one.id, setChange(before, one.value)]]) })
          if (one.value === undefined) state.sets.delete(one.id)
          else state.sets.set(one.id, one.value)
        } else {
          renderer.update({ ...nothing, [one.what]: new Map([[one.id, one.value]]) })
          if (one.value === undefined) state[one.what].delete(one.id)
          else (state[one.what] as Map<string, unknown>).set(one.id, one.value)
        }
      }
      kernel.take(renderer.drain())
      const fresh = createRenderer(RENDER_DEFAULTS)
      const expected = new Kernel()
      const sets = new Map([...state.sets].map(([id, after]) => [id, setChange(undefined, after)]))
      fresh.update({ ...state, sets })
      expected.take(fresh.drain())
      t.strictSame(kernel.state(), expected.state())
    }),
    { numRuns: 1000 },
  )
  t.end()
})

t.test('rendered piece by piece, it is the same, and its sets are told before its chains', (t) => {
  const tier = [{ name: 'default', defaultAction: 'Deny', inbound: [], outbound: [] }] as const
  const many = Array.from({ length: 120 }, (_, i) => `drvx${String(i)}`)
  const changes = {
    ...nothing,
    sets: new Map([['s1', setChange(undefined, ['10.0.0.1/32', 'fd00::1/128'])]]),
    endpoints: new Map(many.map((name) => [name, endpoint(name, { tiers: tier })])),
  }
  const whole = createRenderer(RENDER_DEFAULTS)
  whole.update(changes)
  const expected = new Kernel()
  expected.take(whole.drain())
  const renderer = createRenderer(RENDER_DEFAULTS)
  renderer.update(changes)
  const kernel = new Kernel()
  kernel.takeSets(renderer.drainSets())
  t.same(
    [...kernel.sets.keys()].sort(),
    [...expected.sets.keys()].sort(),
    'all sets, the source check among them',
  )
  let pieces = 1
  while (renderer.renderSome()) pieces++
  t.equal(pieces, 3)
  kernel.take(renderer.drain())
  t.strictSame(kernel.state(), expected.state())
  t.equal(renderer.drain(), undefined)
  t.end()
})

t.test('every chain that is jumped to and every set that is named is told of', (t) => {
  const renderer = createRenderer(RENDER_DEFAULTS)
  const kernel = new Kernel()
  const tier = [{ name: 'default', defaultAction: 'Deny', inbound: ids, outbound: ids }] as const
  const all: ActiveRules = {
    inbound: [
      {
        position: 0,
        action: 'Deny',
        source: { sets: ['s1'] },
        destination: { nets: ['10.0.0.0/8', '11.0.0.0/8'] },
      },
    ],
    outbound: [],
  }
  renderer.update({
    sets: new Map([['s1', setChange(undefined, ['10.0.0.1/32'])]]),
    policies: new Map(ids.map((id) => [id, all])),
    profiles: new Map([['default', 'missing'] as const]),
    endpoints: new Map([
      ['k', endpoint('drva', { tiers: tier, portMappings: [{ protocol: 17, hostPort: 5, port: 6 }] })],
    ]),
    hostEndpoints: new Map(
      ['eth0', '*'].map((interfaceName) => [
        interfaceName,
        { interfaceName, normal: tier, forward: tier, untracked: tier, preDNAT: tier, profiles: ['default'] },
      ]),
    ),
    pools: [{ cidr: '10.0.0.0/16', natOutgoing: true }],
  })
  kernel.take(renderer.drain())
  t.same(kernel.dangling(), [])
  t.ok(kernel.chains.size > 60)
  t.end()
})
