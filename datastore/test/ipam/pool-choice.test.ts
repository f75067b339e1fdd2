import fc from 'fast-check'
import t from 'tap'
import { address, formatPrefix, prefix, prefixCovers } from '@network/net'
import {
  type Pool,
  blockOfAddress,
  candidateBlocks,
  choosePools,
  poolOfAddress,
} from '../../src/ipam/pool-choice.ts'
import { reservedOrdinals } from '../../src/ipam/reserved.ts'

function pool(name: string, cidr: string, rest: Partial<Pool> = {}): Pool {
  const parsed = prefix(cidr)
  return {
    name,
    cidr: parsed,
    blockSize: parsed.address.family === 'ipv4' ? 26 : 122,
    disabled: false,
    assignmentMode: 'Automatic',
    nodeSelector: undefined,
    ...rest,
  }
}

const pools = [
  pool('auto', '10.0.0.0/16'),
  pool('manual', '10.1.0.0/16', { assignmentMode: 'Manual' }),
  pool('off', '10.2.0.0/16', { disabled: true }),
  pool('elsewhere', '10.3.0.0/16', { nodeSelector: 'rack == "b"' }),
  pool('wide', 'fd00::/64'),
]
const selectsNode = ({ nodeSelector }: Pool): boolean => nodeSelector === undefined

t.test('which pools serve a request', (t) => {
  const cases: {
    name: string
    family: 'ipv4' | 'ipv6'
    requested?: string[]
    expected: string[] | object
  }[] = [
    { name: 'those enabled, Automatic, that select the node', family: 'ipv4', expected: ['auto'] },
    { name: 'of the family', family: 'ipv6', expected: ['wide'] },
    { name: 'a Manual one by name', family: 'ipv4', requested: ['manual'], expected: ['manual'] },
    {
      name: 'by name whatever it selects',
      family: 'ipv4',
      requested: ['elsewhere'],
      expected: ['elsewhere'],
    },
    {
      name: 'in the order asked for',
      family: 'ipv4',
      requested: ['manual', 'wide', 'auto', 'manual'],
      expected: ['manual', 'auto'],
    },
    {
      name: 'a disabled one',
      family: 'ipv4',
      requested: ['auto', 'off'],
      expected: { code: 'disabled', pool: 'off' },
    },
    {
      name: 'an unknown one',
      family: 'ipv4',
      requested: ['nope'],
      expected: { code: 'unknown', pool: 'nope' },
    },
    {
      name: 'the wrong family',
      family: 'ipv6',
      requested: ['auto'],
      expected: { code: 'family', family: 'ipv6' },
    },
  ]
  for (const { name, family, requested, expected } of cases) {
    const chosen = choosePools(pools, family, requested, selectsNode)
    t.same(chosen.ok ? chosen.value.map((p) => p.name) : chosen.error, expected, name)
  }
  const none = choosePools([], 'ipv4', undefined, selectsNode)
  t.same(!none.ok && none.error, { code: 'none', family: 'ipv4' })
  t.end()
})

t.test('the pool and the block of an address', (t) => {
  t.equal(poolOfAddress(pools, address('10.1.2.3'))?.name, 'manual')
  t.equal(poolOfAddress(pools, address('10.9.0.1')), undefined)
  const [auto, , , , wide] = pools
  t.equal(auto && formatPrefix(blockOfAddress(auto, address('10.0.7.200'))), '10.0.7.192/26')
  t.equal(wide && formatPrefix(blockOfAddress(wide, address('fd00::ff'))), 'fd00::c0/122')
  t.end()
})

t.test('candidates: each block of the pool once, from a place that depends on the node', (t) => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.integer({ min: 20, max: 26 }),
      fc.array(fc.tuple(fc.nat(1023), fc.integer({ min: 22, max: 32 })), { maxLength: 6 }),
      (node, length, holes) => {
        const p = pool('p', `10.0.0.0/${String(length)}`)
        const reserved = holes.map(([offset, bits]) =>
          prefix(
            `10.0.${String((offset & (-1 << (32 - bits))) >> 8)}.${String(offset & (-1 << (32 - bits)) & 255)}/${String(bits)}`,
          ),
        )
        const seen = [...candidateBlocks(p, node, reserved)].map(formatPrefix)
        const expected = Array.from({ length: 2 ** (26 - length) }, (_, i) =>
          prefix(`10.0.${String((i * 64) >> 8)}.${String((i * 64) & 255)}/26`),
        ).filter((block) => !reserved.some((r) => prefixCovers(r, block)))
        return new Set(seen).size === seen.length && seen.length === expected.length
      },
    ),
    { numRuns: 300 },
  )
  const [auto] = pools
  if (auto === undefined) throw new Error('no pool')
  const firsts = Array.from(
    { length: 50 },
    (_, i) => candidateBlocks(auto, `node-${String(i)}`, []).next().value,
  )
  t.ok(
    new Set(firsts.map((first) => first && formatPrefix(first))).size > 40,
    'fifty nodes begin at different blocks',
  )
  t.equal([...candidateBlocks(auto, 'n', [])].length, 1024)
  t.end()
})

t.test('a reservation as wide as half an IPv6 pool is passed over in one step', (t) => {
  const p = pool('p', 'fd00::/64')
  const first = candidateBlocks(p, 'node', [prefix('fd00::/65')]).next().value
  t.ok(first && !prefixCovers(prefix('fd00::/65'), first))
  t.equal(candidateBlocks(p, 'node', [prefix('fd00::/60')]).next().value, undefined)
  t.end()
})

t.test('reserved ordinals of a block', (t) => {
  const block = prefix('10.0.0.64/26')
  const reservedOf = (...cidrs: string[]) => {
    const isReserved = reservedOrdinals(block, cidrs.map(prefix))
    return Array.from({ length: 64 }, (_, i) => i).filter(isReserved)
  }
  t.same(reservedOf(), [])
  t.same(reservedOf('10.0.0.64/32', '10.0.0.124/30', '10.0.1.0/24'), [0, 60, 61, 62, 63])
  t.equal(reservedOf('10.0.0.0/24').length, 64)
  t.equal(reservedOf('10.0.0.64/26').length, 64)
  t.end()
})
