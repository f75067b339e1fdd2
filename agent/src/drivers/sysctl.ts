import { readFileSync, writeFileSync } from 'node:fs'
import { DroverError } from '@network/net'
import type { Ipv4Setting } from '../netlink/codec/numbers.ts'

/** One kernel setting: the file below /proc/sys, `net/ipv4/ip_forward`, and its value as text. */
export interface SysctlSetting {
  readonly path: string
  readonly value: string
  /** Set only if the present value is this one. */
  readonly onlyIf?: string
  /** Nothing is wrong if the kernel, or the interface, has no such setting, as without IPv6. */
  readonly optional?: boolean
}

export type SysctlErrorCode = 'sysctl-missing' | 'sysctl-refused' | 'sysctl-not-kept'

/** A kernel setting could not be made. */
export class SysctlError extends DroverError {
  declare readonly code: SysctlErrorCode
}

const root = '/proc/sys/'
const component = /^[A-Za-z0-9_.-]+$/

function fileOf(path: string): string {
  if (!path.split('/').every((part) => component.test(part) && part !== '.' && part !== '..')) {
    throw new TypeError(`not a path below ${root}: ${path}`)
  }
  return root + path
}

/** The present value without its line end; undefined if the kernel has no such setting. */
export function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(fileOf(path), 'utf8').trimEnd()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The settings that are not as they should be, each with its present value. */
export function differingSysctls(
  settings: readonly SysctlSetting[],
): readonly { path: string; expected: string; actual: string }[] {
  return settings.flatMap(({ path, value, optional }) => {
    const present = readSysctl(path)
    if (present === value || (present === undefined && optional === true)) return []
    return [{ path, expected: value, actual: present ?? 'absent' }]
  })
}

/**
 * Makes the settings in order and reads each back.
 * @returns how many were different before
 * @throws SysctlError at the first that can't be made
 */
export function writeSysctls(settings: readonly SysctlSetting[]): number {
  let changed = 0
  for (const { path, value, onlyIf, optional } of settings) {
    const present = readSysctl(path)
    const details = { path, value, present }
    if (present === undefined) {
      if (optional === true) continue
      throw new SysctlError('sysctl-missing', `The kernel has no setting ${root}${path}.`, {
        remedy: path.includes('/ipv6/')
          ? 'IPv6 is disabled in this kernel: boot without ipv6.disable=1, or use IPv4 pools only.'
          : 'Check that the interface still exists and that /proc is mounted.',
        details,
      })
    }
    if (present === value || (onlyIf !== undefined && present !== onlyIf)) continue
    try {
      writeFileSync(fileOf(path), value)
    } catch (error) {
      throw new SysctlError('sysctl-refused', `${root}${path} can't be set to ${value}.`, {
        remedy:
          'The agent needs root, CAP_NET_ADMIN and a writable /proc/sys (not a container with a read-only one).',
        details,
        cause: error,
      })
    }
    const kept = readSysctl(path)
    if (kept !== value) {
      throw new SysctlError(
        'sysctl-not-kept',
        `${root}${path} was set to ${value} but reads ${kept ?? 'nothing'}.`,
        { remedy: 'Something else sets it at the same time: look for it in /etc/sysctl.d.', details },
      )
    }
    changed++
  }
  return changed
}

/**
 * Makes the settings of an interface that was just made, which nobody else sets: those that nearly always differ are
 * written without being read before and after.
 * @throws SysctlError at the first that can't be made
 */
export function writeFreshSysctls(settings: readonly SysctlSetting[]): void {
  const careful = settings.filter(({ path, value }) => {
    const key = path.slice(path.lastIndexOf('/') + 1)
    if (ownByDefault.has(key)) return true
    try {
      writeFileSync(fileOf(path), value)
      return false
    } catch {
      return true
    }
  })
  writeSysctls(careful)
}

/** What the kernel gives a new interface on a host that forwards. To write them takes a lock that others hold. */
const ownByDefault: ReadonlySet<string> = new Set(['forwarding', 'disable_ipv6'])

/**
 * What the whole host needs: forwarding in both families (the kernel then also stops to accept router advertisements,
 * unless accept_ra is 2, so an uplink that has its default route from them gets 2), and no answer on the wire for the gateway
 * address that all host ends carry.
 * @param options `uplinks`: the interfaces that lead to other nodes
 */
export function hostSysctls(options: {
  uplinks: readonly string[]
  families: readonly ('ipv4' | 'ipv6')[]
}): readonly SysctlSetting[] {
  const ipv6 = options.families.includes('ipv6')
  return [
    { path: 'net/ipv4/ip_forward', value: '1' },
    ...options.uplinks.map((name) => ({
      path: `net/ipv4/conf/${name}/arp_ignore`,
      value: '3',
      onlyIf: '0',
    })),
    ...(ipv6
      ? options.uplinks.map((name) => ({
          path: `net/ipv6/conf/${name}/accept_ra`,
          value: '2',
          onlyIf: '1',
        }))
      : []),
    ...(ipv6 ? [{ path: 'net/ipv6/conf/all/forwarding', value: '1' }] : []),
  ]
}

/** What the workload of an interface is allowed, as far as the kernel's own settings bear on it. */
export interface InterfaceWishes {
  /** Packets of 127.0.0.0/8 may leave by it; what comes in for such an address is dropped by the chains of policy. */
  readonly fromLoopback: boolean
  /** Those chains alone check sources. */
  readonly foreignSources: boolean
}

/** What the host's end of a workload's interface needs for IPv4: names of sysctl below net.ipv4.conf, and values. */
export function hostInterfaceIpv4Settings(wishes: InterfaceWishes): Readonly<Record<Ipv4Setting, number>> {
  return {
    // The kernel itself drops what a workload sends with an address that is not its own.
    rp_filter: wishes.foreignSources ? 0 : 1,
    route_localnet: wishes.fromLoopback ? 1 : 0,
    forwarding: 1,
    proxy_arp: 1,
    send_redirects: 0,
    accept_redirects: 0,
  }
}

/** What the host's end of a workload's interface needs beside `hostInterfaceIpv4Settings`. */
export function hostInterfaceOtherSysctls(name: string): readonly SysctlSetting[] {
  const ipv6 = (key: string, value: string): SysctlSetting => ({
    path: `net/ipv6/conf/${name}/${key}`,
    value,
    optional: true,
  })
  return [
    { path: `net/ipv4/neigh/${name}/proxy_delay`, value: '0' },
    ipv6('disable_ipv6', '0'),
    ipv6('accept_ra', '0'),
    ipv6('accept_dad', '0'),
    ipv6('accept_redirects', '0'),
    ipv6('forwarding', '1'),
    ipv6('proxy_ndp', '1'),
  ]
}

/** All that the host's end of a workload's interface needs. */
export function hostInterfaceSysctls(name: string, wishes: InterfaceWishes): readonly SysctlSetting[] {
  const ipv4 = Object.entries(hostInterfaceIpv4Settings(wishes)).map(([key, value]) => ({
    path: `net/ipv4/conf/${name}/${key}`,
    value: String(value),
  }))
  return [...ipv4, ...hostInterfaceOtherSysctls(name)]
}
