import type { AttachRequest, AttachResult } from '@network/agent/client'
import { CniError } from '../cni-error.ts'
import { isOverInterface } from '../delegates.ts'
import { readArgs } from '../input/args.ts'
import { attachRequestOf } from '../input/attachment.ts'
import type { CniCall } from '../input/call.ts'
import { type Configuration, readConfiguration } from '../input/configuration.ts'
import { attachmentName } from '../promises.ts'
import { resultOfAttach } from '../result/attached.ts'
import { type CniResult, joinResults, noResult } from '../result/result.ts'
import { formatResult, readResult } from '../result/versions.ts'
import { limit } from './bandwidth.ts'
import type { Operation, OperationModules } from './operations.ts'
import { keepPromise } from './promised.ts'
import { takeBack } from './take-back.ts'

/** ADD: the same attachment again gives the same answer; a failure leaves nothing. */
export const add: Operation = (modules, call) => {
  const configuration = readConfiguration(call.stdin)
  const request = attachRequestOf(call, readArgs(call.args), configuration)
  return modules.turns.take(attachmentName(call), async () => {
    await keepPromise(modules, call)
    const result = await attach(modules, call, configuration, request)
    return formatResult(joinResults(configuration.prevResult ?? noResult, result), configuration.cniVersion)
  })
}

async function attach(
  modules: OperationModules,
  call: CniCall,
  configuration: Configuration,
  request: AttachRequest,
): Promise<CniResult> {
  const { services, remembered } = modules
  const others = [
    ...(configuration.delegate === undefined ? [] : [configuration.delegate]),
    ...(configuration.bandwidth === undefined ? [] : ['bandwidth']),
  ]
  if (others.length === 0) return resultOfAttach(await attached(modules, call, request), configuration.dns)

  for (const plugin of others) await modules.delegates.require(plugin, call.path)
  const present = await services.agent.check({ containerId: call.containerId, interfaceName: call.ifname })
  const before = await remembered.find(call)
  const isAgain = present.endpoint !== undefined && before !== undefined && present.addresses.length > 0
  const { prevResult: _, ...withoutPrevious } = configuration.raw
  await remembered.keep({
    containerId: call.containerId,
    ifname: call.ifname,
    netns: call.netns,
    args: call.args,
    path: call.path,
    plugins: others,
    configuration: withoutPrevious,
  })
  try {
    const leased = configuration.delegate !== undefined && isOverInterface(configuration.delegate)
    if (leased && !isAgain) await services.agent.attach({ ...withoutAddresses(request), leased })
    const assigned =
      configuration.delegate === undefined
        ? undefined
        : isAgain
          ? withAddresses(present.addresses)
          : await assignedBy(modules, call, configuration, configuration.delegate)
    const result = resultOfAttach(
      await attached(
        modules,
        call,
        assigned === undefined
          ? request
          : { ...withoutAddresses(request), addresses: bareAddresses(assigned), leased },
      ),
      { ...assigned?.dns, ...configuration.dns },
    )
    if (configuration.bandwidth !== undefined) await limit(modules, call, configuration, result)
    return result
  } catch (error) {
    if (!isAgain) await undo(modules, call)
    throw error
  }
}

/** What can't be undone now is remembered, and undone by the DEL that follows. */
async function undo(modules: OperationModules, call: CniCall): Promise<void> {
  try {
    await takeBack(modules, call, call.netns)
  } catch (error) {
    modules.services.log.warn({ error: (error as Error).message }, 'a failed ADD is not undone whole')
  }
}

async function attached(
  { services }: OperationModules,
  call: CniCall,
  request: AttachRequest,
): Promise<AttachResult> {
  const startedAt = services.clock.monotonic()
  const result = await services.agent.attach(request)
  services.log.info(
    {
      container: call.containerId,
      interface: call.ifname,
      workload: request.workload,
      addresses: result.addresses.map(({ address }) => address),
      ms: Math.round(services.clock.monotonic() - startedAt),
    },
    'added',
  )
  return result
}

/** The IPAM plugin's answer. One that assigned nothing has done nothing. */
async function assignedBy(
  modules: OperationModules,
  call: CniCall,
  configuration: Configuration,
  plugin: string,
): Promise<CniResult> {
  const answer = await modules.delegates.run({
    ...call,
    plugin,
    command: 'ADD',
    configuration: configuration.raw,
  })
  const result = readResult(answer ?? null, `The answer of ${plugin}`, configuration.cniVersion)
  if (result.ips.length > 0) return result
  throw new CniError('delegate', `The IPAM plugin ${plugin} answered no address.`)
}

/** Whatever addresses were asked for: another plugin says which ones it gets. */
function withoutAddresses({ addresses: _, ...request }: AttachRequest): AttachRequest {
  return { ...request, assignedElsewhere: true }
}

function withAddresses(addresses: readonly string[]): CniResult {
  return { ...noResult, ips: addresses.map((address) => ({ address })) }
}

function bareAddresses({ ips }: CniResult): string[] {
  return ips.map(({ address }) => address.replace(/\/\d+$/, ''))
}
