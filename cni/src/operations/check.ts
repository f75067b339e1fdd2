import type { CheckResult } from '@network/agent/client'
import { CniError } from '../cni-error.ts'
import type { CniCall } from '../input/call.ts'
import { type Configuration, readConfiguration } from '../input/configuration.ts'
import { attachmentName } from '../promises.ts'
import type { CniResult } from '../result/result.ts'
import { isSince } from '../result/versions.ts'
import type { Operation, OperationModules } from './operations.ts'

/** The kernel, or upkeep, may be about to put something right: so often, after so long, it is looked again. */
const LOOKS_AFTER_MS: readonly number[] = [0, 150, 600]

/** CHECK: what ADD made against what is there, and against what the runtime believes. Names every difference. */
export const check: Operation = (modules, call) => {
  const configuration = readConfiguration(call.stdin)
  if (!isSince(configuration.cniVersion, '0.4.0')) {
    throw new CniError(
      'incompatibleVersion',
      `CHECK is of version 0.4.0 and later, and the configuration's is ${configuration.cniVersion}.`,
    )
  }
  const believed = configuration.prevResult
  if (believed === undefined) {
    throw new CniError('configuration', 'CHECK needs prevResult, which the runtime did not give.')
  }
  return modules.turns.take(attachmentName(call), async () => {
    const differences = await settledDifferences(modules, call, believed)
    if (differences.length > 0) {
      throw new CniError(
        'different',
        `The interface ${call.ifname} of container ${call.containerId} is not as ADD made it: ${differences.join('; ')}.`,
        'The agent puts right what it can; else DEL and ADD make it anew.',
      )
    }
    await checkOthers(modules, call, configuration)
    return ''
  })
}

async function settledDifferences(
  { services }: OperationModules,
  call: CniCall,
  believed: CniResult,
): Promise<readonly string[]> {
  let differences: readonly string[] = []
  for (const waitMs of LOOKS_AFTER_MS) {
    if (waitMs > 0) await new Promise<void>((resolve) => void services.clock.setTimeout(resolve, waitMs))
    const found = await services.agent.check({
      containerId: call.containerId,
      interfaceName: call.ifname,
      netns: call.netns,
    })
    if (found.endpoint === undefined) {
      throw new CniError(
        'different',
        `The agent knows no interface ${call.ifname} of container ${call.containerId}.`,
      )
    }
    differences = differencesOf(found, call, believed)
    if (differences.length === 0) break
  }
  return differences
}

/** What plugins after ours changed is in the runtime's result, and then as it should be. */
export function differencesOf(found: CheckResult, call: CniCall, believed: CniResult): readonly string[] {
  const index = believed.interfaces.findIndex(
    ({ name, sandbox }) => name === call.ifname && sandbox !== undefined,
  )
  const own = believed.interfaces[index]
  const addresses = new Set(believed.ips.filter((ip) => ip.interface === index).map(({ address }) => address))
  const believes: string[] = [
    ...(own === undefined ? [`prevResult has no interface ${call.ifname} in a sandbox`] : []),
    ...found.addresses
      .filter((address) => own !== undefined && !addresses.has(address))
      .map((address) => `prevResult does not give ${address} to ${call.ifname}`),
    ...[...addresses]
      .filter((address) => !found.addresses.includes(address))
      .map((address) => `prevResult gives ${address} to ${call.ifname}, which the agent does not`),
  ]
  const changedByOthers = (field: string, actual: string): boolean =>
    (field === 'container.mac' && own?.mac?.toLowerCase() === actual) ||
    (field === 'container.mtuBytes' && own?.mtu !== undefined && String(own.mtu) === actual)
  return [
    ...found.differences
      .filter(({ field, actual }) => !changedByOthers(field, actual))
      .map(({ field, expected, actual }) => `${field} is ${actual}, not ${expected}`),
    ...believes,
  ]
}

async function checkOthers(
  { delegates }: OperationModules,
  call: CniCall,
  configuration: Configuration,
): Promise<void> {
  if (configuration.delegate === undefined) return
  await delegates.run({
    ...call,
    plugin: configuration.delegate,
    command: 'CHECK',
    configuration: configuration.raw,
  })
}
