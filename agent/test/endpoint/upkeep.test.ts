import t from 'tap'
import type { Wire, WireSpec } from '../../src/endpoint/wire.ts'
import { createDeadline } from '../../src/endpoint/deadline.ts'
import { createKeyedLock } from '../../src/endpoint/keyed-lock.ts'
import { createLocalEndpoints } from '../../src/endpoint/local-endpoints.ts'
import { openNamespace } from '../../src/endpoint/netns.ts'
import { createUpkeep } from '../../src/endpoint/upkeep.ts'
import { silentLog as log, systemClock as clock } from '@network/net/system'
import { endpointEvent } from '../managers/model.ts'
import { netns } from './node.ts'

/** One endpoint of a handover in a namespace of its own, whose interface is never as it should be. */
async function setting() {
  const namespace = await openNamespace(netns)
  await namespace.close()
  const endpoints = createLocalEndpoints({ detached: [], onChange: () => undefined })
  const { key, endpoint } = endpointEvent('a', ['10.0.0.1/32'])
  if (endpoint === undefined) throw new Error('the event has no endpoint')
  const local = {
    key,
    revision: 1,
    endpoint: {
      ...endpoint,
      metadata: {
        ...endpoint.metadata,
        annotations: { 'drover.network/namespace': namespace.id, 'drover.network/handles': 'h' },
      },
      spec: { ...endpoint.spec, netns, containerID: 'e1', containerInterface: 'eth0', handle: 'h' },
    },
  }
  endpoints.committed(local)
  const wired: WireSpec[] = []
  const state = { leaving: false, whileLooking: (): void => undefined }
  const locks = createKeyedLock()
  const upkeep = createUpkeep({
    wire: {
      inspect: () => {
        state.whileLooking()
        return Promise.resolve([{ field: 'container.up', expected: 'true', actual: 'false' }])
      },
      wireWorkload: (spec: WireSpec) => {
        wired.push(spec)
        return Promise.resolve({})
      },
    } as unknown as Wire,
    ...{ endpoints, locks, clock, log },
    isLeaving: () => state.leaving,
    createDeadline: (operation, ms) => createDeadline(clock, operation, ms),
  })
  return { endpoints, local, locks, upkeep, wired, state }
}

t.test('what is not as it should be is put right', async (t) => {
  const { upkeep, wired } = await setting()
  await upkeep.verify()
  t.match(wired, [{ addresses: ['10.0.0.1'], interfaceName: 'eth0', netns }])
})

t.test('not while somebody works on it, or its runtime takes it away', async (t) => {
  const { upkeep, wired, locks, state } = await setting()
  await locks.run('e1:*', createDeadline(clock, 'the test', 1_000), () => upkeep.verify())
  t.same(wired, [])
  state.whileLooking = () => (state.leaving = true)
  await upkeep.verify()
  t.same(wired, [], 'which may have begun meanwhile')
  await upkeep.verify()
  t.same(wired, [])
})

t.test('as it is by now, not as it was when it was listed', async (t) => {
  const { upkeep, wired, endpoints, local } = await setting()
  const list = endpoints.list.bind(endpoints)
  endpoints.list = () => {
    const listed = list()
    const spec = { ...local.endpoint.spec, ipNetworks: ['10.0.0.1/32', '10.0.0.9/32'] }
    endpoints.committed({ ...local, revision: 2, endpoint: { ...local.endpoint, spec } })
    return listed
  }
  await upkeep.verify()
  t.match(wired, [{ addresses: ['10.0.0.1', '10.0.0.9'] }])
})
