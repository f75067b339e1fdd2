import type { Family, Log } from '@network/net'
import { DroverError } from '@network/net'
import type { AgentSettings } from '@network/datastore/model'
import type { DetectedAddress } from '../detect/detection.ts'
import type { HostLook } from '../detect/detector.ts'
import { parseDetectionMethod } from '../detect/method.ts'

/** What was found on this machine. */
export interface FoundAddresses {
  readonly addresses: Readonly<Partial<Record<Family, DetectedAddress>>>
  /** Every address that an interface of the machine carries, without length. */
  readonly present: ReadonlySet<string>
  /** Addresses, without length, by interface. */
  readonly interfaces: ReadonlyMap<string, readonly string[]>
  readonly mtuBytes: number
}

/**
 * Finds the node's addresses by the methods of the settings. One family may be absent; both only if nobody asked for
 * any (`none`).
 * @throws DroverError 'invalid-settings', DetectionError
 */
export async function findNodeAddresses(
  modules: { host: HostLook; log: Log },
  settings: AgentSettings,
  uplinksConfigured: boolean,
): Promise<FoundAddresses> {
  const { host, log } = modules
  const addresses: Partial<Record<Family, DetectedAddress>> = {}
  const failures: DroverError[] = []
  for (const family of ['ipv4', 'ipv6'] as const) {
    const text = settings[`${family}AddressMethod`]
    if (text === 'none') continue
    const method = parseDetectionMethod(expressionsOf(text))
    if (!method.ok) {
      throw new DroverError('invalid-settings', `${family}AddressMethod: ${method.error}`, {
        remedy: 'Correct it: first-found, interface=…, skip-interface=…, can-reach=… or cidr=….',
      })
    }
    try {
      addresses[family] = await host.nodeAddress(family, method.value)
    } catch (error) {
      if (!(error instanceof DroverError)) throw error
      failures.push(error)
    }
  }
  const [first] = failures
  if (first !== undefined) {
    if (addresses.ipv4 === undefined && addresses.ipv6 === undefined) throw first
    log.info({ reason: first.message }, 'the node has addresses of one family only')
  }
  const mtuBytes =
    settings.mtuBytes !== 0
      ? settings.mtuBytes
      : host.mtu({
          ...(uplinksConfigured ? { uplinks: settings.mtuInterfacePattern.map(expressionOf) } : {}),
          nodeDevices: Object.values(addresses).map(({ device }) => device),
        })
  return {
    addresses,
    present: new Set(host.view.links.flatMap((link) => link.addresses.map(({ address }) => address))),
    interfaces: new Map(
      host.view.links.map((link) => [link.name, link.addresses.map(({ address }) => address)]),
    ),
    mtuBytes,
  }
}

/** Settings name interfaces as people do, by `eth*` or `eth.*`; the detector takes regular expressions. */
function expressionOf(pattern: string): string {
  return pattern.replace(/\.\*|[*?.]/g, (part) => (part === '?' ? '.' : part === '.' ? '\\.' : '.*'))
}

function expressionsOf(method: string): string {
  const [, word = '', patterns = ''] = /^(interface|skip-interface)=(.*)$/.exec(method) ?? []
  return word === '' ? method : `${word}=${patterns.split(',').map(expressionOf).join(',')}`
}
