/**
 * The end of an attachment, whoever asks for it: a DEL, an ADD that failed, a promise, GC. Other plugins that had a part
 * in it are told from what was remembered of it, and a lease is given back while its interface is still there.
 */
import { isOverInterface } from '../delegates.ts'
import type { CniCall } from '../input/call.ts'
import { delegateOf } from '../input/configuration.ts'
import { type JsonRecord, isRecord, parseJson } from '../json.ts'
import { heardByServer } from '../lease-server.ts'
import type { Attachment } from '../promises.ts'
import type { Memory } from '../remembered.ts'
import { bandwidthConfiguration } from './bandwidth.ts'
import type { OperationModules } from './operations.ts'

/** Takes an attachment back whole: from the agent, and from the other plugins that had a part in it. */
export async function takeBack(
  modules: OperationModules,
  target: Attachment | CniCall,
  netns: string,
): Promise<void> {
  const memory = await memoryOf(modules, target)
  if (memory !== undefined) await giveLeaseBack(modules, memory)
  await end(modules, target, netns)
  if (memory !== undefined) await undoOthers(modules, memory)
}

/** Takes an interface and its addresses back. */
async function end(
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

/** Of an attachment whose interface is gone: tells the other plugins, as far as they still hold something. */
export async function settle(modules: OperationModules, memory: Memory): Promise<void> {
  await giveLeaseBack(modules, memory)
  await undoOthers(modules, memory)
}

/**
 * A lease is given back over the interface, so before that goes. What can't be said then can't be said later either: the
 * server takes the address back when the lease ends.
 */
async function giveLeaseBack({ delegates, services }: OperationModules, memory: Memory): Promise<void> {
  for (const plugin of memory.plugins.filter(isOverInterface)) {
    try {
      await delegates.run({ ...memory, plugin, command: 'DEL', configuration: memory.configuration })
      await heardByServer(services.clock)
    } catch (error) {
      services.log.warn(
        { container: memory.containerId, plugin, error: (error as Error).message },
        'a lease could not be given back and ends by itself',
      )
    }
  }
}

/** In the reverse order of their ADD. */
async function undoOthers(
  { remembered, delegates, services }: OperationModules,
  memory: Memory,
): Promise<void> {
  for (const plugin of memory.plugins.filter((each) => !isOverInterface(each)).reverse()) {
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
  await remembered.forget(memory)
}

async function memoryOf(
  { remembered }: OperationModules,
  target: Attachment | CniCall,
): Promise<Memory | undefined> {
  return (await remembered.find(target)) ?? ('stdin' in target ? memoryIn(target) : undefined)
}

/** What a DEL says itself of an attachment that nobody remembers: made by another version, or its memory was lost. */
function memoryIn(call: CniCall): Memory | undefined {
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
  const delegate = delegateOf(type)
  if (delegate === undefined) return undefined
  return { ...call, plugins: [delegate], configuration: { ...rest, ipam } }
}
