import {
  type Result,
  failure,
  formatAddress,
  formatPrefix,
  parseAddress,
  parsePrefix,
  success,
} from '@network/net'
import { ownership } from './driver.ts'

/** One next hop of a remote route. `gateway` may be IPv6 for an IPv4 destination (RFC 8950), then `device` is needed. */
export interface NextHop {
  readonly gateway: string
  /** Needed if the gateway is link-local. */
  readonly device?: string
  /** 1 … 256; 1 if absent. */
  readonly weight?: number
}

/** A route of ours in the main table. Destinations are canonical prefixes, `10.0.0.1/32` or `fd00::1/128`. */
export type RouteItem =
  /** To a workload of this node, through its interface. */
  | {
      readonly kind: 'workload'
      readonly destination: string
      readonly device: string
      readonly source?: string
    }
  /** To another node's block or workload, learned by BGP; several next hops share the load. */
  | {
      readonly kind: 'remote'
      readonly destination: string
      readonly nextHops: readonly NextHop[]
      readonly source?: string
      /** Where it is to differ from the metric of our other routes. */
      readonly metric?: number
    }
  /** A block of this node: what no workload's route covers goes nowhere instead of back to the default route. */
  | { readonly kind: 'blackhole'; readonly destination: string }

/** The key of a route in `Driver.setDesired`: its destination, so that one destination has one route. */
export function routeKey(item: RouteItem): string {
  return item.destination
}

/**
 * The canonical form of a route, equal for a desired route and the kernel's account of it: what follows the
 * destination on `ip`'s command line, next hops sorted, devices left out where the desired route names none.
 */
export interface RouteForm {
  readonly destination: string
  readonly type: 'unicast' | 'blackhole'
  readonly source: string | undefined
  readonly hops: readonly RouteHop[]
  /** Absent where it is the one that the kernel gives a route which names none: 0 for IPv4, 1024 for IPv6. */
  readonly metric?: number
}

/** Destination and metric: the kernel holds one route for each. */
export function routeFormKey({ destination, metric }: RouteForm): string {
  return metric === undefined ? destination : `${destination} metric ${String(metric)}`
}

interface RouteHop {
  readonly gateway: string | undefined
  readonly device: string | undefined
  readonly weight: number
}

const deviceName = /^[A-Za-z0-9_.-]{1,15}$/

function addressText(text: string, what: string): Result<string, string> {
  const parsed = parseAddress(text)
  return parsed.ok ? success(formatAddress(parsed.value)) : failure(`${what} '${text}' is not an address`)
}

/**
 * Checks a desired route and brings it into canonical form; the error is the end of a sentence.
 * @param metric of routes that name none themselves; 0: as the kernel gives it
 */
export function routeForm(item: RouteItem, metric = 0): Result<RouteForm, string> {
  const destination = parsePrefix(item.destination)
  if (!destination.ok) return failure(`its destination is not a prefix: ${destination.error.reason}`)
  const family = destination.value.address.family
  const canonical = formatPrefix(destination.value)
  if (canonical !== item.destination) return failure(`its destination should be written ${canonical}`)
  const wanted = item.kind === 'remote' ? (item.metric ?? metric) : metric
  if (!Number.isInteger(wanted) || wanted < 0 || wanted > 0xffff_ffff) {
    return failure(`metric ${String(wanted)} is not between 0 and 4294967295`)
  }
  const ranked = wanted === 0 ? {} : unusualMetric(wanted, canonical)
  if (item.kind === 'blackhole') {
    return success({ destination: canonical, type: 'blackhole', source: undefined, hops: [], ...ranked })
  }
  let source: string | undefined
  if (item.source !== undefined) {
    const parsed = addressText(item.source, 'source')
    if (!parsed.ok) return parsed
    if (parsed.value.includes(':') !== (family === 'ipv6')) {
      return failure(`its source ${parsed.value} is of the other family`)
    }
    source = parsed.value
  }
  if (item.kind === 'workload') {
    if (!deviceName.test(item.device)) return failure(`device '${item.device}' is not an interface name`)
    return success({
      destination: canonical,
      type: 'unicast',
      source,
      hops: [{ gateway: undefined, device: item.device, weight: 1 }],
      ...ranked,
    })
  }
  const hops: RouteHop[] = []
  for (const hop of item.nextHops) {
    const gateway = addressText(hop.gateway, 'next hop')
    if (!gateway.ok) return gateway
    const isIpv6 = gateway.value.includes(':')
    if (family === 'ipv6' && !isIpv6) return failure(`next hop ${gateway.value} is IPv4`)
    if (hop.device !== undefined && !deviceName.test(hop.device)) {
      return failure(`device '${hop.device}' is not an interface name`)
    }
    if (hop.device === undefined && isIpv6 && (family === 'ipv4' || /^fe[89ab]/.test(gateway.value))) {
      return failure(`next hop ${gateway.value} needs a device`)
    }
    const weight = hop.weight ?? 1
    if (!Number.isInteger(weight) || weight < 1 || weight > 256) {
      return failure(`weight ${String(weight)} is not between 1 and 256`)
    }
    hops.push({ gateway: gateway.value, device: hop.device, weight })
  }
  if (hops.length === 0) return failure('it has no next hop')
  return success({ destination: canonical, type: 'unicast', source, hops: sortHops(hops), ...ranked })
}

