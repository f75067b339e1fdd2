import { createAllocator } from '@network/datastore'
import { test } from 'tap'
import { clock, createBench, silent } from './fake-world.ts'

const pools = `apiVersion: drover.network/v1
kind: IPPool
metadata: { name: a }
spec: { cidr: 10.1.0.0/24, blockSize: 28 }
---
apiVersion: drover.network/v1
kind: IPPool
metadata: { name: six }
spec: { cidr: fd00::/48 }
`

test('ipam: show, who holds an address, release, check and repair', async (t) => {
  const { run, store } = createBench()
  await run(['apply', '-f', '-'], pools)
  t.match((await run(['ipam', 'show'])).out, /^six +fd00::\/48 +2\^80 +0 +0 +0 +2\^80$/m)
  t.match((await run(['ipam', 'check'])).out, /nothing is wrong/)

  const allocator = createAllocator({ store, clock, random: Math.random, log: silent }, { node: 'n1' })
  const owner = { node: 'n1', orchestrator: 'cli', workload: 'web1', endpoint: 'eth0' }
  const assigned = await allocator.assign({
    handle: 'web1.eth0',
    owner,
    ipv4: 1,
    pools: ['a'],
    reservation: 'web',
  })
  const address = assigned.addresses[0]?.address ?? ''

  const shown = await run(['ipam', 'show', '--blocks'])
  t.match(shown.out, /^a +10\.1\.0\.0\/24 +256 +1 +0 +0 +255$/m)
  t.match(shown.out, /^ +10\.1\.0\.\d+\/28 +n1 +16 +1 +0 +0 +15$/m)
  t.match(shown.out, /^n1 +1 +1 +0$/m)
  t.match(shown.out, new RegExp(`^web +${address.replaceAll('.', '\\.')} +web1 on n1$`, 'm'))
  t.match(JSON.parse((await run(['ipam', 'show', '-o', 'json'])).out), {
    pools: [{ name: 'a', capacity: '256', inUse: '1' }],
    reservations: [{ name: 'web' }],
  })
  const held = await run(['ipam', 'show', '--ip', address])
  t.match(held.out, `${address} (pool a`)
  t.match(held.out, 'held by cli workload web1, endpoint eth0, on node n1, by the reservation web')
  t.equal((await run(['ipam', 'show', '--ip', '192.0.2.1'])).out, '192.0.2.1 is in no pool\n')
  t.equal((await run(['ipam', 'show', '--ip', '10.1.0.300'])).exitCode, 2)

  const found = await run(['ipam', 'check'])
  t.equal(found.exitCode, 1, 'the handle has no endpoint')
  t.match(found.out, /^leaked-handle/m)
  t.match(found.out, "'drover ipam check --fix' repairs them.")
  const fixed = await run(['ipam', 'check', '--fix'])
  t.equal(fixed.exitCode, 0, fixed.out)
  t.match(fixed.out, /^leaked-handle .*repaired/m)

  const kept = await run(['ipam', 'release', '--ip', address])
  t.equal(kept.exitCode, 1, 'the reservation keeps it')
  t.match(kept.err, /reservation 'web'/)
  t.equal((await run(['ipam', 'release', '--reservation', 'web'])).out, 'reservation web is given back\n')
  t.equal((await run(['ipam', 'release', '--reservation', 'web'])).exitCode, 3)
  t.equal((await run(['ipam', 'release', '--ip', address])).exitCode, 3)
  t.match((await run(['ipam', 'show', '--ip', address])).out, ' is free\n')
  await allocator.close()
})

test('an empty block is told and is no failure', async (t) => {
  const { run, store } = createBench()
  await run(['apply', '-f', '-'], pools)
  const allocator = createAllocator({ store, clock, random: Math.random, log: silent }, { node: 'n1' })
  await allocator.claimAffinity('10.1.0.0/27')
  await allocator.close()
  const done = await run(['ipam', 'check'])
  t.match(done.out, /^empty-block/m)
  t.equal(done.exitCode, 0)
})

test('ipam release wants one thing', async (t) => {
  const { run } = createBench()
  for (const words of [[], ['--ip', '10.1.0.1', '--reservation', 'web']]) {
    const done = await run(['ipam', 'release', ...words])
    t.equal(done.exitCode, 2)
    t.match(done.err, 'Name either --ip or --reservation.')
  }
})

test('a value that nobody can read is found and not repaired', async (t) => {
  const { run, store } = createBench()
  await store.transact({ when: [], then: [{ put: '/drover/v1/ipam/blocks/ipv4/10.1.0.0-28', value: '{' }] })
  t.match((await run(['ipam', 'check'])).out, /^unreadable/m)
  const fixed = await run(['ipam', 'check', '--fix'])
  t.equal(fixed.exitCode, 1)
  t.match(fixed.out, /unrepairable/)
})
