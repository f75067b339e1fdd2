/**
 * Kernel settings inside a workload's namespace. /proc/sys/net is that of whoever opens it, so they are read and written
 * by a visit there.
 */
import { type SysctlSetting, hasSysctl, readSysctl, writeSysctls } from '../drivers/sysctl.ts'
import { inNamespace } from '../netlink/namespace.ts'
import type { CheckedSpec } from './wire-spec.ts'
import { type WireDifference } from './wire.ts'

/** A workload forwards nothing, learns no route from others, and uses its addresses at once. */
function settingsOf(spec: CheckedSpec): readonly SysctlSetting[] {
  const dev = spec.interfaceName
  const ipv6 = hasSysctl('net/ipv6/conf/all/forwarding')
  // Below an MTU of 1280 an interface has no IPv6 at all.
  const interfaceHasIpv6 = ipv6 && hasSysctl(`net/ipv6/conf/${dev}/accept_ra`)
  const paths = [
    'net/ipv4/ip_forward',
    ...(ipv6 ? ['net/ipv6/conf/all/forwarding'] : []),
    ...(interfaceHasIpv6 ? [`net/ipv6/conf/${dev}/accept_ra`] : []),
    ...(spec.addresses.ipv6.length > 0
      ? [`net/ipv6/conf/${dev}/accept_dad`, `net/ipv6/conf/${dev}/disable_ipv6`]
      : []),
  ]
  return paths.map((path) => ({ path, value: '0' }))
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
  return inNamespace(file, () =>
    settingsOf(spec)
      .filter(({ path }) => !path.endsWith('accept_dad'))
      .map(({ path, value }) => ({
        field: `container.sysctl ${path}`,
        expected: value,
        actual: readSysctl(path) ?? 'absent',
      })),
  ).filter((difference) => difference.expected !== difference.actual)
}
