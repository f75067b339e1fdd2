import { PENDING_ANNOTATION } from '@network/datastore/model'
import t from 'tap'
import { type PolicyUpdate, createCalculator } from '../../src/index.ts'
import { apply, emptyMirror } from './mirror.ts'
import { from, policy, workload } from './updates.ts'

function pending(update: PolicyUpdate): PolicyUpdate {
  if (update.kind !== 'WorkloadEndpoint' || !('resource' in update) || update.resource === undefined)
    return update
  const metadata = { ...update.resource.metadata, annotations: { [PENDING_ANNOTATION]: 'true' } }
  return { ...update, resource: { ...update.resource, metadata } }
}

t.test('an endpoint of which nobody knows what it is', (t) => {
  const calculator = createCalculator({ node: 'here' })
  const mirror = emptyMirror()
  const told = (update: PolicyUpdate): void => {
    calculator.onUpdate(update)
    apply(mirror, calculator.drain())
  }
  const stranger = workload('stranger', { ipNetworks: ['10.0.0.2/32'] })
  told(workload('me', { ipNetworks: ['10.0.0.1/32'] }))
  told(policy('p', { ingress: [from('!has(role)')] }))
  told(pending(stranger))
  t.same([...mirror.endpoints.keys()], ['me'], 'its interface is unknown to the chains')
  t.same(
    [...mirror.sets.values()].map(({ members }) => [...members].sort()),
    [['10.0.0.1/32']],
    'no selector finds it',
  )
  told(stranger)
  t.same([...mirror.endpoints.keys()].sort(), ['me', 'stranger'])
  told(pending(stranger))
  t.same([...mirror.endpoints.keys()], ['me'])
  t.end()
})
