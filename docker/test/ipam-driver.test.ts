import t, { type Test } from 'tap'
import { createIpamDriver } from '../src/ipam-driver.ts'
import { createReleasedAddresses } from '../src/released-addresses.ts'
import { type TestNode, addPool, createTestNode } from './node.ts'

function driverOf(node: TestNode, scope: 'local' | 'global' = 'local') {
  let handles = 0
  const { clock, services } = node
  const released = createReleasedAddresses({ clock })
  const uuid = (): string => `${services.node}-${String(handles++)}`
  return { driver: createIpamDriver({ services, uuid, released }, { scope }), released }
}
const nothing = { pool: undefined, subPool: undefined, options: {} }
const pooled = { subPool: undefined, options: {}, family: 'ipv4' } as const

/** A node with a pool that is handed out from without being named, and one that is not. */
async function nodeWithPools(): Promise<TestNode> {
  const node = createTestNode()
  await addPool(node, 'open', '10.65.0.0/16')
  await addPool(node, 'blue', '10.66.0.0/16', { assignmentMode: 'Manual' })
  return node
}

t.test('pools', async (t) => {
  const node = await nodeWithPools()
  const { driver } = driverOf(node)

  t.test('without a subnet dockerd has nothing to compare with routes of the host', async (t) => {
    const answer = { PoolID: 'family=ipv4', Pool: '0.0.0.0/0', Data: {} }
    t.same(await driver.requestPool({ family: 'ipv4', ...nothing }), answer)
    t.same(await driver.requestPool({ family: 'ipv4', ...nothing }), answer, 'and again')
    t.same(
      await driver.requestPool({ ...pooled, pool: '0.0.0.0/0' }),
      answer,
      'a node of a swarm hands it on',
    )
    t.match(await driver.requestPool({ family: 'ipv4', ...nothing, options: { pool: 'blue' } }), {
      PoolID: 'family=ipv4&pool=blue',
      Pool: '0.0.0.0/0',
    })
    await t.rejects(driver.requestPool({ family: 'ipv6', ...nothing }), {
      code: 'no-address',
      message: /No IPPool of ipv6/,
    })
    await addPool(node, 'six', 'fd65::/48')
    t.match(await driver.requestPool({ family: 'ipv6', ...nothing }), {
      PoolID: 'family=ipv6',
      Pool: '::/0',
    })
  })

  t.test('a subnet inside an IPPool stays there; one outside becomes an IPPool, once', async (t) => {
    const names = async () => (await node.resources.list('IPPool')).items.map(({ metadata }) => metadata.name)
    const before = await names()
    await driver.requestPool({ ...pooled, pool: '10.66.4.0/24' })
    t.same(await names(), before)
    const first = await driver.requestPool({ ...pooled, pool: '10.40.0.0/16' })
    t.same(await driver.requestPool({ ...pooled, pool: '10.40.0.0/16' }), first)
    t.same(await names(), [...before, 'docker-10-40-0-0-16'].sort())
    const made = await node.resources.get('IPPool', 'docker-10-40-0-0-16')
    t.match(made?.spec, { cidr: '10.40.0.0/16', assignmentMode: 'Manual', blockSize: 26 })
    await driver.requestPool({ ...pooled, pool: '10.47.0.0/29' })
    t.match((await node.resources.get('IPPool', 'docker-10-47-0-0-29'))?.spec, { blockSize: 29 })
  })

  t.test('the same subnet, asked for at once, is one pool', async (t) => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => driver.requestPool({ ...pooled, pool: '10.48.0.0/16' })),
    )
    t.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1)
  })

  t.test('what can not be', async (t) => {
    const cases: [string, Parameters<typeof driver.requestPool>[0], RegExp][] = [
      [
        'a pool that nobody knows',
        { ...pooled, pool: undefined, options: { pool: 'nowhere' } },
        /no IPPool 'nowhere'/,
      ],
      [
        'a pool of the other family',
        { ...pooled, pool: undefined, options: { pool: 'open,six' } },
        /no IPPool 'six' of ipv4/,
      ],
      ['both', { ...pooled, pool: '10.9.0.0/16', options: { pool: 'blue' } }, /exclude each other/],
      ['an option', { ...pooled, pool: undefined, options: { colour: 'blue' } }, /no option 'colour'/],
      [
        'a range elsewhere',
        { ...pooled, pool: '10.66.0.0/16', subPool: '10.67.0.0/24' },
        /10\.67\.0\.0\/24 is not inside --subnet 10\.66\.0\.0\/16/,
      ],
      [
        'a range of nothing',
        { ...pooled, pool: undefined, subPool: '10.67.0.0/24' },
        /not inside a --subnet/,
      ],
      ['a subnet around a pool', { ...pooled, pool: '10.0.0.0/8' }, /is bigger than the IPPool/],
    ]
    for (const [name, call, words] of cases) await t.rejects(driver.requestPool(call), words, name)
    t.equal(await node.resources.get('IPPool', 'docker-10-67-0-0-24'), undefined, 'nothing half done')
  })
  t.end()
})

