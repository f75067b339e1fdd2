import { createMemoryStore } from '@network/datastore'
import { resourceKey, statusKey } from '@network/datastore/model'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { registeredNode } from '../../src/managers/node-resource.ts'
import { createNodeClaim } from '../../src/roles/node-claim.ts'
import { registerNode } from '../../src/roles/node-registration.ts'
import { silentLog as log, systemClock as clock } from '@network/net/system'

const here = { machine: 'm1', boot: 'b1' }
let uids = 0
const uuid = () => `00000000-0000-4000-8000-${String(++uids).padStart(12, '0')}`

function store(t: Test) {
  const memory = createMemoryStore({ clock })
  t.teardown(() => memory.close())
  return memory
}
const claimOf = (memory: ReturnType<typeof store>, identity: typeof here, hostname = 'h') =>
  createNodeClaim(
    { store: memory, clock, log },
    { node: 'n1', identity, facts: { hostname }, leaseSeconds: 1, onConflict: () => undefined },
  )

t.test('the name', (t) => {
  t.test('the same machine in the same life takes its own claim over at once', async (t) => {
    const memory = store(t)
    await claimOf(memory, here).acquire()
    const began = performance.now()
    const next = claimOf(memory, here)
    await next.acquire()
    t.ok(performance.now() - began < 500)
    await next.release()
    t.equal(await memory.get(statusKey('n1', 'agent')), undefined, 'released')
  })

  t.test('another machine is refused while the first lives', async (t) => {
    const memory = store(t)
    const first = claimOf(memory, here, 'first-host')
    await first.acquire()
    await t.rejects(claimOf(memory, { machine: 'm2', boot: 'b2' }).acquire(), {
      code: 'name-claimed',
      message: /n1.*first-host/,
      remedy: /--node-name/,
    })
    t.match(await memory.get(statusKey('n1', 'agent')), { value: /first-host/ })
    await first.release()
  })

  t.test('and gets the name when the first has gone: a copy of its disk too', async (t) => {
    const memory = store(t)
    const first = claimOf(memory, here)
    await first.acquire()
    const copy = claimOf(memory, { machine: 'm1', boot: 'b2' })
    const acquired = copy.acquire()
    await sleep(100)
    await first.release()
    await acquired
    await copy.release()
  })
  t.end()
})

t.test('the node', (t) => {
  const register = (memory: ReturnType<typeof store>, node: string, ipv4: string) =>
    registerNode({ store: memory, clock, random: Math.random, uuid }, { node, detected: { ipv4 } })

  t.test('registers with its address; again changes nothing', async (t) => {
    const memory = store(t)
    const first = await register(memory, 'n1', '192.0.2.1/24')
    t.match(first, { kind: 'Node', metadata: { name: 'n1' }, spec: { bgp: { ipv4Address: '192.0.2.1/24' } } })
    const before = await memory.get(resourceKey({ kind: 'Node', name: 'n1' }))
    t.same(await register(memory, 'n1', '192.0.2.1/24'), first)
    t.same(await memory.get(resourceKey({ kind: 'Node', name: 'n1' })), before)
  })

  t.test(
    'of many that claim one address at once exactly one gets it, and the others are told who',
    async (t) => {
      const memory = store(t)
      const names = Array.from({ length: 8 }, (_, i) => `n${i}`)
      const outcomes = await Promise.allSettled(names.map((name) => register(memory, name, '192.0.2.1/24')))
      const winners = names.filter((_, i) => outcomes[i]?.status === 'fulfilled')
      t.equal(winners.length, 1)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') {
          t.match(outcome.reason, {
            code: 'address-claimed',
            message: new RegExp(`192\\.0\\.2\\.1.*${winners[0] ?? ''}`),
          })
        }
      }
    },
  )

  t.test('many at once with their own addresses all get in', async (t) => {
    const memory = store(t)
    const names = Array.from({ length: 20 }, (_, i) => `n${i}`)
    await Promise.all(names.map((name, i) => register(memory, name, `192.0.2.${i + 1}/24`)))
    t.equal((await memory.list('/drover/v1/resources/nodes/')).items.length, 20)
  })

  t.test('what the agent wrote follows the machine, what a person wrote stays', (t) => {
    const facts = { name: 'n1', uid: 'u', createdAt: 0 }
    const first = registeredNode(undefined, { ...facts, detected: { ipv4: '192.0.2.1/24' } })
    t.match(registeredNode(first, { ...facts, detected: { ipv4: '192.0.2.9/24' } }).spec.bgp, {
      ipv4Address: '192.0.2.9/24',
    })
    const edited = {
      ...first,
      spec: { bgp: { ...first.spec.bgp, ipv4Address: '198.51.100.1/24', asNumber: 65009 } },
    }
    t.equal(registeredNode(edited, { ...facts, detected: { ipv4: '192.0.2.1/24' } }), edited)
    t.equal(
      registeredNode(first, { ...facts, detected: {} }),
      first,
      'a cable that is out takes nothing away',
    )
    t.end()
  })
  t.end()
})
