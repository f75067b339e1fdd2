/**
 * Interfaces: rtnetlink(7) RTM_*LINK.
 *
 *   struct ifinfomsg { u8 family; u8 pad; u16 type; s32 index; u32 flags; u32 change } attributes
 */
import { type Result, success } from '@network/net'
import {
  type Attributes,
  type NetlinkFault,
  decodeAttributes,
  decodeMacText,
  decodeText,
  decodeU32,
  decodeU8,
  encodeAttribute,
  encodeMacText,
  encodeText,
  encodeU32,
  fault,
  join,
  littleEndian,
  viewOf,
} from './attribute.ts'
import {
  AddressFamily,
  Inet4Attribute,
  Inet6Attribute,
  LinkAttribute,
  LinkFlag,
  LinkInfo,
  MessageFlag,
  MessageType,
  type Ipv4Setting,
  ipv4Settings,
  skipStatistics,
} from './numbers.ts'
import { type Request } from './message.ts'

/** An interface as the kernel describes it, or what a request says of one. */
export interface Link {
  /** 0: named by `name`. */
  readonly index: number
  /** In a request: set or left alone if absent. */
  readonly up?: boolean
  readonly name?: string
  readonly mac?: string
  readonly mtuBytes?: number
  readonly group?: number
  /** Index of the interface that this one stands on; of a veth, the other end. */
  readonly link?: number
  /** Id of the namespace in which `link` is, if not in ours; an id of no namespace is negative. */
  readonly linkNamespace?: number
  readonly kind?: string
  /** Requests only: an open file of the namespace where it shall be. */
  readonly namespaceFile?: number
  /** Requests only: the other end of a veth. */
  readonly peer?: Link
  /** Whether IPv6 makes no link-local address for it on its own. */
  readonly noOwnAddress?: boolean
  /** Requests that change an interface only: its settings for IPv4. */
  readonly ipv4Settings?: Readonly<Partial<Record<Ipv4Setting, number>>>
}

const headerLength = 16

export function encodeLink(link: Link): Uint8Array {
  const header = new Uint8Array(headerLength)
  const view = viewOf(header)
  view.setInt32(4, link.index, littleEndian)
  if (link.up !== undefined) {
    view.setUint32(8, link.up ? LinkFlag.up : 0, littleEndian)
    view.setUint32(12, LinkFlag.up, littleEndian)
  }
  const parts: Uint8Array[] = [header]
  const put = (type: number, value: Uint8Array): number => parts.push(encodeAttribute(type, value))
  if (link.mac !== undefined) put(LinkAttribute.address, encodeMacText(link.mac))
  if (link.name !== undefined) put(LinkAttribute.name, encodeText(link.name))
  if (link.mtuBytes !== undefined) put(LinkAttribute.mtu, encodeU32(link.mtuBytes))
  if (link.link !== undefined) put(LinkAttribute.link, encodeU32(link.link))
  if (link.kind !== undefined) {
    const kind = encodeAttribute(LinkInfo.kind, encodeText(link.kind))
    const data =
      link.peer === undefined
        ? []
        : [encodeAttribute(LinkInfo.data, encodeAttribute(LinkInfo.vethPeer, encodeLink(link.peer)))]
    put(LinkAttribute.info, join([kind, ...data]))
  }
  const specific: Uint8Array[] = []
  if (link.ipv4Settings !== undefined) {
    const settings = Object.entries(link.ipv4Settings).map(([name, value]) =>
      encodeAttribute(ipv4Settings[name as Ipv4Setting], encodeU32(value)),
    )
    const conf = encodeAttribute(Inet4Attribute.settings, join(settings))
    specific.push(encodeAttribute(AddressFamily.ipv4, conf))
  }
  if (link.noOwnAddress === true) {
    const mode = encodeAttribute(Inet6Attribute.addressGeneration, new Uint8Array([Inet6Attribute.noAddress]))
    specific.push(encodeAttribute(AddressFamily.ipv6, mode))
  }
  if (specific.length > 0) put(LinkAttribute.familySpecific, join(specific))
  if (link.group !== undefined) put(LinkAttribute.group, encodeU32(link.group))
  if (link.namespaceFile !== undefined) put(LinkAttribute.namespaceFile, encodeU32(link.namespaceFile))
  if (link.linkNamespace !== undefined) put(LinkAttribute.linkNamespace, encodeU32(link.linkNamespace))
  return join(parts)
}

/** Reads RTM_NEWLINK. What has another size than it should counts as absent. */
export function decodeLink(body: Uint8Array): Result<Link, NetlinkFault> {
  if (body.length < headerLength) return fault('truncated', body.length, 'an interface needs 16 bytes')
  const view = viewOf(body)
  const attributes = decodeAttributes(body, headerLength)
  if (!attributes.ok) return attributes
  const of = attributes.value
  const info = nested(of, LinkAttribute.info)
  if (!info.ok) return info
  const specific = nested(of, LinkAttribute.familySpecific)
  if (!specific.ok) return specific
  const inet6 = nested(specific.value, AddressFamily.ipv6)
  if (!inet6.ok) return inet6
  const mac = decodeMacText(of.get(LinkAttribute.address))
  const name = decodeText(of.get(LinkAttribute.name))
  const mtuBytes = decodeU32(of.get(LinkAttribute.mtu))
  const link = decodeU32(of.get(LinkAttribute.link))
  const linkNamespace = decodeU32(of.get(LinkAttribute.linkNamespace))
  const group = decodeU32(of.get(LinkAttribute.group))
  const kind = decodeText(info.value.get(LinkInfo.kind))
  const generation = decodeU8(inet6.value.get(Inet6Attribute.addressGeneration))
  return success({
    index: view.getInt32(4, littleEndian),
    up: (view.getUint32(8, littleEndian) & LinkFlag.up) !== 0,
    ...(mac === undefined ? {} : { mac }),
    ...(name === undefined ? {} : { name }),
    ...(mtuBytes === undefined ? {} : { mtuBytes }),
    ...(link === undefined ? {} : { link }),
    ...(linkNamespace === undefined ? {} : { linkNamespace: linkNamespace | 0 }),
    ...(group === undefined ? {} : { group }),
    ...(kind === undefined ? {} : { kind }),
    ...(generation === Inet6Attribute.noAddress ? { noOwnAddress: true } : {}),
  })
}

function nested(attributes: Attributes, type: number): Result<Attributes, NetlinkFault> {
  return decodeAttributes(attributes.get(type) ?? new Uint8Array(0))
}

/** Makes an interface; its name must be free. */
export function addLink(link: Link): Request {
  return {
    type: MessageType.newLink,
    flags: MessageFlag.create | MessageFlag.exclusive,
    body: encodeLink(link),
  }
}

/** Changes what `link` names of an interface that is there. */
export function setLink(link: Link): Request {
  return { type: MessageType.setLink, flags: 0, body: encodeLink(link) }
}

/** Removes an interface, by index, by name, or all of a group. */
export function deleteLink(link: Link): Request {
  return { type: MessageType.deleteLink, flags: 0, body: encodeLink(link) }
}

/** Asks for one interface, by index or name. */
export function getLink(link: Link): Request {
  return { type: MessageType.getLink, flags: 0, body: withoutStatistics(link) }
}

/** Asks for all interfaces. */
export function dumpLinks(): Request {
  return { type: MessageType.getLink, flags: MessageFlag.dump, body: withoutStatistics({ index: 0 }) }
}

function withoutStatistics(link: Link): Uint8Array {
  return join([encodeLink(link), encodeAttribute(LinkAttribute.extendedMask, encodeU32(skipStatistics))])
}
