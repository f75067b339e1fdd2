/**
 * Kernel settings inside a workload's namespace. /proc/sys/net is that of whoever opens it, so they are read and written
 * by a visit there.
 */
import { type SysctlSetting, differingSysctls, writeSysctls } from '../drivers/sysctl.ts'
import { inNamespace } from '../netlink/namespace.ts'
import type { CheckedSpec } from './wire-spec.ts'
import { type WireDifference } from './wire.ts'

/** A workload forwards nothing, learns no route from others, and uses its addresses at once. */
function settingsOf(spec: CheckedSpec): readonly SysctlSetting[] {
  const dev = spec.interfaceName
  const off = (path: string, optional = false): SysctlSetting => ({ path, value: '0', optional })
  return [
    off('net/ipv4/ip_forward'),
    off('net/ipv6/conf/all/forwarding', true),
    // Below an MTU of 1280 an interface has no IPv6 at all.
    off(`net/ipv6/conf/${dev}/accept_ra`, true),
    ...(spec.addresses.ipv6.length > 0
      ? [off(`net/ipv6/conf/${dev}/accept_dad`), off(`net/ipv6/conf/${dev}/disable_ipv6`)]
      : []),
  ]
}

/**
 * Makes them.
 * @param file an open file of the namespace
 * @throws SysctlError, NamespaceError
 */
export function applyNamespaceSettings(file: number, spec: CheckedSpec): void {
  inNamespace(file, () => writeSysctls(settingsOf(spec)))
}

/** Those that are not as they should be. `accept_dad` has no meaning once the addresses are there. */
export function compareNamespaceSettings(file: number, spec: CheckedSpec): readonly WireDifference[] {
  const settings = settingsOf(spec).filter(({ path }) => !path.endsWith('accept_dad'))
  return inNamespace(file, () => differingSysctls(settings)).map(({ path, ...difference }) => ({
    field: `container.sysctl ${path}`,
    ...difference,
  }))
}
