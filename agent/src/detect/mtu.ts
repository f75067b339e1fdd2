import { ownership } from '../drivers/driver.ts'
import { type HostLink, type HostView } from './host-links.ts'
import { interfacePattern } from './method.ts'

/** What an Ethernet interface has when nothing else is known. */
const ethernetMtuBytes = 1500

/**
 * The MTU for workloads' interfaces: the smallest of the uplinks', so that no packet of a workload is too big for
 * the way out. Plain routing takes nothing off. 1500 if no uplink is up.
 * @param request `uplinks`: expressions of whole interface names; if absent, the interfaces of default routes and `nodeDevices`
 */
export function workloadMtu(
  view: HostView,
  request: { uplinks?: readonly string[]; nodeDevices: readonly string[]; interfacePrefix?: string },
): number {
  const prefix = request.interfacePrefix ?? ownership.interfacePrefix
  const named = request.uplinks?.flatMap((text) => {
    const pattern = interfacePattern(text)
    return pattern.ok ? [pattern.value] : []
  })
  const own = new Set([...request.nodeDevices, ...view.defaultDevices.ipv4, ...view.defaultDevices.ipv6])
  const isUplink = (link: HostLink): boolean =>
    link.up &&
    !link.loopback &&
    !link.name.startsWith(prefix) &&
    (named === undefined ? own.has(link.name) : named.some((pattern) => pattern.test(link.name)))
  const sizes = view.links.filter(isUplink).map((link) => link.mtuBytes)
  return sizes.length === 0 ? ethernetMtuBytes : Math.min(...sizes)
}
