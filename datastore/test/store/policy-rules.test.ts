import t from 'tap'
import { type Resources, createResources } from '../../src/index.ts'
import { type Resource, draftResource, endpointName, resourceKey } from '../../src/model/index.ts'
import { clock, refusal, setUp } from './resources-in-memory.ts'

const tier = (name: string): Resource => draftResource('Tier', name, {})
const policy = (name: string, inTier: string): Resource =>
  draftResource('NetworkPolicy', name, { tier: inTier }, { namespace: 'web' })

t.test("a policy's tier exists", async (t) => {
  const { resources } = setUp()
  const error = await refusal(resources.apply([policy('p', 'securty')]))
  t.equal(error.code, 'invalid')
  t.equal(error.message, "NetworkPolicy web/p: spec.tier: there is no Tier 'securty'.")
  t.match(error.remedy, /Create the Tier securty first, or in the same file/)
  t.equal((await resources.list('NetworkPolicy')).items.length, 0, 'nothing was written')
  await resources.apply([policy('p', 'default')])
  await resources.apply([policy('q', 'security'), tier('security')])
  t.equal((await resources.get('NetworkPolicy', 'q', 'web'))?.spec.tier, 'security')
  const moved = await refusal(resources.apply([policy('p', 'other')]))
  t.equal(moved.code, 'invalid', 'nor does it come into one that is not there')
})

t.test('a tier that policies name stays, until they go before it or with it', async (t) => {
  for (const kind of [
    'GlobalNetworkPolicy',
    'NetworkPolicy',
    'StagedGlobalNetworkPolicy',
    'StagedNetworkPolicy',
  ] as const) {
    const { resources } = setUp()
    await resources.apply([
      tier('security'),
      { ...draftResource('GlobalNetworkPolicy', 'p', { tier: 'security' }), kind },
    ])
    const error = await refusal(resources.delete([{ kind: 'Tier', name: 'security' }], { force: true }))
    t.equal(error.code, 'in-use')
    t.match(error.message, /^Tier security: the \w+ (default\/)?p is in it\.$/)
    const namespace = kind.endsWith('GlobalNetworkPolicy') ? {} : { namespace: 'default' }
    await resources.delete([
      { kind: 'Tier', name: 'security' },
      { kind, name: 'p', ...namespace },
    ])
    t.equal(await resources.get('Tier', 'security'), undefined)
  }
})

t.test('a policy that can not be read keeps its tier as far as that can be read', async (t) => {
  const { resources, store } = setUp()
  await resources.apply([tier('security'), tier('other')])
  const key = resourceKey({ kind: 'GlobalNetworkPolicy', name: 'broken' })
  const value = JSON.stringify({ spec: { tier: 'security', selector: '((' } })
  await store.transact({
    when: [],
    then: [
      { put: key, value },
      { put: `${key}2`, value: '{' },
    ],
  })
  t.equal((await refusal(resources.delete([{ kind: 'Tier', name: 'security' }]))).code, 'in-use')
  t.equal((await resources.delete([{ kind: 'Tier', name: 'other' }])).length, 1)
})

t.test('a tier does not go while a policy comes into it', async (t) => {
  // The deletion has looked and found nobody when the policy arrives; and the other way round.
  for (const first of ['policy', 'deletion'] as const) {
    let meanwhile: (() => Promise<unknown>) | undefined
    const { store, resources } = setUp((inner) => ({
      ...inner,
      get: (key, options) => inner.get(key, options),
      list: (prefix, options) => inner.list(prefix, options),
      transact: async (transaction, options) => {
        const between = meanwhile
        meanwhile = undefined
        await between?.()
        return inner.transact(transaction, options)
      },
    }))
    const others = createResources({ store, clock, uuid: () => 'other' })
    await others.apply([tier('security')])
    const write = (via: Resources): Promise<unknown> => via.apply([policy('p', 'security')])
    const remove = (via: Resources): Promise<unknown> => via.delete([{ kind: 'Tier', name: 'security' }])
    meanwhile = () => (first === 'policy' ? write(others) : remove(others))
    const error = await refusal(first === 'policy' ? remove(resources) : write(resources))
    t.equal(error.code, first === 'policy' ? 'in-use' : 'invalid', `${first} comes first`)
    const [tierThere, policyThere] = [
      await resources.get('Tier', 'security'),
      await resources.get('NetworkPolicy', 'p', 'web'),
    ]
    t.equal(tierThere === undefined, policyThere === undefined, 'both are there or neither')
  }
})

t.test('the tier default is deleted at any time, because it is there all the same', async (t) => {
  const { resources } = setUp()
  await resources.apply([tier('default'), policy('p', 'default')])
  t.equal((await resources.delete([{ kind: 'Tier', name: 'default' }])).length, 1)
})

t.test('who deletes a profile that endpoints name is told', async (t) => {
  const { resources } = setUp()
  const endpoint = (workload: string): Resource => {
    const identity = { node: 'a', orchestrator: 'cli', workload, endpoint: 'eth0' }
    return draftResource('WorkloadEndpoint', endpointName(identity), { ...identity, profiles: ['web'] })
  }
  await resources.apply([draftResource('Profile', 'web', {}), draftResource('Profile', 'idle', {})])
  await resources.apply([endpoint('one')])
  const references = [
    { kind: 'Profile', name: 'web' },
    { kind: 'Profile', name: 'idle' },
  ] as const
  const planned = await resources.delete(references, { dryRun: true })
  t.equal(
    planned[0]?.warning,
    'WorkloadEndpoint a/cli/one/eth0 names it: what no policy decides there is dropped once it is gone',
  )
  t.equal(planned[1]?.warning, undefined)
  await resources.apply([
    endpoint('two'),
    draftResource('HostEndpoint', 'h', { node: 'a', interfaceName: 'eth0', profiles: ['web'] }),
  ])
  const changes = await resources.delete(references)
  t.match(changes[0]?.warning, /^3 endpoints name it, among them WorkloadEndpoint a\/cli\/one\/eth0/)
})
