import t from 'tap'
import { createBlockManager } from '../../src/managers/block-manager.ts'
import type { AffinityState, ModelEvent } from '../../src/managers/model-event.ts'
import { endpointEvent, put } from './model.ts'
import { orders } from './orders.ts'

const pool = (name: string, cidr: string, more: object = {}): ModelEvent =>
  put('IPPool', name, { cidr, ...more })
const affinity = (block: string, state: AffinityState): ModelEvent => ({ type: 'affinity', block, state })

const cases: {
  name: string
  events: ModelEvent[]
  blackholes: string[]
  announced: string[]
  problems: RegExp[]
}[] = [
  {
    name: 'a confirmed block is covered and announced whole, its addresses are not',
    events: [
      pool('p', '10.0.0.0/16'),
      affinity('10.0.0.0/26', 'confirmed'),
      endpointEvent('a', ['10.0.0.5/32']),
    ],
    blackholes: ['10.0.0.0/26'],
    announced: ['10.0.0.0/26'],
    problems: [],
  },
  {
    name: 'a block on its way in or out counts as absent',
    events: [
      pool('p', '10.0.0.0/16'),
      affinity('10.0.0.0/26', 'pending'),
      affinity('10.0.0.64/26', 'pendingDeletion'),
    ],
    blackholes: [],
    announced: [],
    problems: [],
  },
  {
    name: 'a borrowed address is announced by itself',
    events: [
      pool('p', '10.0.0.0/16'),
      affinity('10.0.0.0/26', 'confirmed'),
      endpointEvent('a', ['10.0.0.5/32']),
      endpointEvent('b', ['10.0.1.5/32']),
    ],
    blackholes: ['10.0.0.0/26'],
    announced: ['10.0.0.0/26', '10.0.1.5/32'],
    problems: [],
  },
  {
    name: 'a pool with disableBGPExport is covered but never announced',
    events: [
      pool('p', '10.0.0.0/16', { disableBGPExport: true }),
      affinity('10.0.0.0/26', 'confirmed'),
      endpointEvent('b', ['10.0.1.5/32']),
    ],
    blackholes: ['10.0.0.0/26'],
    announced: [],
    problems: [],
  },
  {
    name: 'a disabled pool goes on being announced',
    events: [pool('p', '10.0.0.0/16', { disabled: true }), affinity('10.0.0.0/26', 'confirmed')],
    blackholes: ['10.0.0.0/26'],
    announced: ['10.0.0.0/26'],
    problems: [],
  },
  {
    name: 'what lies in no pool stays at home, and that is told',
    events: [affinity('10.0.0.0/26', 'confirmed'), endpointEvent('a', ['10.9.0.5/32'])],
    blackholes: ['10.0.0.0/26'],
    announced: [],
    problems: [/10\.0\.0\.0\/26/, /10\.9\.0\.5\/32/],
  },
  {
    name: 'a block of one address has no blackhole: its workload has the route',
    events: [pool('p', '10.0.0.0/24', { blockSize: 32 }), affinity('10.0.0.7/32', 'confirmed')],
    blackholes: [],
    announced: ['10.0.0.7/32'],
    problems: [],
  },
  {
    name: 'both families, in order',
    events: [
      pool('six', 'fd00::/48'),
      pool('four', '10.0.0.0/16'),
      affinity('fd00::40/122', 'confirmed'),
      affinity('10.0.0.64/26', 'confirmed'),
      affinity('10.0.0.0/26', 'confirmed'),
    ],
    blackholes: ['10.0.0.0/26', '10.0.0.64/26', 'fd00::40/122'],
    announced: ['10.0.0.0/26', '10.0.0.64/26', 'fd00::40/122'],
    problems: [],
  },
]

for (const { name, events, blackholes, announced, problems } of cases) {
  t.test(name, (t) => {
    for (const order of orders(events)) {
      const manager = createBlockManager()
      for (const step of order.steps) {
        if (step === 'apply') manager.apply()
        else manager.onUpdate(step)
      }
      const desired = manager.apply()
      t.same([...desired.blackholes.keys()], blackholes, order.name)
      t.same(desired.announced, announced, order.name)
      t.equal(desired.problems.length, problems.length, order.name)
      t.match(desired.problems, problems, order.name)
    }
    t.end()
  })
}

t.test('a block that was given back is neither covered nor announced', (t) => {
  const manager = createBlockManager()
  manager.onUpdate(pool('p', '10.0.0.0/16'))
  manager.onUpdate(affinity('10.0.0.0/26', 'confirmed'))
  manager.apply()
  manager.onUpdate({ type: 'affinity', block: '10.0.0.0/26', state: undefined })
  t.same(manager.apply().announced, [])
  t.equal(manager.apply().blackholes.size, 0)
  t.end()
})