function sortHops(hops: readonly RouteHop[]): readonly RouteHop[] {
  const text = (hop: RouteHop): string => `${hop.gateway ?? ''} ${hop.device ?? ''}`
  return hops.length < 2
    ? hops
    : [...hops].sort((a, b) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0))
}

/**
 * Whether the kernel's route of this destination and metric is the desired one. A device that the desired route leaves
 * open matches any.
 */
export function sameRoute(desired: RouteForm, actual: RouteForm): boolean {
  return (
    desired.type === actual.type &&
    desired.hops.length === actual.hops.length &&
    (desired.source === undefined ? true : desired.source === actual.source) &&
    desired.hops.every((hop, i) => {
      const other = actual.hops[i]
      return (
        other !== undefined &&
        hop.gateway === other.gateway &&
        (hop.device === undefined || hop.device === other.device) &&
        (desired.hops.length === 1 || hop.weight === other.weight)
      )
    })
  )
}

function hopWords(hop: RouteHop, isIpv4: boolean): string {
  const via =
    hop.gateway === undefined
      ? ''
      : isIpv4 && hop.gateway.includes(':')
        ? ` via inet6 ${hop.gateway}`
        : ` via ${hop.gateway}`
  return `${via}${hop.device === undefined ? '' : ` dev ${hop.device}`}`
}

/** The line for `ip -batch`. Every value in a RouteForm has been parsed, so nothing in it can be read as another word. */
export function routeLine(action: 'add' | 'replace', form: RouteForm): string {
  const isIpv4 = !form.destination.includes(':')
  const head = `route ${action} ${form.type === 'blackhole' ? 'blackhole ' : ''}${form.destination}`
  const source = form.source === undefined ? '' : ` src ${form.source}`
  const common = ` proto ${String(ownership.routeProtocol)}${metricWords(form)}`
  const [first] = form.hops
  if (first === undefined) return `${head}${common}`
  if (form.hops.length === 1) {
    const scope = first.gateway === undefined && isIpv4 ? ' scope link' : ''
    return `${head}${hopWords(first, isIpv4)}${common}${scope}${source}`
  }
  const hops = form.hops
    .map((hop) => ` nexthop${hopWords(hop, isIpv4)} weight ${String(hop.weight)}`)
    .join('')
  return `${head}${common}${source}${hops}`
}

/** The line that removes a route of ours and nobody else's. */
export function routeRemovalLine(form: RouteForm): string {
  const type = form.type === 'blackhole' ? 'blackhole ' : ''
  // A removal that names no metric takes the lowest: with IPv4 that is 0, the unnamed one; with IPv6 it need not be.
  const metric = metricWords(form) || (form.destination.includes(':') ? ' metric 1024' : '')
  return `route del ${type}${form.destination} proto ${String(ownership.routeProtocol)}${metric}`
}

function metricWords({ metric }: RouteForm): string {
  return metric === undefined ? '' : ` metric ${String(metric)}`
}

/** The metric, unless it is what the kernel gives a route that names none. */
function unusualMetric(metric: unknown, destination: string): { metric?: number } {
  const own = destination.includes(':') ? 1024 : 0
  return typeof metric === 'number' && metric !== own ? { metric } : {}
}

interface KernelHop {
  readonly gateway?: unknown
  readonly via?: unknown
  readonly dev?: unknown
  readonly weight?: unknown
}

function kernelHop(hop: KernelHop): RouteHop {
  const via = typeof hop.via === 'object' && hop.via !== null && 'host' in hop.via ? hop.via.host : undefined
  const gateway = typeof hop.gateway === 'string' ? hop.gateway : typeof via === 'string' ? via : undefined
  return {
    gateway,
    device: typeof hop.dev === 'string' ? hop.dev : undefined,
    weight: typeof hop.weight === 'number' ? hop.weight : 1,
  }
}

/** Reads one entry of `ip -json -N route show`; undefined for what is not in the main table or not as we make routes. */
export function kernelRoute(value: unknown): RouteForm | undefined {
  if (typeof value !== 'object' || value === null || !('dst' in value) || typeof value.dst !== 'string') {
    return undefined
  }
  const entry = value as KernelHop & {
    dst: string
    type?: unknown
    table?: unknown
    prefsrc?: unknown
    metric?: unknown
  }
  if (entry.table !== undefined && entry.table !== 'main' && entry.table !== '254') return undefined
  const isIpv6Default = entry.dst === 'default' && 'pref' in entry
  const dst = entry.dst === 'default' ? (isIpv6Default ? '::/0' : '0.0.0.0/0') : entry.dst
  const destination = dst.includes('/') ? dst : `${dst}/${dst.includes(':') ? '128' : '32'}`
  // -N prints route types by their numbers in linux/rtnetlink.h.
  const type = entry.type ?? '1'
  if (type === '6' || type === 'blackhole') {
    return {
      destination,
      type: 'blackhole',
      source: undefined,
      hops: [],
      ...unusualMetric(entry.metric, destination),
    }
  }
  if (type !== '1' && type !== 'unicast') return undefined
  const source = typeof entry.prefsrc === 'string' ? entry.prefsrc : undefined
  const nested: unknown = 'nexthops' in entry ? entry.nexthops : undefined
  const hops = Array.isArray(nested) ? nested.map((hop) => kernelHop(hop as KernelHop)) : [kernelHop(entry)]
  return {
    destination,
    type: 'unicast',
    source,
    hops: sortHops(hops),
    ...unusualMetric(entry.metric, destination),
  }
}
