import type { Plan, Population } from './plan.ts'

export interface Scenario {
  readonly name: string
  readonly title: string
  readonly plan: Plan
  /** Part of the set that runs unless scenarios are named. */
  readonly quick: boolean
}

const establishLimitSeconds = 15
const phases = { kind: 'phases' } as const

function reflector(clients: number, quick: boolean): Scenario {
  return {
    name: `rr-${String(clients)}`,
    title: `Route reflector, ${String(clients)} clients, ten /26 each`,
    quick,
    plan: {
      population: {
        sources: clients,
        listeners: 0,
        peerType: 'internal',
        prefixes: 10,
        shared: false,
        prefixesPerSet: 10,
        prefixLength: 26,
      },
      course: phases,
      limitSeconds: 30,
      establishLimitSeconds,
    },
  }
}

/** Tables as a router meets them: five prefixes to an attribute set. */
function tables(sources: number, prefixes: number, shared = false): Population {
  return {
    sources,
    listeners: 0,
    peerType: 'external',
    prefixes,
    shared,
    prefixesPerSet: 5,
    prefixLength: 24,
  }
}

export const scenarios: readonly Scenario[] = [
  reflector(100, true),
  reflector(300, true),
  reflector(500, false),
  reflector(1000, false),
  {
    name: '10x10k',
    title: 'Ten external peers, 10,000 prefixes each',
    quick: true,
    plan: { population: tables(10, 10_000), course: phases, limitSeconds: 30, establishLimitSeconds },
  },
  {
    name: '10x100k',
    title: 'Ten external peers, 100,000 prefixes each',
    quick: false,
    plan: { population: tables(10, 100_000), course: phases, limitSeconds: 60, establishLimitSeconds },
  },
  {
    name: '2x500k',
    title: 'Two external peers, 500,000 prefixes each',
    quick: true,
    plan: { population: tables(2, 500_000), course: phases, limitSeconds: 30, establishLimitSeconds },
  },
  {
    name: '30-same',
    title: 'Thirty external peers, the same 10,000 prefixes, the best path moving from peer to peer',
    quick: true,
    plan: { population: tables(30, 10_000, true), course: phases, limitSeconds: 30, establishLimitSeconds },
  },
  {
    name: 'flap',
    title: 'One peer flaps 1,000 routes a second beside 500 idle ones',
    quick: true,
    plan: {
      population: {
        sources: 1,
        listeners: 500,
        peerType: 'internal',
        prefixes: 2000,
        shared: false,
        prefixesPerSet: 20,
        prefixLength: 26,
      },
      course: { kind: 'flap', changesPerSecond: 1000, warmUpSeconds: 2, seconds: 6 },
      limitSeconds: 30,
      establishLimitSeconds,
    },
  },
  {
    name: 'stall',
    title: 'Five peers change 50,000 routes each round; a sixth stops reading',
    quick: true,
    plan: {
      population: { ...tables(5, 50_000), listeners: 1 },
      course: { kind: 'stall', roundsBefore: 3, roundsAfter: 9 },
      limitSeconds: 30,
      establishLimitSeconds,
    },
  },
]
