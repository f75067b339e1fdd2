import t from 'tap'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createManualClock } from '../modules.ts'
import { failsWith, put } from './store-calls.ts'
import { createFaultyStore, type Fault } from './faulty-store.ts'

const faults: { fault: Fault | undefined; code: string | undefined; written: boolean }[] = [
  { fault: undefined, code: undefined, written: true },
  { fault: { fail: 'before' }, code: 'unreachable', written: false },
  { fault: { fail: 'after' }, code: 'unknown-outcome', written: true },
]

for (const { fault, code, written } of faults) {
  await t.test(`${fault?.fail ?? 'no fault'}: ${written ? 'written' : 'not written'}`, async (t) => {
    const memory = createMemoryStore({ clock: createManualClock() })
    const store = createFaultyStore(memory, () => fault)
    if (code === undefined) await put(store, '/a', 'v')
    else await failsWith(t, put(store, '/a', 'v'), code)
    t.equal((await memory.get('/a'))?.value, written ? 'v' : undefined)
  })
}

await t.test('a call can be held up on either side of the write', async (t) => {
  const memory = createMemoryStore({ clock: createManualClock() })
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const store = createFaultyStore(memory, ({ number }) => (number === 1 ? { before: held } : { after: held }))
  const first = put(store, '/a', 'first')
  const second = put(store, '/b', 'second')
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(await memory.get('/a'), undefined)
  t.equal((await memory.get('/b'))?.value, 'second')
  release()
  await Promise.all([first, second])
  t.equal((await memory.get('/a'))?.value, 'first')
})
