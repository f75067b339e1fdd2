import fc from 'fast-check'
import t from 'tap'
import { addressAt, formatAddress, prefix, prefixContains } from '@network/net'
import {
  type Block,
  advanceSequence,
  countFree,
  createBlock,
  giveBack,
  ordinalInBlock,
  restMs,
  takeFree,
  takeOrdinal,
  withAffinity,
} from '../../src/ipam/block.ts'
import { decodeBlock, encodeBlock } from '../../src/ipam/block-encoding.ts'

const open = { now: 0, cooldownMs: 0, isReserved: () => false }

function take(block: Block, count: number, rules = open): { block: Block; ordinals: readonly number[] } {
  return takeFree(advanceSequence(block), count, 'holder', rules)
}

t.test('every address of a block is handed out, the first and the last too', (t) => {
  const { block, ordinals } = take(createBlock(prefix('192.168.1.0/26'), 'a', 1), 100)
  t.equal(ordinals.length, 64)
  t.equal(formatAddress(addressAt(block.cidr, ordinals[0] ?? -1)), '192.168.1.0')
  t.equal(formatAddress(addressAt(block.cidr, ordinals[63] ?? -1)), '192.168.1.63')
  t.equal(take(block, 1).ordinals.length, 0)
  t.end()
})

t.test('a released address goes to the back of the queue', (t) => {
  let { block } = take(createBlock(prefix('10.0.0.0/30'), 'a', 1), 2)
  block = giveBack(block, 0, 2, open)
  t.same(take(block, 4).ordinals, [2, 3, 0])
  t.end()
})

t.test('a released address rests for the cooldown, and a fixed request takes it all the same', (t) => {
  const rules = (now: number) => ({ ...open, now, cooldownMs: 60_000 })
  const held = take(createBlock(prefix('10.0.0.0/31'), 'a', 1), 2).block
  const released = giveBack(held, 1, 2, rules(1_000_000))
  t.same(take(released, 1, rules(1_059_999)).ordinals, [])
  t.equal(restMs(released, 1, rules(1_059_999)), 1)
  t.same(countFree(released, rules(1_059_999)), { available: 0, cooling: 1, reserved: 0 })
  t.same(take(released, 1, rules(1_060_000)).ordinals, [1])
  t.equal(takeOrdinal(released, 1, 'holder')?.allocations.size, 2)
  t.equal(
    take(released, 1, rules(1_060_000)).block.released.size,
    0,
    'what is taken is forgotten as released',
  )
  t.same(take(released, 1, rules(900_000)).ordinals, [1], "a release by a clock that ran ahead doesn't count")
  t.end()
})

t.test('a release with another sequence number frees nothing', (t) => {
  const first = take(createBlock(prefix('10.0.0.0/32'), 'a', 7), 1).block
  const again = take(giveBack(first, 0, 8, open), 1).block
  t.equal(again.allocations.get(0)?.sequence, 9)
  t.equal(giveBack(again, 0, 8, open), again, 'the very same object')
  t.equal(giveBack(again, 5, 9, open), again)
  t.equal(giveBack(again, 0, 9, open).allocations.size, 0)
  t.end()
})

t.test('what changes nothing answers the same object', (t) => {
  const block = createBlock(prefix('10.0.0.0/26'), 'a', 1)
  t.equal(withAffinity(block, 'a'), block)
  t.equal(takeFree(block, 0, 'holder', open).block, block)
  t.equal(takeFree(block, 1, 'holder', { ...open, isReserved: () => true }).block, block)
  t.end()
})

t.test('a fixed ordinal', (t) => {
  const block = takeOrdinal(createBlock(prefix('10.0.0.0/26'), 'a', 1), 5, 'first')
  t.same(block?.allocations.get(5), { holder: 'first', sequence: 1 })
  t.equal(block && takeOrdinal(block, 5, 'second'), undefined)
  t.equal(block && ordinalInBlock(block, addressAt(prefix('10.0.0.0/26'), 63)), 63)
  t.equal(block && ordinalInBlock(block, addressAt(prefix('10.0.0.64/26'), 0)), undefined)
  t.end()
})

t.test('the value of a block is short', (t) => {
  const cases = [
    { cidr: '10.0.0.0/26', bytes: 1_700 },
    { cidr: 'fd00:1234:5678:9abc:def0:1234:5678:9a80/122', bytes: 1_750 },
    { cidr: '10.0.0.0/20', bytes: 106_000 },
    { cidr: 'fd00::/116', bytes: 106_000 },
  ]
  for (const { cidr, bytes } of cases) {
    const full = takeFree(createBlock(prefix(cidr), 'node-1', 1_000_000), 4096, '3f9a1c22', open).block
    t.equal(full.free.length, 0)
    t.ok(encodeBlock(full).length < bytes, `${cidr}: ${String(encodeBlock(full).length)}`)
    t.ok(encodeBlock(createBlock(prefix(cidr), 'node-1', 1)).length < 150, 'an unused queue is one run')
  }
  t.end()
})

