import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { sha256, shortDigest } from '../src/digest.ts'

t.test('SHA-256 is what node:crypto says', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
      const words = [...sha256(text)].map((word) => word.toString(16).padStart(8, '0'))
      return words.join('') === createHash('sha256').update(text, 'utf8').digest('hex')
    }),
  )
  t.end()
})

t.test('the short form is its first bits in base32hex', (t) => {
  const bits = [...createHash('sha256').update('abc').digest()]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')
  const expected = Array.from({ length: 20 }, (_, at) =>
    parseInt(bits.slice(at * 5, at * 5 + 5), 2).toString(32),
  )
  t.equal(shortDigest('abc', 20), expected.join(''))
  t.end()
})
