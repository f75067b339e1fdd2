import { CniError } from '../cni-error.ts'
import { readValidAttachments } from '../input/valid-attachments.ts'
import { attachmentName } from '../promises.ts'
import { NETWORK_LABEL } from '../input/attachment.ts'
import type { Operation } from './operations.ts'
import { takeBack } from './take-back.ts'

/**
 * GC: what this network has attached and the runtime's list does not name is taken back. Other networks, and what came
 * by another way than CNI, are not touched. One failure does not stop the rest.
 */
export const gc: Operation = async (modules, call) => {
  const { services, remembered, turns } = modules
  const { name, attachments } = readValidAttachments(call.stdin)
  const valid = new Set(attachments.map(attachmentName))
  const ours = (await services.agent.endpoints())
    .filter(({ labels }) => labels[NETWORK_LABEL] === name)
    .map(({ containerId, containerInterface: ifname }) => ({ containerId, ifname }))
  const left = (await remembered.list()).filter(({ configuration }) => configuration['name'] === name)
  const garbage = new Map(
    [...ours, ...left].map(({ containerId, ifname }) => {
      const attachment = { containerId, ifname }
      return [attachmentName(attachment), attachment] as const
    }),
  )
  const failures: string[] = []
  for (const [key, attachment] of garbage) {
    if (valid.has(key)) continue
    try {
      await turns.take(key, () => takeBack(modules, attachment, ''))
    } catch (error) {
      failures.push(`${key}: ${(error as Error).message}`)
    }
  }
  if (failures.length > 0) {
    throw new CniError('tryAgainLater', `Not everything could be taken back: ${failures.join('; ')}.`)
  }
  return ''
}