t.test('a value that cannot be read says why', (t) => {
  const good = JSON.parse(encodeBlock(createBlock(prefix('10.0.0.0/30'), 'a', 1))) as Record<string, unknown>
  const cases: [Record<string, unknown> | string, RegExp][] = [
    ['{', /not JSON/],
    ['[]', /not a JSON object/],
    [{ cidr: 5 }, /cidr/],
    [{ cidr: '10.0.0.1/30' }, /cidr is not a network: it has host bits/],
    [{ cidr: '10.0.0.0/8' }, /wider than a block/],
    [{ affinity: 5 }, /affinity/],
    [{ sequence: -1 }, /sequence/],
    [{ sequence: 1.5 }, /sequence/],
    [{ allocations: [] }, /allocations/],
    [{ allocations: { 4: '1 x' } }, /allocations has a bad entry '4'/],
    [{ allocations: { 0: 'x' } }, /allocations has a bad entry '0'/],
    [{ allocations: { '01': '1 x' } }, /bad entry '01'/],
    [{ free: '0-9' }, /free has a bad entry '0-9'/],
    [{ free: '0-3,0-3,0-3,0-3' }, /free has a bad entry/],
    [{ free: 7 }, /free/],
    [{ released: { 9: 1 } }, /released has a bad entry '9'/],
    [{ released: { 1: 'x' } }, /released has a bad entry '1'/],
  ]
  for (const [change, expected] of cases) {
    const text = typeof change === 'string' ? change : JSON.stringify({ ...good, ...change })
    const decoded = decodeBlock(text)
    t.match(decoded.ok ? 'readable' : decoded.error, expected, text)
  }
  const twisted = decodeBlock(JSON.stringify({ ...good, allocations: { 1: '1 x' }, free: '3,1,3' }))
  t.same(twisted.ok && twisted.value.free, [3, 0, 2], 'a queue that disagrees is put right')
  t.end()
})

const step = fc.oneof(
  fc.record({ do: fc.constant('take' as const), count: fc.nat(5) }),
  fc.record({ do: fc.constant('fix' as const), ordinal: fc.nat(15) }),
  fc.record({ do: fc.constant('back' as const), ordinal: fc.nat(15), late: fc.boolean() }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(2_000) }),
)

t.test('whatever is done, each ordinal is held or in the queue, once, and the value says all', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 0, max: 1500 }), (steps, cooldownMs) => {
      let block = createBlock(prefix('10.0.0.16/28'), 'node-1', 3)
      const model = new Map<number, number>()
      const releasedAt = new Map<number, number>()
      let now = 1_000
      for (const action of steps) {
        const before = block
        if (action.do === 'wait') now += action.ms
        if (action.do === 'take') {
          const rules = { now, cooldownMs, isReserved: (ordinal: number) => ordinal === 3 }
          const taken = takeFree(advanceSequence(block), action.count, 'holder', rules)
          block = taken.block
          for (const ordinal of taken.ordinals) {
            if (model.has(ordinal) || ordinal === 3) return false
            if (now - (releasedAt.get(ordinal) ?? -Infinity) < cooldownMs) return false
            model.set(ordinal, block.sequence)
          }
        }
        if (action.do === 'fix') {
          const taken = takeOrdinal(advanceSequence(block), action.ordinal, 'holder')
          if ((taken === undefined) !== model.has(action.ordinal)) return false
          if (taken !== undefined) {
            block = taken
            model.set(action.ordinal, block.sequence)
          }
        }
        if (action.do === 'back') {
          const sequence = (model.get(action.ordinal) ?? 0) - (action.late ? 1 : 0)
          block = giveBack(block, action.ordinal, sequence, { now, cooldownMs })
          if (action.late && block !== before) return false
          if (!action.late && model.delete(action.ordinal)) releasedAt.set(action.ordinal, now)
        }
        const decoded = decodeBlock(encodeBlock(block))
        if (!decoded.ok) throw new Error(decoded.error)
        block = decoded.value
        const all = [...block.allocations.keys(), ...block.free].sort((a, b) => a - b)
        if (all.join() !== Array.from({ length: 16 }, (_, i) => i).join()) return false
        if (block.allocations.size !== model.size) return false
        for (const [ordinal, sequence] of model) {
          if (block.allocations.get(ordinal)?.sequence !== sequence) return false
        }
        if (!prefixContains(prefix('10.0.0.16/28'), block.cidr.address)) return false
      }
      return true
    }),
    { numRuns: 300 },
  )
  t.end()
})

t.test('any text is decoded or refused, never thrown at', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      decodeBlock(text)
      return true
    }),
    { numRuns: 500 },
  )
  t.end()
})
