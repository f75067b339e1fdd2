/**
 * Routes: rtnetlink(7) RTM_*ROUTE. Of next hops, one by device and gateway.
 *
 *   struct rtmsg { u8 family; u8 destination length; u8 source length; u8 tos; u8 table; u8 protocol; u8 scope; u8 type;
 *                  u32 flags } attributes
 */
import { type Result, success } from '@network/net'
import {
  type NetlinkFault,
  decodeAddressText,
  decodeAttributes,
  decodeU32,
  encodeAddressText,
  encodeAttribute,
  encodeU32,
  fault,
  join,
  littleEndian,
  parsedAddress,
  viewOf,
} from './attribute.ts'
import { type Request } from './message.ts'
import { AddressFamily, MessageFlag, MessageType, RouteAttribute, Scope, Table } from './numbers.ts'

export interface Route {
  /** Without length: `10.0.0.0`. */
  readonly destination: string
  readonly length: number
  readonly table: number
  readonly protocol: number
  readonly scope: number
  readonly type: number
  readonly flags: number
  readonly gateway?: string
  /** Index of the interface. */
  readonly device?: number
  readonly source?: string
  readonly priority?: number
}

const headerLength = 12
const largestInHeader = 255

export function encodeRoute(route: Route): Uint8Array {
  const header = new Uint8Array(headerLength)
  header[0] = AddressFamily[parsedAddress(route.destination).family]
  header[1] = route.length
  header[4] = route.table > largestInHeader ? Table.unspecified : route.table
  header[5] = route.protocol
  header[6] = route.scope
  header[7] = route.type
  viewOf(header).setUint32(8, route.flags, littleEndian)
  const parts: Uint8Array[] = [header]
  const put = (type: number, value: Uint8Array): number => parts.push(encodeAttribute(type, value))
  if (route.length > 0) put(RouteAttribute.destination, encodeAddressText(route.destination))
  if (route.gateway !== undefined) put(RouteAttribute.gateway, encodeAddressText(route.gateway))
  if (route.device !== undefined) put(RouteAttribute.device, encodeU32(route.device))
  if (route.source !== undefined) put(RouteAttribute.preferredSource, encodeAddressText(route.source))
  if (route.priority !== undefined) put(RouteAttribute.priority, encodeU32(route.priority))
  put(RouteAttribute.table, encodeU32(route.table))
  return join(parts)
}

/** Reads RTM_NEWROUTE. A family that is neither IPv4 nor IPv6 is a fault. */
export function decodeRoute(body: Uint8Array): Result<Route, NetlinkFault> {
  if (body.length < headerLength) return fault('truncated', body.length, 'a route needs 12 bytes')
  const attributes = decodeAttributes(body, headerLength)
  if (!attributes.ok) return attributes
  const of = attributes.value
  const [family = 0, length = 0, , , table = 0, protocol = 0, scope = 0, type = 0] = body
  const ipv4 = family === AddressFamily.ipv4
  if (!ipv4 && family !== AddressFamily.ipv6)
    return fault('bad-value', 0, `a route of family ${String(family)}`)
  if (length > (ipv4 ? 32 : 128)) return fault('bad-value', 1, `a destination of ${String(length)} bits`)
  const gateway = decodeAddressText(of.get(RouteAttribute.gateway))
  const device = decodeU32(of.get(RouteAttribute.device))
  const source = decodeAddressText(of.get(RouteAttribute.preferredSource))
  const priority = decodeU32(of.get(RouteAttribute.priority))
  const bytes = of.get(RouteAttribute.destination) ?? new Uint8Array(ipv4 ? 4 : 16)
  const destination = bytes.length === (ipv4 ? 4 : 16) ? decodeAddressText(bytes) : undefined
  if (destination === undefined) {
    return fault('bad-value', headerLength, 'a destination of the other family')
  }
  return success({
    destination,
    length,
    table: decodeU32(of.get(RouteAttribute.table)) ?? table,
    protocol,
    scope,
    type,
    flags: viewOf(body).getUint32(8, littleEndian),
    ...(gateway === undefined ? {} : { gateway }),
    ...(device === undefined ? {} : { device }),
    ...(source === undefined ? {} : { source }),
    ...(priority === undefined ? {} : { priority }),
  })
}

/** Makes a route, or puts it in the place of the one with its destination, table and priority. */
export function replaceRoute(route: Route): Request {
  return {
    type: MessageType.newRoute,
    flags: MessageFlag.create | MessageFlag.replace,
    body: encodeRoute(route),
  }
}

/** Removes the first route that has what is named; scope and type are as the kernel finds them. */
export function deleteRoute(route: Omit<Route, 'scope' | 'type' | 'flags'>): Request {
  const body = encodeRoute({ ...route, scope: Scope.nowhere, type: 0, flags: 0 })
  return { type: MessageType.deleteRoute, flags: 0, body }
}

/** Asks for the routes of every table, of both families. */
export function dumpRoutes(): Request {
  return { type: MessageType.getRoute, flags: MessageFlag.dump, body: new Uint8Array(headerLength) }
}
