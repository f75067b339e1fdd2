import { type Attachment, attachmentName } from '../promises.ts'
import { releaseGateways } from './gateways.ts'
import type { OperationModules } from './operations.ts'
import { settle, takeBack } from './take-back.ts'

/** Carries out what was promised of this attachment. The caller has its turn. */
export async function keepPromise(modules: OperationModules, attachment: Attachment): Promise<void> {
  const { promises } = modules
  if (!promises.has(attachment)) return
  await takeBack(modules, attachment, '')
  await promises.kept(attachment)
}

/** Carries out every promise that waits, until it is over; those that still can't be kept stay. */
export async function keepPromises(modules: OperationModules, isOver: () => boolean): Promise<void> {
  const { services, promises, turns } = modules
  const waiting = await promises.list()
  for (const { containerId, ifname } of waiting) {
    if (isOver()) return
    try {
      const attachment = { containerId, ifname }
      await turns.take(attachmentName(attachment), () => keepPromise(modules, attachment))
    } catch (error) {
      services.log.warn(
        { container: containerId, interface: ifname, error: (error as Error).message },
        'a promised DEL still waits',
      )
    }
  }
  if (waiting.length > 0 && !isOver()) await releaseGateways(modules)
}

/**
 * Tells other plugins that an attachment of theirs is over where nobody else will: its DEL failed, or the audit found
 * that the workload is gone.
 */
export async function settleMemories(modules: OperationModules, isOver: () => boolean): Promise<void> {
  const { services, remembered, turns } = modules
  for (const { containerId, ifname } of await remembered.list()) {
    if (isOver()) return
    const attachment = { containerId, ifname }
    try {
      await turns.take(attachmentName(attachment), async () => {
        const found = await services.agent.check({ containerId, interfaceName: ifname })
        const memory = await remembered.find(attachment)
        if (found.endpoint === undefined && memory !== undefined) await settle(modules, memory)
      })
    } catch (error) {
      services.log.warn(
        { container: containerId, interface: ifname, error: (error as Error).message },
        'another plugin still holds something of an attachment that is gone',
      )
    }
  }
}
