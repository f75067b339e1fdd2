import type { PolicyDriver } from '../drivers/policy-driver.ts'
import type { PolicyManager } from '../managers/policy-manager.ts'

/**
 * What can be done before an apply that brings very much, as a node's first one does: programs read the kernel while sets
 * are calculated, and make and fill those sets while chains are rendered, piece by piece, so that the agent answers others
 * meanwhile. The apply that follows writes the chains. Nothing opens up: until then nothing leads to the sets.
 */
export async function workAhead(modules: {
  manager: Pick<PolicyManager, 'applySets' | 'renderSome'>
  driver: Pick<PolicyDriver, 'read' | 'grow'>
}): Promise<void> {
  const { manager, driver } = modules
  driver.read()
  driver.grow(manager.applySets())
  do await new Promise((resolve) => setImmediate(resolve))
  while (manager.renderSome())
}
