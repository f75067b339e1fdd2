import type { HealthReport } from '@network/agent/client'
import type { Family } from '@network/net'
import { CniError } from '../cni-error.ts'
import { type Configuration, readConfiguration } from '../input/configuration.ts'
import { isSince } from '../result/versions.ts'
import type { Operation, OperationModules } from './operations.ts'
import { namedPools } from './pools.ts'

/** Checks of the agent without which not only ADD fails: what is attached may lose its connections too. */
const carrying: readonly string[] = ['dataplane', 'bgp']

/** STATUS: whether an ADD could work now. 50: it could not; 51: and what runs may be affected. */
export const status: Operation = async (modules, call) => {
  const configuration = readConfiguration(call.stdin, call.plugin === 'drover' ? 'plugin' : 'ipam')
  if (!isSince(configuration.cniVersion, '1.1.0')) {
    throw new CniError(
      'incompatibleVersion',
      `STATUS is of version 1.1.0, and the configuration's is ${configuration.cniVersion}.`,
    )
  }
  refuseUnready(await modules.services.agent.ready())
  if (configuration.delegate === undefined) await refuseExhausted(modules, configuration)
  return ''
}

function refuseUnready({ checks }: HealthReport): void {
  const failing = checks.filter(({ ok }) => !ok)
  if (failing.length === 0) return
  const isStarting = checks.some(({ name, ok }) => name === 'in-sync' && !ok)
  const limited = !isStarting && failing.some(({ name }) => carrying.includes(name))
  throw new CniError(
    limited ? 'limitedConnectivity' : 'notAvailable',
    `The agent is not ready: ${failing.map(({ reason }) => reason).join(' ')}`,
    "'drover node status' shows more.",
  )
}

async function refuseExhausted({ services }: OperationModules, configuration: Configuration): Promise<void> {
  const model = services.model()
  const named = namedPools(model, configuration)
  const usable = new Set(
    (named ?? model.list('IPPool').filter(({ spec }) => spec.assignmentMode === 'Automatic'))
      .filter(({ spec }) => !spec.disabled)
      .map(({ metadata }) => metadata.name),
  )
  const pools = (await services.allocator().show()).pools.filter(({ name }) => usable.has(name))
  const families =
    configuration.families ??
    (['ipv4', 'ipv6'] as const).filter((family) => pools.some((pool) => pool.family === family))
  const exhausted = (family: Family): boolean =>
    !pools.some((pool) => pool.family === family && pool.available > 0n)
  const without = families.filter(exhausted)
  if (families.length > 0 && without.length === 0) return
  throw new CniError(
    'notAvailable',
    without.length === 0
      ? 'No enabled IPPool serves this network.'
      : `No ${without.join(' and no ')} address is free for this network.`,
    "'drover ipam show' shows what is in use.",
  )
}
