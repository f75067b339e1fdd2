/** Tiers and profiles as one endpoint meets them in one direction. */
import type { ActiveTier } from '../calc/active.ts'
import { type Marks, clearBits, isClear, returnIfSet } from './marks.ts'
import { policyChain, profileChain } from './names.ts'
import type { RenderedRule } from './rendered.ts'
import { denyLog } from './rules.ts'

export interface TierContext {
  readonly marks: Marks
  readonly denyLogGroup: number | undefined
}

export type Direction = 'inbound' | 'outbound'

/**
 * Returns with the accept mark if a policy allows; drops where a tier's default action says so. Otherwise goes on below.
 * `defaultActions: false`: a tier that decides nothing lets go on.
 */
export function tierRules(
  tiers: readonly ActiveTier[],
  direction: Direction,
  { marks, denyLogGroup }: TierContext,
  { defaultActions = true } = {},
): RenderedRule[] {
  const rules: RenderedRule[] = []
  for (const tier of tiers) {
    const policies = tier[direction]
    if (policies.length === 0) continue
    rules.push({ args: clearBits(marks.pass) })
    policies.forEach((id, place) => {
      const unlessPassed = place === 0 ? [] : isClear(marks.pass)
      rules.push(
        { args: [...unlessPassed, '-j', policyChain(id, direction)] },
        { args: returnIfSet(marks.accept) },
      )
    })
    if (tier.defaultAction !== 'Deny' || !defaultActions) continue
    const undecided = isClear(marks.pass)
    if (denyLogGroup !== undefined)
      rules.push({ args: [...undecided, ...denyLog(denyLogGroup, `end of tier ${tier.name} ${direction}`)] })
    rules.push({ args: [...undecided, '-j', 'DROP'] })
  }
  return rules
}

/** Returns with the accept mark if a profile allows; drops at the end. */
export function profileRules(
  profiles: readonly string[],
  direction: Direction,
  { marks, denyLogGroup }: TierContext,
): RenderedRule[] {
  return [
    ...profiles.flatMap((name) => [
      { args: ['-j', profileChain(name, direction)] },
      { args: returnIfSet(marks.accept) },
    ]),
    ...(denyLogGroup === undefined ? [] : [{ args: denyLog(denyLogGroup, `end of profiles ${direction}`) }]),
    { args: ['-j', 'DROP'] },
  ]
}
