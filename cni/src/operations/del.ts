import { asCniError } from '../cni-error.ts'
import type { CniCall } from '../input/call.ts'
import { type JsonRecord, isRecord, parseJson } from '../input/json.ts'
import { type Attachment, attachmentName } from '../promises.ts'
import type { Memory } from '../remembered.ts'
import { bandwidthConfiguration } from './add.ts'
import type { Operation, OperationModules } from './operations.ts'

/**
 * DEL always works: what is gone is gone; what can't be undone at present (no store yet, no agent in sync) is promised.
 * The configuration is not judged, since a configuration that has become wrong must not keep a workload from ending.
 */
export const del: Operation = (modules, call) =>
  modules.turns.take(attachmentName(call), async () => {
    const { services, promises } = modules
    try {
      await end(modules, call, call.netns)
      await undoOthers(modules, call)
      await promises.kept(call)
    } catch (error) {
      if (asCniError(error).code !== 'tryAgainLater') throw error
      await promises.make(call)
      services.log.warn(
        { container: call.containerId, interface: call.ifname, why: (error as Error).message },
        'DEL is promised and will be carried out later',
      )
    }
    return ''
  })

/** Takes an interface and its addresses back. */
export async function end(
  { services }: OperationModules,
  { containerId, ifname }: Attachment,
  netns: string,
): Promise<void> {
  const result = await services.agent.detach({
    containerId,
    interfaceName: ifname,
    ...(netns === '' ? {} : { netns }),
  })
  services.log.info(
    { container: containerId, interface: ifname, addresses: result.addresses, journaled: result.journaled },
    'deleted',
  )
}

/** Tells the other plugins that had a part in an attachment, in the reverse order of their ADD. */
export async function undoOthers(modules: OperationModules, target: Attachment | CniCall): Promise<void> {
  const { remembered, delegates, services } = modules
  const memory = (await remembered.find(target)) ?? ('stdin' in target ? memoryOf(target) : undefined)
  if (memory === undefined) return
  for (const plugin of [...memory.plugins].reverse()) {
    const configuration =
      plugin === 'bandwidth' ? bandwidthConfiguration(memory.configuration, undefined) : memory.configuration
    try {
      await delegates.run({ ...memory, plugin, command: 'DEL', configuration })
    } catch (error) {
      // Its interface is gone with ours; only an IPAM plugin still holds something.
      if (plugin !== 'bandwidth') throw error
      services.log.debug({ plugin, error: String(error) }, 'a plugin had nothing left to take back')
    }
  }
  await remembered.forget(target)
}

/** What a DEL says itself of an attachment that nobody remembers: made by another version, or its memory was lost. */
function memoryOf(call: CniCall): Memory | undefined {
  let raw: JsonRecord
  try {
    const value = parseJson(call.stdin, '')
    if (!isRecord(value)) return undefined
    raw = value
  } catch {
    return undefined
  }
  const { prevResult: _, ipam, ...rest } = raw
  const type = isRecord(ipam) && typeof ipam['type'] === 'string' ? ipam['type'] : ''
  if (['', 'drover', 'drover-ipam', 'calico-ipam'].includes(type)) return undefined
  return { ...call, plugins: [type], configuration: { ...rest, ipam } }
}
