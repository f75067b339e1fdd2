import { silentLog as log } from '@network/net/system'
import t from 'tap'
import { FaultLog } from '../../src/speaker/fault-log.ts'
import { FormerFaults } from '../../src/speaker/former-faults.ts'
import { FakeClock } from './fake-network.ts'

function faulty(updates: number): FaultLog {
  const faults = new FaultLog(new FakeClock(), log, 'peer')
  faults.updates = updates
  return faults
}

t.test('kept by range and address, handed out once', (t) => {
  const former = new FormerFaults()
  const faults = faulty(1)
  former.keep('rack', '10.0.0.1', faults)
  t.equal(former.take('rack', '10.0.0.2'), undefined)
  t.equal(former.take('other', '10.0.0.1'), undefined)
  t.equal(former.take('rack', '10.0.0.1'), faults)
  t.equal(former.take('rack', '10.0.0.1'), undefined)
  former.keep('rack', '10.0.0.1', faulty(0))
  t.equal(former.take('rack', '10.0.0.1'), undefined, 'no faults, nothing to keep')
  former.keep('rack', '10.0.0.1', faults)
  former.forget('rack')
  t.equal(former.take('rack', '10.0.0.1'), undefined)
  t.end()
})

t.test('however many come and go, so many are kept: those that went last', (t) => {
  const former = new FormerFaults()
  const address = (i: number): string => `10.0.${i >>> 8}.${i & 255}`
  for (let i = 0; i < 3000; i++) former.keep('rack', address(i), faulty(1))
  former.keep('rack', address(1976), faulty(2))
  former.keep('rack', address(9000), faulty(1))
  const kept = Array.from({ length: 3000 }, (_, i) => i).filter((i) => former.take('rack', address(i)))
  t.equal(kept.length, 1023)
  t.equal(kept[0], 1976, 'kept anew')
  t.equal(kept[1], 1978)
  t.end()
})
