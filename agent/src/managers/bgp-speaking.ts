/** The nodes as speakers: what of the model bears on BGP, who each node is in it, and how this one's speaker begins. */
import type { SpeakerOptions } from '@network/bgp'
import { type Address, type Family, formatAddress, parseInterfaceAddress } from '@network/net'
import { BGP_DEFAULTS, type ResourceOf, type effectiveBgpConfiguration } from '@network/datastore/model'

/** Of the model, what BGP wants to know. */
export interface BgpModel {
  readonly nodes: Map<string, ResourceOf<'Node'>>
  readonly pools: Map<string, ResourceOf<'IPPool'>>
  readonly configurations: Map<string, ResourceOf<'BGPConfiguration'>>
  readonly peers: Map<string, ResourceOf<'BGPPeer'>>
  readonly filters: Map<string, ResourceOf<'BGPFilter'>>
}

/** A node as its peers see it. */
export interface Speaking {
  readonly name: string
  readonly resource: ResourceOf<'Node'>
  readonly asNumber: number
  readonly addresses: Readonly<Partial<Record<Family, Address>>>
  readonly clusterId: string | undefined
}

export const FAMILIES: readonly Family[] = ['ipv4', 'ipv6']

/** A Node resource as a speaker. Addresses that don't parse are none. */
export function speakingNode(resource: ResourceOf<'Node'>, model: BgpModel): Speaking {
  const { name } = resource.metadata
  const { bgp } = resource.spec
  const of = (text: string | undefined): Address | undefined => {
    const parsed = text === undefined ? undefined : parseInterfaceAddress(text)
    return parsed?.ok === true ? parsed.value.address : undefined
  }
  const ipv4 = of(bgp?.ipv4Address)
  const ipv6 = of(bgp?.ipv6Address)
  return {
    name,
    resource,
    asNumber:
      bgp?.asNumber ??
      model.configurations.get(`node.${name}`)?.spec.asNumber ??
      model.configurations.get('default')?.spec.asNumber ??
      BGP_DEFAULTS.asNumber,
    addresses: { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) },
    clusterId: bgp?.routeReflectorClusterID,
  }
}

/** Who this node's speaker is, and where it listens. */
export function speakerOptions(
  self: Speaking,
  configuration: ReturnType<typeof effectiveBgpConfiguration>,
): SpeakerOptions {
  const port = String(configuration.listenPort)
  const listen = FAMILIES.flatMap((family) => {
    const address = self.addresses[family]
    if (address === undefined) return []
    if (configuration.bindMode === 'NodeIP') {
      return [family === 'ipv4' ? `${formatAddress(address)}:${port}` : `[${formatAddress(address)}]:${port}`]
    }
    return [family === 'ipv4' ? `0.0.0.0:${port}` : `[::]:${port}`]
  })
  return {
    asn: self.asNumber,
    routerId:
      self.addresses.ipv4 === undefined ? hashedRouterId(self.name) : formatAddress(self.addresses.ipv4),
    ...(self.clusterId === undefined ? {} : { clusterId: self.clusterId }),
    listen,
  }
}

/** An identifier for a node without IPv4 (RFC 6286: any 32 bits but zero): FNV-1a of its name. */
function hashedRouterId(name: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0
  const id = hash === 0 ? 1 : hash
  return [id >>> 24, (id >>> 16) & 255, (id >>> 8) & 255, id & 255].join('.')
}
