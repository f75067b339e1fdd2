import fc from 'fast-check'
import t from 'tap'
import { ByteInterner } from '../../src/rib/byte-interner.ts'

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .tuple(fc.nat(255), fc.integer({ min: 0, max: 70_000 }))
    .map(([value, length]) => new Uint8Array(length).fill(value)),
)

t.test('equal bytes have one id as long as somebody holds it, and their bytes stay', (t) => {
  fc.assert(
    fc.property(fc.array(fc.record({ hold: fc.boolean(), bytes }), { maxLength: 60 }), (steps) => {
      const freed: number[] = []
      const interner = new ByteInterner((id) => freed.push(id))
      const held = new Map<string, { id: number; count: number; bytes: Uint8Array }>()
      for (const { hold, bytes: one } of steps) {
        const key = one.join()
        const known = held.get(key)
        if (hold) {
          const id = interner.intern(one)
          interner.retain(id)
          if (known !== undefined && known.id !== id) return false
          held.set(key, { id, count: (known?.count ?? 0) + 1, bytes: one })
        } else if (known !== undefined) {
          interner.release(known.id)
          if (known.count > 1) held.set(key, { ...known, count: known.count - 1 })
          else {
            held.delete(key)
            if (freed.pop() !== known.id) return false
          }
        }
        for (const { id, bytes: kept } of held.values())
          if (kept.length < 100 && interner.view(id).join() !== kept.join()) return false
      }
      return interner.size === held.size && freed.length === 0
    }),
    { numRuns: 200 },
  )
  t.end()
})

t.test('an id that is used again has another generation', (t) => {
  const interner = new ByteInterner()
  const first = interner.intern(Uint8Array.of(1))
  const generation = interner.generation[first]
  interner.releaseUnheld(first)
  const second = interner.intern(Uint8Array.of(2))
  t.equal(second, first)
  t.not(interner.generation[second], generation)
  t.end()
})

t.test('room is used again', (t) => {
  const interner = new ByteInterner()
  for (let round = 0; round < 100; round++) {
    const ids = Array.from({ length: 1000 }, (_, i) => {
      const id = interner.intern(Uint8Array.of(round, i >> 8, i & 255, ...new Uint8Array(i % 50)))
      interner.retain(id)
      return id
    })
    for (const id of ids) interner.release(id)
  }
  t.equal(interner.size, 0)
  t.ok(interner.bytes < 600_000, `${interner.bytes} octets`)
  t.end()
})
