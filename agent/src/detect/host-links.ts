import { type Clock, type Family } from '@network/net'
import { createIpSession, show } from '../drivers/ip-session.ts'
import { type Exec } from '../exec.ts'

/** An interface of the host with what detection judges it by. */
export interface HostLink {
  readonly name: string
  readonly index: number
  /** `bridge`, `veth`, `bond` …; `none` for a device of hardware. */
  readonly kind: string
  readonly loopback: boolean
  /** Set up, and its other end too. */
  readonly up: boolean
  readonly mtuBytes: number
  readonly addresses: readonly HostAddress[]
}

export interface HostAddress {
  readonly family: Family
  readonly address: string
  readonly length: number
  readonly scope: 'global' | 'site' | 'link' | 'host'
  /** False while duplicate detection runs or after it failed, and for temporary and deprecated addresses. */
  readonly steady: boolean
}

/** The host's interfaces and where its default routes lead. */
export interface HostView {
  readonly links: readonly HostLink[]
  readonly defaultDevices: Readonly<Record<Family, readonly string[]>>
}

const scopes: Readonly<Record<string, HostAddress['scope']>> = { '0': 'global', '200': 'site', '253': 'link' }

interface AddressDocument {
  readonly family?: unknown
  readonly local?: unknown
  readonly prefixlen?: unknown
  readonly scope?: unknown
  readonly tentative?: unknown
  readonly dadfailed?: unknown
  readonly temporary?: unknown
  readonly deprecated?: unknown
}

interface LinkDocument {
  readonly ifname?: unknown
  readonly ifindex?: unknown
  readonly mtu?: unknown
  readonly flags?: unknown
  readonly linkinfo?: { readonly info_kind?: unknown }
  readonly addr_info?: unknown
}

interface RouteDocument {
  readonly dst?: unknown
  readonly dev?: unknown
  readonly table?: unknown
  readonly pref?: unknown
  readonly metric?: unknown
  readonly nexthops?: readonly { readonly dev?: unknown }[]
}

function list(document: unknown): readonly object[] {
  if (!Array.isArray(document)) return []
  return document.filter((entry): entry is object => typeof entry === 'object' && entry !== null)
}

function readAddress(entry: AddressDocument): readonly HostAddress[] {
  if (typeof entry.local !== 'string' || (entry.family !== 'inet' && entry.family !== 'inet6')) return []
  return [
    {
      family: entry.family === 'inet' ? 'ipv4' : 'ipv6',
      address: entry.local,
      length: Number(entry.prefixlen),
      scope: scopes[String(entry.scope)] ?? 'host',
      steady:
        entry.tentative !== true &&
        entry.dadfailed !== true &&
        entry.temporary !== true &&
        entry.deprecated !== true,
    },
  ]
}

/** Reads `addr show` and `route show table all` of `ip -json -details -N`. Pure. */
export function hostView(addressDocument: unknown, routeDocument: unknown): HostView {
  const links = list(addressDocument).map((entry: LinkDocument) => {
    const flags = new Set<unknown>(Array.isArray(entry.flags) ? entry.flags : [])
    return {
      name: typeof entry.ifname === 'string' ? entry.ifname : '',
      index: Number(entry.ifindex),
      kind: typeof entry.linkinfo?.info_kind === 'string' ? entry.linkinfo.info_kind : 'none',
      loopback: flags.has('LOOPBACK'),
      up: flags.has('UP') && flags.has('LOWER_UP'),
      mtuBytes: Number(entry.mtu),
      addresses: list(entry.addr_info).flatMap(readAddress),
    }
  })
  const defaults: Record<Family, { device: string; metric: number }[]> = { ipv4: [], ipv6: [] }
  for (const route of list(routeDocument) as readonly RouteDocument[]) {
    if (route.dst !== 'default' || (route.table !== undefined && route.table !== '254')) continue
    const family: Family = 'pref' in route ? 'ipv6' : 'ipv4'
    const metric = Number(route.metric ?? 0)
    for (const hop of [route, ...(route.nexthops ?? [])]) {
      if (typeof hop.dev === 'string') defaults[family].push({ device: hop.dev, metric })
    }
  }
  const order = (family: Family): readonly string[] => [
    ...new Set(defaults[family].toSorted((a, b) => a.metric - b.metric).map((route) => route.device)),
  ]
  return { links, defaultDevices: { ipv4: order('ipv4'), ipv6: order('ipv6') } }
}

/** Reads the host's interfaces and default routes from the kernel. */
export async function readHostView(modules: { exec: Exec; clock: Clock }): Promise<HostView> {
  const session = createIpSession(modules)
  try {
    const [addresses, routes] = await session.run([show('addr show'), show('route show table all')])
    return hostView(addresses?.output, routes?.output)
  } finally {
    session.close()
  }
}
