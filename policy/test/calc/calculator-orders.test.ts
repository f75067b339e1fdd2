import t from 'tap'
import { createCalculator, type PolicyUpdate } from '../../src/index.ts'
import { apply, calculate, dangling, emptyMirror, type Mirror, plain } from './mirror.ts'
import { states } from './states.ts'
import { gone } from './updates.ts'

/** What somebody who drains after every `every` updates has in the end. */
function after(updates: readonly PolicyUpdate[], every: number): Mirror {
  const calculator = createCalculator({ node: 'here' })
  const mirror = emptyMirror()
  updates.forEach((update, at) => {
    calculator.onUpdate(update)
    if ((at + 1) % every === 0) apply(mirror, calculator.drain())
  })
  apply(mirror, calculator.drain())
  return mirror
}

function* permutations<T>(items: readonly T[]): Generator<T[]> {
  if (items.length <= 1) {
    yield [...items]
    return
  }
  for (const [at, item] of items.entries()) {
    for (const rest of permutations(items.filter((_, other) => other !== at))) yield [item, ...rest]
  }
}

const key = ({ kind, name }: PolicyUpdate): string => `${kind}/${name}`

t.test('the order of arrival and the moments of draining change nothing', (t) => {
  for (const [name, updates] of Object.entries(states)) {
    const expected = JSON.stringify(plain(after(updates, Infinity)))
    let orders = 0
    for (const order of permutations(updates)) {
      for (const every of [1, 2, Infinity]) {
        const mirror = after(order, every)
        const actual = JSON.stringify(plain(mirror))
        if (actual !== expected || dangling(mirror).length > 0) {
          t.fail(`${name}: ${order.map(key).join(', ')}, drained every ${String(every)}`, {
            dangling: dangling(mirror),
            expected: JSON.parse(expected) as object,
            actual: JSON.parse(actual) as object,
          })
        }
        orders++
      }
    }
    t.ok(orders > 0, `${name}: ${String(orders)} orders`)
  }
  t.end()
})

t.test(
  'from every state to every other, drained at once or step by step, forwards or backwards, is as if fresh',
  (t) => {
    for (const [fromName, before] of Object.entries(states)) {
      for (const [toName, target] of Object.entries(states)) {
        const kept = new Set(target.map(key))
        const leaving = before.filter((update) => !kept.has(key(update))).map(gone)
        const expected = JSON.stringify(plain(after(target, Infinity)))
        const ways: Record<string, PolicyUpdate[]> = {
          'first what goes': [...leaving, ...target],
          'first what comes': [...target, ...leaving],
          backwards: [...target, ...leaving].reverse(),
          'everything twice': [...target, ...leaving, ...target],
          'cleared in between': [...before.map(gone), ...target],
        }
        for (const [way, steps] of Object.entries(ways)) {
          for (const every of [1, Infinity]) {
            const { mirror, calculator } = calculate(before)
            steps.forEach((update, at) => {
              calculator.onUpdate(update)
              if ((at + 1) % every === 0) apply(mirror, calculator.drain())
            })
            apply(mirror, calculator.drain())
            const actual = JSON.stringify(plain(mirror))
            if (actual !== expected) {
              t.fail(`${fromName} → ${toName}, ${way}, drained every ${String(every)}`, {
                expected: JSON.parse(expected) as object,
                actual: JSON.parse(actual) as object,
              })
            }
          }
        }
      }
      t.pass(`from ${fromName}`)
    }
    t.end()
  },
)

t.test('the same news again is no change', (t) => {
  for (const [name, updates] of Object.entries(states)) {
    const { calculator } = calculate(updates)
    for (const update of updates) calculator.onUpdate(structuredClone(update))
    const changes = calculator.drain()
    const { sets, policies, profiles, endpoints, hostEndpoints, pools } = changes
    t.same(
      [sets.size, policies.size, profiles.size, endpoints.size, hostEndpoints.size, pools],
      [0, 0, 0, 0, 0, undefined],
      name,
    )
  }
  t.end()
})

t.test('each state has something of its own', (t) => {
  const told = Object.values(states).map((updates) => JSON.stringify(plain(after(updates, Infinity))))
  t.equal(new Set(told).size, told.length)
  t.end()
})
