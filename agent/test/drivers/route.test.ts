import fc from 'fast-check'
import t from 'tap'
import { kernelRoute, routeForm, routeLine } from '../../src/drivers/route.ts'

t.test('nothing but printable words reaches a line of ip, whatever a route says', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      kernelRoute({ dst: text, gateway: text })
      const form = routeForm({ kind: 'workload', destination: text, device: text })
      return !form.ok || /^[ -~]+$/.test(routeLine('add', form.value))
    }),
    { numRuns: 500 },
  )
  t.end()
})
