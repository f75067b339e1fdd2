import t from 'tap'
import { type CollisionOutcome, resolveCollision } from '../../src/fsm/collision.ts'
import { type State } from '../../src/fsm/session.ts'

/*
 * RFC 4271 section 6.8. An OPEN has come on the arriving connection while the existing one is there.
 * 'ours' was opened by us, 'theirs' by the peer. Identifiers: ours and the peer's.
 */
const cases: readonly {
  existing: readonly ['ours' | 'theirs', State]
  arriving: 'ours' | 'theirs'
  ids: readonly [number, number]
  asns?: readonly [number, number]
  peerRestarted?: boolean
  outcome: CollisionOutcome
}[] = [
  // Before OPEN was sent on the existing connection there is nothing to collide with.
  { existing: ['ours', 'Idle'], arriving: 'theirs', ids: [1, 2], outcome: 'no-collision' },
  { existing: ['ours', 'Connect'], arriving: 'theirs', ids: [1, 2], outcome: 'no-collision' },
  { existing: ['ours', 'Active'], arriving: 'theirs', ids: [1, 2], outcome: 'no-collision' },
  // The connection of the greater identifier stays.
  { existing: ['ours', 'OpenSent'], arriving: 'theirs', ids: [1, 2], outcome: 'close-existing' },
  { existing: ['ours', 'OpenSent'], arriving: 'theirs', ids: [2, 1], outcome: 'close-arriving' },
  { existing: ['ours', 'OpenConfirm'], arriving: 'theirs', ids: [1, 2], outcome: 'close-existing' },
  { existing: ['ours', 'OpenConfirm'], arriving: 'theirs', ids: [2, 1], outcome: 'close-arriving' },
  { existing: ['theirs', 'OpenSent'], arriving: 'ours', ids: [1, 2], outcome: 'close-arriving' },
  { existing: ['theirs', 'OpenSent'], arriving: 'ours', ids: [2, 1], outcome: 'close-existing' },
  { existing: ['theirs', 'OpenConfirm'], arriving: 'ours', ids: [1, 2], outcome: 'close-arriving' },
  { existing: ['theirs', 'OpenConfirm'], arriving: 'ours', ids: [2, 1], outcome: 'close-existing' },
  // Identifiers are unsigned: 192.0.2.1 is greater than 10.0.0.1.
  {
    existing: ['ours', 'OpenConfirm'],
    arriving: 'theirs',
    ids: [0xc0000201, 0x0a000001],
    outcome: 'close-arriving',
  },
  // RFC 6286 section 2.3: equal identifiers, the greater AS number decides.
  {
    existing: ['ours', 'OpenConfirm'],
    arriving: 'theirs',
    ids: [7, 7],
    asns: [64512, 65001],
    outcome: 'close-existing',
  },
  {
    existing: ['ours', 'OpenConfirm'],
    arriving: 'theirs',
    ids: [7, 7],
    asns: [65001, 64512],
    outcome: 'close-arriving',
  },
  // Both opened by the same side: the older one is dead.
  { existing: ['theirs', 'OpenConfirm'], arriving: 'theirs', ids: [2, 1], outcome: 'close-existing' },
  // An established session stays.
  { existing: ['ours', 'Established'], arriving: 'theirs', ids: [1, 2], outcome: 'close-arriving' },
  { existing: ['theirs', 'Established'], arriving: 'ours', ids: [2, 1], outcome: 'close-arriving' },
  { existing: ['theirs', 'Established'], arriving: 'theirs', ids: [1, 2], outcome: 'close-arriving' },
  // RFC 4724 section 5: unless its peer has restarted.
  {
    existing: ['theirs', 'Established'],
    arriving: 'theirs',
    ids: [2, 1],
    peerRestarted: true,
    outcome: 'close-existing',
  },
  {
    existing: ['ours', 'Established'],
    arriving: 'theirs',
    ids: [2, 1],
    peerRestarted: true,
    outcome: 'close-existing',
  },
]

const direction = { ours: 'outgoing', theirs: 'incoming' } as const

for (const { existing, arriving, ids, asns = [1, 2], peerRestarted = false, outcome } of cases) {
  const title = `${existing.join(' in ')}, ${arriving} arrives, ids ${ids.join(' and ')}, ASes ${asns.join(' and ')}${peerRestarted ? ', peer restarted' : ''}`
  const answer = resolveCollision(
    { direction: direction[existing[0]], state: existing[1] },
    { direction: direction[arriving], state: 'OpenSent' },
    { routerId: ids[0], asn: asns[0] },
    { routerId: ids[1], asn: asns[1] },
    { peerRestarted },
  )
  t.equal(answer, outcome, title)
}

t.test('both sides keep the same connection', (t) => {
  for (const state of ['OpenSent', 'OpenConfirm'] as const) {
    for (const [a, b] of [
      [1, 2],
      [2, 1],
      [0xffffffff, 1],
    ] as const) {
      // Connection x was opened by A, y by B. A has x and sees y arrive, B has y and sees x arrive.
      const atA = resolveCollision(
        { direction: 'outgoing', state },
        { direction: 'incoming', state: 'OpenSent' },
        { routerId: a, asn: 1 },
        { routerId: b, asn: 1 },
        { peerRestarted: false },
      )
      const atB = resolveCollision(
        { direction: 'outgoing', state },
        { direction: 'incoming', state: 'OpenSent' },
        { routerId: b, asn: 1 },
        { routerId: a, asn: 1 },
        { peerRestarted: false },
      )
      const keptByA = atA === 'close-arriving' ? 'x' : 'y'
      const keptByB = atB === 'close-arriving' ? 'y' : 'x'
      t.equal(keptByA, keptByB)
    }
  }
  t.end()
})
