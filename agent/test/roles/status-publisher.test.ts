import type { PeerStatus } from '@network/bgp'
import t from 'tap'
import { bgpStatus, publishStatus } from '../../src/roles/status-publisher.ts'
import { silentLog } from '@network/net/system'

const peer = (name: string, more: Partial<PeerStatus> = {}): PeerStatus =>
  ({
    name,
    address: `192.0.2.${name.length}`,
    asn: 64512,
    state: 'Established',
    since: 0,
    ...more,
  }) as PeerStatus

t.test('what others read: sessions that are down first, bounded, without what changes all the time', (t) => {
  const down = peer('z', { state: 'Active', since: 5, lastError: { at: 1, text: 'refused' } })
  t.same(bgpStatus([peer('a'), down]), {
    established: 1,
    configured: 2,
    peers: [
      { name: 'z', address: '192.0.2.1', asn: 64512, established: false, reason: 'refused' },
      { name: 'a', address: '192.0.2.1', asn: 64512, established: true, since: '1970-01-01T00:00:00.000Z' },
    ],
  })
  t.same(bgpStatus([{ ...down, state: 'Connect', since: 9 }]), bgpStatus([down]), 'trying is no change')
  const many = bgpStatus(Array.from({ length: 1000 }, (_, i) => peer(`p${i}`)))
  t.equal(many.peers.length, 64)
  t.equal(many.configured, 1000)
  t.ok(JSON.stringify(many).length < 10_000)
  t.end()
})

t.test('written when it changed, on the lease that is held, and not before there is one', async (t) => {
  const puts: unknown[] = []
  // One entry a turn: what the turn finds.
  const turns: { lease: string | undefined; peers: PeerStatus[]; broken?: boolean }[] = [
    { lease: undefined, peers: [peer('a')] },
    { lease: '1', peers: [peer('a')], broken: true },
    { lease: '1', peers: [peer('a')] },
    { lease: '1', peers: [peer('a')] },
    { lease: '1', peers: [peer('a', { state: 'Idle' })] },
    { lease: '2', peers: [peer('a', { state: 'Idle' })] },
  ]
  let turn = 0
  await publishStatus(
    {
      log: silentLog,
      life: {
        ended: () => turn >= turns.length,
        pause: () => {
          turn++
          return Promise.resolve()
        },
      },
      store: {
        transact: ({ then }) => {
          if (turns[turn]?.broken === true) return Promise.reject(new Error('away'))
          const [put] = then as { put: string; value: string; lease: string }[]
          puts.push([
            turn,
            put?.put,
            put?.lease,
            (JSON.parse(put?.value ?? '') as { established: number }).established,
          ])
          return Promise.resolve({ committed: true, revision: 1, results: [] } as never)
        },
      },
    },
    {
      node: 'n1',
      lease: () => turns[turn]?.lease,
      peers: () => Promise.resolve(turns[turn]?.peers ?? []),
    },
  )
  const key = '/drover/v1/status/n1/bgp'
  t.same(puts, [
    [2, key, '1', 1],
    [4, key, '1', 0],
    [5, key, '2', 0],
  ])
})
