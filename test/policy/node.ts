/**
 * The node under test as the agent puts it together, in this process: changes of the model go into the calculation, from there
 * through rendering to the drivers, whose programs run in the node's namespaces. It is told the difference between one state
 * and the next, as etcd would tell it.
 */
import type { Backend } from '../../agent/src/drivers/iptables/programs.ts'
import {
  type PolicyDriver,
  type PolicyReport,
  createPolicyDriver,
} from '../../agent/src/drivers/policy-driver.ts'
import type { Exec } from '../../agent/src/exec.ts'
import { createPolicyManager } from '../../agent/src/managers/policy-manager.ts'
import { workAhead } from '../../agent/src/roles/policy-ahead.ts'
import { silentLog } from '@network/net/system'
import { type PolicyUpdate, type RenderedChanges, type RenderedRule, createCalculator } from '@network/policy'
import { thisNode } from './actors.ts'
import { impatientClock } from './impatient-clock.ts'
import type { State } from './case.ts'
import { nodeSettings, renderOptions, updatesOf } from './state.ts'

export interface PolicyNode {
  /** Takes the model to this state and the kernel with it. */
  become(state: State): Promise<PolicyReport>
  /** A new process with no memory takes over in the same state. */
  restart(): Promise<PolicyReport>
  readonly driver: () => PolicyDriver
  close(): void
}

export interface PolicyNodeOptions {
  /** Most members of a set. */
  readonly mostElements?: number
  /** Changes rules on their way to the drivers, so that they come to what no valid resource brings about. */
  readonly distort?: (args: readonly string[]) => readonly string[]
}

function distorted(
  changes: RenderedChanges,
  distort: (args: readonly string[]) => readonly string[],
): RenderedChanges {
  const families = structuredClone(changes.families)
  for (const { chains } of Object.values(families)) {
    for (const table of Object.values(chains) as Map<string, RenderedRule[] | undefined>[]) {
      for (const [name, rules] of table)
        table.set(
          name,
          rules?.map((rule) => ({ ...rule, args: distort(rule.args) })),
        )
    }
  }
  return { ...changes, families }
}

const keyOf = ({ kind, name }: PolicyUpdate): string => `${kind} ${name}`

/** Changes that lead from what was told to what shall hold, what goes first. */
function difference(
  told: ReadonlyMap<string, PolicyUpdate>,
  wanted: ReadonlyMap<string, PolicyUpdate>,
): PolicyUpdate[] {
  const gone = [...told].filter(([key]) => !wanted.has(key))
  const changed = [...wanted].filter(
    ([key, update]) => JSON.stringify(update) !== JSON.stringify(told.get(key)),
  )
  return [
    ...gone.map(([, { kind, name }]) => ({ kind, name, resource: undefined }) as PolicyUpdate),
    ...changed.map(([, update]) => update),
  ]
}

export function createPolicyNode(exec: Exec, backend: Backend, options: PolicyNodeOptions = {}): PolicyNode {
  let told = new Map<string, PolicyUpdate>()
  let current: State = {}
  const clock = impatientClock()
  const start = () => {
    const calculator = createCalculator({ node: thisNode })
    const manager = createPolicyManager({ calculator }, renderOptions(current.settings ?? {}))
    const driver = createPolicyDriver(
      { exec, clock, log: silentLog },
      {
        backend,
        insertMode: 'insert',
        ...(options.mostElements === undefined ? {} : { sets: { mostElements: options.mostElements } }),
      },
    )
    return { calculator, manager, driver }
  }
  let life = start()
  let isNew = true

  const become = async (state: State): Promise<PolicyReport> => {
    const settings = state.settings ?? {}
    const wanted = new Map(updatesOf(state).map((update) => [keyOf(update), update]))
    for (const update of difference(told, wanted)) life.calculator.onUpdate(update)
    told = wanted
    current = state
    life.calculator.setInterfaces(new Map(Object.entries(nodeSettings(settings).interfaces ?? {})))
    life.manager.setOptions(renderOptions(settings))
    // A new process has everything to do at once, and does what it can ahead, as the agent's first pass does.
    if (isNew) await workAhead(life)
    isNew = false
    const changes = life.manager.apply()
    if (changes !== undefined) {
      life.driver.update(options.distort === undefined ? changes : distorted(changes, options.distort))
    }
    const report = await life.driver.apply()
    while (clock.runTimers()) await life.driver.apply()
    return report
  }

  return {
    become,
    restart: async () => {
      life.driver.close()
      life = start()
      isNew = true
      told = new Map()
      return become(current)
    },
    driver: () => life.driver,
    close: () => life.driver.close(),
  }
}
