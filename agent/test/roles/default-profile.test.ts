import { createMemoryStore } from '@network/datastore'
import { resourceKey } from '@network/datastore/model'
import t from 'tap'
import { makeDefaultProfile } from '../../src/roles/default-profile.ts'
import { systemClock as clock } from '@network/net/system'

const key = resourceKey({ kind: 'Profile', name: 'default' })
const uuid = (): string => '00000000-0000-4000-8000-000000000000'

function clusterOf(t: { teardown: (end: () => Promise<void>) => void }) {
  const store = createMemoryStore({ clock })
  t.teardown(() => store.close())
  const make = (node: string): Promise<void> => makeDefaultProfile({ store, uuid }, { createdAt: 0, node })
  return { store, make }
}

t.test('made once, whoever comes first, and never again', async (t) => {
  const { store, make } = clusterOf(t)
  await Promise.all(['a', 'b', 'c'].map(make))
  t.match(JSON.parse((await store.get(key))?.value ?? ''), {
    kind: 'Profile',
    spec: { ingress: [{ action: 'Allow' }], egress: [{ action: 'Allow' }] },
  })
  await store.transact({ when: [], then: [{ delete: key }] })
  await make('a')
  t.equal(await store.get(key), undefined, 'who deleted it is not overruled')
})

t.test("an operator's own profile of that name stays", async (t) => {
  const { store, make } = clusterOf(t)
  await store.transact({ when: [], then: [{ put: key, value: 'mine' }] })
  await make('a')
  t.equal((await store.get(key))?.value, 'mine')
})
