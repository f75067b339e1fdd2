import { bird } from './bird.ts'
import { frr } from './frr.ts'
import { gobgp } from './gobgp.ts'
import { openbgpd } from './openbgpd.ts'
import { drover, mirror } from './own.ts'
import type { Target } from './target.ts'

export type { Target } from './target.ts'

/** Every speaker that can be measured, ours first. */
export const targets: readonly Target[] = [drover, bird, openbgpd, frr, gobgp, mirror]
