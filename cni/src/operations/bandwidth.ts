import { asCniError } from '../cni-error.ts'
import type { CniCall } from '../input/call.ts'
import type { Configuration } from '../input/configuration.ts'
import type { Json } from '../json.ts'
import type { CniResult } from '../result/result.ts'
import { resultFor } from '../result/versions.ts'
import type { OperationModules } from './operations.ts'

/**
 * The capability `bandwidth` without a chained plugin: Debian's is run as if it were chained.
 * @throws CniError as the plugin fails
 */
export async function limit(
  { delegates }: OperationModules,
  call: CniCall,
  configuration: Configuration,
  result: CniResult,
): Promise<void> {
  try {
    await delegates.run({
      ...call,
      plugin: 'bandwidth',
      command: 'ADD',
      configuration: bandwidthConfiguration(
        configuration.raw,
        resultFor(result, configuration.cniVersion) as Json,
      ),
    })
  } catch (error) {
    throw asCniError(error)
  }
}

/** What the plugin `bandwidth` reads of a chained configuration. */
export function bandwidthConfiguration(
  raw: Readonly<Record<string, unknown>>,
  prevResult: Json | undefined,
): Record<string, unknown> {
  const runtime = raw['runtimeConfig'] as { bandwidth?: unknown } | undefined
  return {
    cniVersion: raw['cniVersion'],
    name: raw['name'],
    type: 'bandwidth',
    runtimeConfig: { bandwidth: runtime?.bandwidth },
    ...(prevResult === undefined ? {} : { prevResult }),
  }
}
