import t from 'tap'
import { formatPoolId, parsePoolId } from '../src/pool-id.ts'

t.test('what a PoolID says comes back', (t) => {
  for (const id of [
    { family: 'ipv4' },
    { family: 'ipv6', subnet: 'fd00::/64' },
    { family: 'ipv4', subnet: '10.40.0.0/16', range: '10.40.8.0/24' },
    { family: 'ipv4', pool: 'blue,green' },
  ] as const) {
    t.same(parsePoolId(formatPoolId(id)), id)
  }
  t.end()
})

t.test('what is not ours is refused', (t) => {
  for (const text of ['', 'LocalDefault/172.17.0.0/16', 'family=ipv5', 'family=ipv4&subnet=x']) {
    t.throws(() => parsePoolId(text), { code: 'invalid-request' }, text)
  }
  t.end()
})
