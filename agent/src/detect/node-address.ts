import { DroverError, type Family, address, parseAddress, parsePrefix, prefixContains } from '@network/net'
import { ownership } from '../drivers/driver.ts'
import { type Considered, type DetectedAddress, type DetectionMethod } from './detection.ts'
import { type HostLink, type HostView } from './host-links.ts'
import { interfacePattern } from './method.ts'

/** No address of the node was found; `details.considered` lists every interface with the reason. */
export class DetectionError extends DroverError {}

/** Names that never carry a node's address unless the method names the interface itself. */
const skippedNames =
  /^(docker.*|br-.*|virbr.*|veth.*|cni.*|cali.*|flannel.*|cilium.*|lxc.*|kube-.*|podman.*|lxdbr.*|tunl.*|wg.*)$/

function why(link: HostLink, view: HostView, family: Family, prefix: string): string | undefined {
  if (link.loopback) return 'it is the loopback interface'
  if (!link.up) return 'it is down'
  if (link.name.startsWith(prefix)) return 'it is an interface of a workload'
  if (skippedNames.test(link.name)) return 'its name is one of container and virtual machine networks'
  const carriesDefault = view.defaultDevices[family].includes(link.name)
  if (link.kind === 'bridge' && !carriesDefault) return 'it is a bridge without the default route'
  return undefined
}

interface Candidate {
  readonly link: HostLink
  readonly address: string
  readonly length: number
}

function byDefaultRouteFirst(view: HostView, family: Family): (a: HostLink, b: HostLink) => number {
  const rank = (link: HostLink): number => {
    const place = view.defaultDevices[family].indexOf(link.name)
    return place < 0 ? Number.MAX_SAFE_INTEGER : place
  }
  return (a, b) => rank(a) - rank(b) || a.index - b.index
}

function matchesAny(name: string, patterns: readonly string[]): boolean {
  return patterns.some((text) => {
    const pattern = interfacePattern(text)
    return pattern.ok && pattern.value.test(name)
  })
}

export interface DetectionRequest {
  readonly family: Family
  readonly method: DetectionMethod
  /** For `can-reach`: the source that the kernel would use towards the target; undefined if it has no route. */
  readonly reachableFrom?: string | undefined
  readonly interfacePrefix?: string
}

/**
 * The node's own address of a family. Pure: the view and, for `can-reach`, the kernel's choice come as arguments.
 * @throws DetectionError if none fits
 */
export function chooseNodeAddress(view: HostView, request: DetectionRequest): DetectedAddress {
  const { family, method } = request
  const prefix = request.interfacePrefix ?? ownership.interfacePrefix
  const considered: Considered[] = []
  const candidates: Candidate[] = []
  for (const link of view.links.toSorted(byDefaultRouteFirst(view, family))) {
    const reason = refusal(link, view, request, prefix)
    if (reason !== undefined) {
      considered.push({ device: link.name, reason })
      continue
    }
    const usable = link.addresses.filter((a) => a.family === family)
    if (usable.length === 0)
      considered.push({ device: link.name, reason: `it has no ${familyName(family)} address` })
    for (const a of usable) {
      const fault = addressFault(a, method, request)
      if (fault === undefined) candidates.push({ link, address: a.address, length: a.length })
      else considered.push({ device: link.name, address: a.address, reason: fault })
    }
  }
  const [found] = candidates
  if (found === undefined) throw nothingFound(request, considered)
  return {
    family,
    address: found.address,
    interfaceAddress: `${found.address}/${String(found.length)}`,
    device: found.link.name,
    mtuBytes: found.link.mtuBytes,
  }
}

function familyName(family: Family): string {
  return family === 'ipv4' ? 'IPv4' : 'IPv6'
}

function refusal(
  link: HostLink,
  view: HostView,
  { family, method }: DetectionRequest,
  prefix: string,
): string | undefined {
  switch (method.method) {
    case 'interface':
      if (!matchesAny(link.name, method.patterns))
        return `its name does not match ${method.patterns.join(', ')}`
      // Named outright, a bridge or a loopback may be meant; one that is down is not.
      return link.up ? undefined : 'it is down'
    case 'skip-interface':
      if (matchesAny(link.name, method.patterns)) return `its name matches ${method.patterns.join(', ')}`
      return why(link, view, family, prefix)
    case 'can-reach':
      // The kernel's choice counts; an address may lie on lo, as routing on the host has it.
      return undefined
    case 'cidr':
      return link.up
        ? link.name.startsWith(prefix)
          ? 'it is an interface of a workload'
          : undefined
        : 'it is down'
    case 'first-found':
      return why(link, view, family, prefix)
  }
}

function addressFault(
  a: HostLink['addresses'][number],
  method: DetectionMethod,
  request: DetectionRequest,
): string | undefined {
  if (a.scope !== 'global' && a.scope !== 'site') return `its scope is ${a.scope}`
  if (!a.steady) return 'it is tentative, temporary or deprecated'
  if (method.method === 'can-reach' && a.address !== request.reachableFrom) {
    return request.reachableFrom === undefined
      ? `the kernel has no route to ${method.target}`
      : `the kernel reaches ${method.target} from ${request.reachableFrom}`
  }
  if (method.method === 'cidr') {
    const own = address(a.address)
    const inside = method.prefixes.some((text) => {
      const parsed = parsePrefix(text)
      return parsed.ok && prefixContains(parsed.value, own)
    })
    if (!inside) return `it lies outside ${method.prefixes.join(', ')}`
  }
  return undefined
}

/** The text form in which a person wrote the method. */
export function describeMethod(method: DetectionMethod): string {
  switch (method.method) {
    case 'first-found':
      return 'first-found'
    case 'can-reach':
      return `can-reach=${method.target}`
    case 'cidr':
      return `cidr=${method.prefixes.join(',')}`
    case 'interface':
    case 'skip-interface':
      return `${method.method}=${method.patterns.join(',')}`
  }
}

function nothingFound(request: DetectionRequest, considered: readonly Considered[]): DetectionError {
  const list = considered
    .map(({ device, address: text, reason }) => `${device}${text === undefined ? '' : ` ${text}`}: ${reason}`)
    .join('; ')
  return new DetectionError(
    'no-node-address',
    `No ${familyName(request.family)} address of this node was found by ${describeMethod(request.method)}. Considered: ${list === '' ? 'no interface' : list}.`,
    {
      remedy:
        `Give the node an address, or choose it yourself: spec.bgp.${request.family}Address of its Node, ` +
        'or another method such as interface=NAME.',
      details: { family: request.family, considered },
    },
  )
}

/** The first word after `src` in what `ip route get` answered; undefined if there is no route. */
export function sourceOfRouteGet(document: unknown): string | undefined {
  if (!Array.isArray(document)) return undefined
  const [route] = document as readonly { readonly prefsrc?: unknown }[]
  const source = route?.prefsrc
  return typeof source === 'string' && parseAddress(source).ok ? source : undefined
}
