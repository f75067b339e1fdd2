import t from 'tap'
import { readNetworkOptions } from '../src/network-options.ts'

t.test('options of a network', (t) => {
  t.same(readNetworkOptions({}), {})
  t.same(readNetworkOptions({ profile: 'p', pool: 'blue', mtu: '9000', network: 'n' }), {
    profile: 'p',
    pool: 'blue',
    mtuBytes: 9000,
    network: 'n',
  })
  t.same(
    readNetworkOptions({ 'com.docker.network.driver.mtu': '1400' }),
    { mtuBytes: 1400 },
    "Docker's own word",
  )
  t.throws(() => readNetworkOptions({ mtu: '12' }), /mtu '12'/)
  t.throws(() => readNetworkOptions({ mtu: 'big' }), { code: 'invalid-request' })
  t.throws(() => readNetworkOptions({ profil: 'p' }), /'profil'.*did you mean 'profile'/)
  t.throws(() => readNetworkOptions({ encrypted: '' }), /no option 'encrypted'/)
  t.end()
})
