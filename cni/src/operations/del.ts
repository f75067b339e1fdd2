import { asCniError } from '../cni-error.ts'
import { attachmentName } from '../promises.ts'
import type { Operation } from './operations.ts'
import { takeBack } from './take-back.ts'

/**
 * DEL always works: what is gone is gone; what can't be undone at present (no store yet, no agent in sync) is promised.
 * The configuration is not judged, since a configuration that has become wrong must not keep a workload from ending.
 */
export const del: Operation = (modules, call) =>
  modules.turns.take(attachmentName(call), async () => {
    const { services, promises } = modules
    try {
      await takeBack(modules, call, call.netns)
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
