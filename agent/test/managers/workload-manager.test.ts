import t from 'tap'
import { createWorkloadManager } from '../../src/managers/workload-manager.ts'
import { endpointEvent } from './model.ts'
import { orders } from './orders.ts'

const manager = () => createWorkloadManager({ interfacePrefix: 'drv' })

t.test('a host route for each address, through the interface of its endpoint, from the node itself', (t) => {
  const events = [endpointEvent('a', ['10.0.0.1/32', 'fd00::1/128']), endpointEvent('b', ['10.0.0.2/32'])]
  for (const { name, steps } of orders(events)) {
    const workloads = manager()
    workloads.setSources({ ipv4: '192.0.2.1' })
    for (const step of steps) {
      if (step === 'apply') workloads.apply()
      else workloads.onUpdate(step.key, step.endpoint)
    }
    t.same(
      [...workloads.apply().routes.values()],
      [
        { kind: 'workload', destination: '10.0.0.1/32', device: 'drva', source: '192.0.2.1' },
        { kind: 'workload', destination: 'fd00::1/128', device: 'drva' },
        { kind: 'workload', destination: '10.0.0.2/32', device: 'drvb', source: '192.0.2.1' },
      ],
      name,
    )
  }
  t.end()
})

t.test('an endpoint that went leaves nothing', (t) => {
  const workloads = manager()
  const { key, endpoint } = endpointEvent('a', ['10.0.0.1/32'])
  workloads.onUpdate(key, endpoint)
  workloads.onUpdate(key, undefined)
  t.equal(workloads.apply().routes.size, 0)
  t.end()
})

t.test('the store cannot make a route through an interface that is not ours', (t) => {
  const workloads = manager()
  const { key, endpoint } = endpointEvent('a', ['10.0.0.1/32'], { interfaceName: 'eth0' })
  workloads.onUpdate(key, endpoint)
  t.equal(workloads.apply().routes.size, 0)
  t.match(workloads.apply().problems, [/eth0/])
  t.end()
})

t.test('an address that two endpoints hold goes to the same one in every order, and is told', (t) => {
  const events = [endpointEvent('b', ['10.0.0.1/32']), endpointEvent('a', ['10.0.0.1/32'])]
  for (const { name, steps } of orders(events)) {
    const workloads = manager()
    for (const step of steps) if (step !== 'apply') workloads.onUpdate(step.key, step.endpoint)
    const { routes, problems } = workloads.apply()
    t.match(routes.get('10.0.0.1/32'), { device: 'drva' }, name)
    t.match(problems, [/cli\/a\/eth0.*cli\/b\/eth0/], name)
  }
  t.end()
})

t.test('an endpoint without the reservation that it was to have is told', (t) => {
  const workloads = manager()
  const { key, endpoint } = endpointEvent('a', ['10.0.0.1/32'])
  if (endpoint === undefined) throw new Error('the event has no endpoint')
  const annotations = { 'drover.network/reservation-refused': "Reservation 'shop' is in use." }
  workloads.onUpdate(key, { ...endpoint, metadata: { ...endpoint.metadata, annotations } })
  t.match(workloads.apply().problems, [
    /cli\/a\/eth0 goes without its reserved address: Reservation 'shop' is in use\.$/,
  ])
  workloads.onUpdate(key, endpoint)
  t.same(workloads.apply().problems, [])
  t.end()
})

t.test('the same state is the same object', (t) => {
  const workloads = manager()
  t.equal(workloads.apply(), workloads.apply())
  workloads.setSources({})
  t.equal(workloads.apply(), workloads.apply())
  t.end()
})