t.test('addresses', (t) => {
  const setting = async (t: Test) => {
    const node = await nodeWithPools()
    t.teardown(() => node.end())
    return { node, ...driverOf(node) }
  }
  const any = { poolId: 'family=ipv4', address: undefined, isGateway: false }
  const addressIn = (answer: object): string => (answer as { Address: string }).Address.replace(/\/.*/, '')

  t.test('one that waits for its endpoint', async (t) => {
    const { node, driver } = await setting(t)
    const answer = await driver.requestAddress(any)
    t.match(answer, { Address: /^10\.65\.\d+\.\d+\/32$/ })
    t.equal(await node.holder(addressIn(answer)), 'docker/waiting-address')
    t.not(addressIn(await driver.requestAddress(any)), addressIn(answer), 'each call another')
    await driver.releaseAddress({ poolId: any.poolId, address: addressIn(answer) })
    t.equal(await node.holder(addressIn(answer)), undefined)
    t.same(await driver.releaseAddress({ poolId: any.poolId, address: addressIn(answer) }), {}, 'and again')
  })

  t.test('the gateway costs none', async (t) => {
    const { driver } = await setting(t)
    t.match(await driver.requestAddress({ ...any, isGateway: true }), { Address: '169.254.1.1/32' })
    t.match(await driver.requestAddress({ ...any, poolId: 'family=ipv6', isGateway: true }), {
      Address: 'fe80::1/128',
    })
    t.same(await driver.releaseAddress({ poolId: any.poolId, address: '169.254.1.1' }), {})
    t.same(await driver.releaseAddress({ poolId: any.poolId, address: 'fe80::1' }), {})
  })

  t.test('by number, from a range, from a pool', async (t) => {
    const { driver } = await setting(t)
    const { PoolID: poolId } = (await driver.requestPool({
      ...pooled,
      pool: '10.40.0.0/16',
      subPool: '10.40.8.0/24',
    })) as { PoolID: string }
    t.match(await driver.requestAddress({ ...any, poolId, address: '10.40.1.7' }), {
      Address: '10.40.1.7/32',
    })
    t.match(await driver.requestAddress({ ...any, poolId }), { Address: /^10\.40\.8\./ })
    t.match(await driver.requestAddress({ ...any, poolId, address: '10.40.0.1', isGateway: true }), {
      Address: '10.40.0.1/16',
    })
    t.match(await driver.requestAddress({ ...any, poolId: 'family=ipv4&pool=blue' }), {
      Address: /^10\.66\./,
    })
    await t.rejects(
      driver.requestAddress({ ...any, poolId, address: '10.40.1.7' }),
      { code: 'taken' },
      'somebody has it',
    )
    await t.rejects(
      driver.requestAddress({ ...any, poolId, address: '10.41.0.1' }),
      /10\.41\.0\.1/,
      'outside',
    )
    await t.rejects(
      driver.requestAddress({ ...any, poolId: 'family=ipv4&subnet=10.90.0.0/16' }),
      /no IPPool any more/,
      'its pool is gone',
    )
    await t.rejects(driver.requestAddress({ ...any, poolId: 'LocalDefault/172.17.0.0/16' }), {
      code: 'invalid-request',
    })
  })

  t.test('a release that comes when somebody else has the address does nothing', async (t) => {
    const { node, driver, released } = await setting(t)
    const { PoolID: poolId } = (await driver.requestPool({ ...pooled, pool: '10.40.0.0/16' })) as {
      PoolID: string
    }
    const address = '10.40.0.9'
    const release = () => driver.releaseAddress({ poolId, address })
    const hold = async (owner: { node: string; orchestrator: string; workload: string }) => {
      const { services, allocator } = owner.node === 'n1' ? node : createTestNode(owner.node, node.store)
      t.equal(services.node, owner.node)
      await allocator.assign({
        handle: 'theirs',
        owner: { ...owner, endpoint: 'eth0' },
        addresses: [address],
        pools: ['docker-10-40-0-0-16'],
      })
    }
    for (const owner of [
      { node: 'n2', orchestrator: 'docker', workload: 'c2' },
      { node: 'n2', orchestrator: 'docker', workload: 'waiting-address' },
      { node: 'n1', orchestrator: 'kubernetes', workload: 'c2' },
      { node: 'n1', orchestrator: 'network', workload: 'web' },
    ]) {
      await hold(owner)
      await release()
      t.equal(await node.holder(address), `${owner.orchestrator}/${owner.workload}`)
      await node.allocator.release({ handle: 'theirs' })
    }
    // Its endpoint has given it back, another container of this node has got it, then the release arrives.
    released.add([address])
    await driver.requestAddress({ ...any, poolId, address })
    await release()
    t.equal(await node.holder(address), 'docker/waiting-address', 'the one that was still to come')
    await release()
    t.equal(await node.holder(address), undefined, 'the next is meant')
    released.add([address])
    node.clock.advance(61_000)
    await driver.requestAddress({ ...any, poolId, address })
    await release()
    t.equal(await node.holder(address), undefined, 'one that never came is not waited for')
  })

  t.test("a network's own address is the same on every host", async (t) => {
    const { node, driver } = await setting(t)
    const { PoolID: poolId } = (await driver.requestPool({ ...pooled, pool: '10.40.0.0/16' })) as {
      PoolID: string
    }
    const gateway = { poolId, address: '10.40.0.1', isGateway: true }
    await driver.requestAddress(gateway)
    await t.rejects(driver.requestAddress(gateway), { code: 'taken' }, 'not yet the own of a network')
    const { holder } = await node.allocator.lookup('10.40.0.1')
    const owner = { node: 'n1', orchestrator: 'network', workload: 'web', endpoint: 'gateway' }
    await node.allocator.transfer({ handles: [holder?.handle ?? ''], owner })
    t.match(await driver.requestAddress(gateway), { Address: '10.40.0.1/16' })
    t.equal(await node.holder('10.40.0.1'), 'network/web')
  })

  t.test('of a swarm: what its manager has asked for, the node of the task has', async (t) => {
    const manager = await nodeWithPools()
    const worker = createTestNode('n2', manager.store)
    const [there, here] = [driverOf(manager, 'global').driver, driverOf(worker, 'global').driver]
    const address = addressIn(await there.requestAddress(any))
    await here.requestAddress({ ...any, address })
    const { holder } = await worker.allocator.lookup(address)
    t.match(holder?.owner, { node: 'n2', workload: 'waiting-address' })
    await there.releaseAddress({ poolId: any.poolId, address })
    t.equal(await manager.holder(address), 'docker/waiting-address', 'the manager lets the node keep it')
    await here.releaseAddress({ poolId: any.poolId, address })
    t.equal(await manager.holder(address), undefined)
  })
  t.end()
})
