import t from 'tap'
import { actionNextHop, applyActions } from '../../src/filter/actions.ts'
import { type PathAttributes } from '../../src/codec/path-attributes.ts'
import { type PolicyActions } from '../../src/filter/policy.ts'

const large = (global: number, local1: number, local2: number) => ({ global, local1, local2 })

const cases: readonly { actions: PolicyActions; before: PathAttributes; after: PathAttributes }[] = [
  { actions: {}, before: { localPref: 1 }, after: { localPref: 1 } },
  {
    actions: { localPreference: 7, med: 8 },
    before: { localPref: 1 },
    after: { localPref: 7, multiExitDisc: 8 },
  },
  {
    actions: { addCommunities: ['1:2', 'no-export'] },
    before: {},
    after: { communities: [0x10002, 0xffffff01] },
  },
  {
    actions: { addCommunities: ['1:2'] },
    before: { communities: [0x10002] },
    after: { communities: [0x10002] },
  },
  {
    actions: { removeCommunities: ['1:*', '2:3'], addCommunities: ['1:9'] },
    before: { communities: [0x10002, 0x10003, 0x20003, 0x20004] },
    after: { communities: [0x20004, 0x10009] },
  },
  { actions: { removeCommunities: ['*'] }, before: { communities: [1, 2] }, after: { communities: [] } },
  {
    actions: { removeLargeCommunities: ['1:*'], addLargeCommunities: ['3:4:5'] },
    before: { largeCommunities: [large(1, 2, 3), large(2, 2, 3)] },
    after: { largeCommunities: [large(2, 2, 3), large(3, 4, 5)] },
  },
  {
    actions: { removeLargeCommunities: ['1:2:*'] },
    before: { largeCommunities: [large(1, 2, 3), large(1, 3, 3)] },
    after: { largeCommunities: [large(1, 3, 3)] },
  },
  {
    actions: { removeLargeCommunities: ['1:2:3'] },
    before: { largeCommunities: [large(1, 2, 3), large(1, 2, 4)] },
    after: { largeCommunities: [large(1, 2, 4)] },
  },
  {
    actions: { prependAsPath: [7, 8] },
    before: { asPath: [{ type: 'sequence', asns: [9] }] },
    after: { asPath: [{ type: 'sequence', asns: [7, 8, 9] }] },
  },
  { actions: { prependAsPath: [7] }, before: {}, after: { asPath: [{ type: 'sequence', asns: [7] }] } },
]

for (const { actions, before, after } of cases) {
  t.test(JSON.stringify(actions), (t) => {
    const given = structuredClone(before)
    t.same(applyActions(before, actions), after)
    t.same(before, given, 'what was given is as it was')
    t.end()
  })
}

t.test('next hops', (t) => {
  t.equal(actionNextHop(undefined), undefined)
  t.equal(actionNextHop({}), undefined)
  t.equal(actionNextHop({ nextHop: 'self' }), 'self')
  t.same(actionNextHop({ nextHop: '192.0.2.1' }), Uint8Array.of(192, 0, 2, 1))
  t.end()
})
