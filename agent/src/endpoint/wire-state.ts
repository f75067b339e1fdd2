/**
 * What the kernel has of a workload's interface, from the messages of a dump. Pure: what is neither IPv4 nor IPv6, or
 * can't be read, counts as absent.
 */
import { type Result } from '@network/net'
import { type InterfaceAddress, decodeAddress } from '../netlink/codec/address.ts'
import { decodeLink } from '../netlink/codec/link.ts'
import { type Message } from '../netlink/codec/message.ts'
import { RouteFlag, RouteType, Scope, Table } from '../netlink/codec/numbers.ts'
import { decodeRoute } from '../netlink/codec/route.ts'
import { decodeRule } from '../netlink/codec/rule.ts'

export interface LinkState {
  readonly name: string
  readonly index: number
  /** Index of the other end of a veth, in its namespace; undefined if that is the same as ours. */
  readonly peerIndex: number | undefined
  readonly kind: string
  readonly mac: string
  readonly mtuBytes: number
  readonly up: boolean
  /** `10.0.0.5/32`, in the order in which the kernel has them. */
  readonly addresses: readonly { readonly address: string; readonly scope: string }[]
}

export interface RouteState {
  /** `10.0.0.0/8`, `0.0.0.0/0`, `::/0` */
  readonly destination: string
  readonly table: string
  readonly gateway: string | undefined
  readonly device: string | undefined
  readonly source: string | undefined
  readonly protocol: string
}

export interface RuleState {
  readonly priority: number
  readonly source: string
  readonly destination: string
  readonly table: string
  readonly protocol: string
}

/** A workload's namespace. */
export interface NamespaceState {
  readonly links: ReadonlyMap<string, LinkState>
  readonly routes: readonly RouteState[]
  readonly rules: readonly RuleState[]
}

type Messages = readonly Pick<Message, 'body'>[]

function decodeAll<T, E>(messages: Messages, decode: (body: Uint8Array) => Result<T, E>): readonly T[] {
  return messages.flatMap(({ body }) => {
    const decoded = decode(body)
    return decoded.ok ? [decoded.value] : []
  })
}

const scopeNames: Readonly<Record<number, string>> = {
  [Scope.universe]: 'global',
  [Scope.link]: 'link',
  [Scope.host]: 'host',
}

/** Reads interfaces and the addresses that belong to them. */
export function readLinks(links: Messages, addresses: Messages): ReadonlyMap<string, LinkState> {
  const byIndex = new Map<number, InterfaceAddress[]>()
  for (const address of decodeAll(addresses, decodeAddress)) {
    const list = byIndex.get(address.index)
    if (list === undefined) byIndex.set(address.index, [address])
    else list.push(address)
  }
  const found = new Map<string, LinkState>()
  for (const link of decodeAll(links, decodeLink)) {
    if (link.name === undefined) continue
    found.set(link.name, {
      name: link.name,
      index: link.index,
      peerIndex: link.linkNamespace === undefined ? undefined : link.link,
      kind: link.kind ?? 'none',
      mac: link.mac ?? '',
      mtuBytes: link.mtuBytes ?? 0,
      up: link.up === true,
      addresses: (byIndex.get(link.index) ?? []).map(({ address, length, scope }) => ({
        address: `${address}/${String(length)}`,
        scope: scopeNames[scope] ?? String(scope),
      })),
    })
  }
  return found
}

/** Reads routes; only unicast routes with one next hop are of interest. */
export function readRoutes(messages: Messages, links: ReadonlyMap<string, LinkState>): readonly RouteState[] {
  const names = new Map([...links.values()].map(({ index, name }) => [index, name]))
  return decodeAll(messages, decodeRoute)
    .filter(({ type, flags }) => type === RouteType.unicast && (flags & RouteFlag.cloned) === 0)
    .map((route) => ({
      destination: `${route.destination}/${String(route.length)}`,
      table: route.table === Table.main ? 'main' : String(route.table),
      gateway: route.gateway,
      device: route.device === undefined ? undefined : (names.get(route.device) ?? String(route.device)),
      source: route.source,
      protocol: String(route.protocol),
    }))
}

/** Reads rules. */
export function readRules(messages: Messages): readonly RuleState[] {
  return decodeAll(messages, decodeRule).map((rule) => ({
    priority: rule.priority ?? 0,
    source: `${rule.source}/${String(rule.sourceLength)}`,
    destination: `${rule.destination}/${String(rule.destinationLength)}`,
    table: String(rule.table),
    protocol: String(rule.protocol),
  }))
}
