/**
 * How a workload's interface should be, given what else is in its namespace. Pure. The expected state is a list of
 * facts, each with the request that makes it true; comparing and repairing walk the same list, so what `inspect` misses
 * can't be what `wireWorkload` makes.
 */
import type { Family } from '@network/net'
import { ownership } from '../drivers/driver.ts'
import { type InterfaceAddress, deleteAddress, replaceAddress } from '../netlink/codec/address.ts'
import { setLink } from '../netlink/codec/link.ts'
import { type Request } from '../netlink/codec/message.ts'
import { RouteFlag, RouteType, Scope, Table } from '../netlink/codec/numbers.ts'
import { deleteRoute, replaceRoute } from '../netlink/codec/route.ts'
import { type Rule as KernelRule, addRule, deleteRule } from '../netlink/codec/rule.ts'
import { linkLocalOfMac } from './interface-name.ts'
import { type CheckedSpec, hostMac } from './wire-spec.ts'
import { type LinkState, type NamespaceState, type RouteState, type RuleState } from './wire-state.ts'

/** Next hops of every workload: addresses of the host's end. */
export const gateways = { ipv4: '169.254.1.1', ipv6: 'fe80::1' } as const
/** Number of the table of a secondary interface: this plus its index. */
export const tableBase = 98_000
const rulePriority = 9800
const protocol = String(ownership.routeProtocol)

const families = ['ipv4', 'ipv6'] as const
const everything: Readonly<Record<Family, string>> = { ipv4: '0.0.0.0/0', ipv6: '::/0' }

/** One thing that should be so. `request` makes it so, in the namespace that `at` names. */
export interface Fact {
  readonly at: 'container' | 'host'
  readonly field: string
  readonly expected: string
  readonly actual: string
  readonly request: Request
}

/** How the routes of a family lie in the namespace. */
export type Layout = 'none' | 'default' | 'own-table'

export interface WirePlan {
  readonly layouts: Readonly<Record<Family, Layout>>
  /** Set if a default route was demanded and the namespace has another: its device. */
  readonly defaultTakenBy: string | undefined
  readonly facts: readonly Fact[]
}

function layoutOf(
  spec: CheckedSpec,
  family: Family,
  state: NamespaceState,
): { layout: Layout; takenBy?: string } {
  if (spec.addresses[family].length === 0) return { layout: 'none' }
  const others = state.routes.filter((r) => r.table === 'main' && r.device !== spec.interfaceName)
  const rival = others.find((r) => r.destination === everything[family])
  if (spec.defaultRoute === false) return { layout: 'own-table' }
  if (rival === undefined) return { layout: 'default' }
  return spec.defaultRoute === true
    ? { layout: 'default', takenBy: rival.device ?? 'an unknown device' }
    : { layout: 'own-table' }
}

interface WantedRoute {
  readonly destination: string
  readonly table: string
  readonly gateway?: string
  readonly source?: string
  readonly onlink?: boolean
}

function wantedRoutes(
  spec: CheckedSpec,
  family: Family,
  layout: Layout,
  state: NamespaceState,
  table: string,
): WantedRoute[] {
  if (layout === 'none') return []
  const gateway = gateways[family]
  const home = layout === 'default' ? 'main' : table
  const routes: WantedRoute[] = []
  // In the main table another interface of ours may already have the link route to the same gateway.
  const gatewayElsewhere =
    home === 'main' &&
    state.routes.some(
      (r) => r.table === 'main' && r.destination === `${gateway}/32` && r.device !== spec.interfaceName,
    )
  if (family === 'ipv4' && !gatewayElsewhere) routes.push({ destination: `${gateway}/32`, table: home })
  const preferred = spec.sources[family]
  routes.push({
    destination: everything[family],
    table: home,
    gateway,
    onlink: gatewayElsewhere,
    ...(preferred === undefined ? {} : { source: preferred }),
  })
  const source = preferred ?? spec.addresses[family][0]
  if (layout === 'own-table' && source !== undefined) {
    // IPv4 finds them by a rule, so that only what has no source yet is drawn to this interface.
    const table = family === 'ipv4' ? home : 'main'
    for (const destination of spec.destinations[family]) routes.push({ destination, table, gateway, source })
  }
  return routes
}

function routeWords(route: WantedRoute, device: string): string {
  const isIpv4 = !route.destination.includes(':')
  return [
    ...(route.gateway === undefined ? [] : ['via', route.gateway]),
    'dev',
    device,
    ...(route.table === 'main' ? [] : ['table', route.table]),
    'proto',
    protocol,
    ...(route.gateway === undefined && isIpv4 ? ['scope', 'link'] : []),
    ...(route.onlink === true ? ['onlink'] : []),
    ...(route.source === undefined ? [] : ['src', route.source]),
  ].join(' ')
}

function presentWords({ gateway, source }: RouteState): string {
  return `via ${gateway ?? 'nothing'}${source === undefined ? '' : ` src ${source}`}`
}

function tableNumber(table: string): number {
  return table === 'main' ? Table.main : Number(table)
}

function routeRequest(route: WantedRoute, device: number): Request {
  const linkScope = route.gateway === undefined && !route.destination.includes(':')
  const { address: destination, length } = splitPrefix(route.destination)
  return replaceRoute({
    destination,
    length,
    table: tableNumber(route.table),
    protocol: ownership.routeProtocol,
    scope: linkScope ? Scope.link : Scope.universe,
    type: RouteType.unicast,
    flags: route.onlink === true ? RouteFlag.onLink : 0,
    device,
    ...(route.gateway === undefined ? {} : { gateway: route.gateway }),
    ...(route.source === undefined ? {} : { source: route.source }),
  })
}

interface WantedAddress {
  /** With length. */
  readonly address: string
  readonly scope?: number
  readonly noDuplicateDetection?: boolean
}

function splitPrefix(text: string): { readonly address: string; readonly length: number } {
  const slash = text.indexOf('/')
  return { address: text.slice(0, slash), length: Number(text.slice(slash + 1)) }
}

function interfaceAddress(wanted: WantedAddress, index: number): InterfaceAddress {
  const { address, scope = Scope.universe, noDuplicateDetection = false } = wanted
  return { index, ...splitPrefix(address), scope, noDuplicateDetection }
}

function linkFacts(
  at: 'container' | 'host',
  link: LinkState,
  wanted: { mac: string; mtuBytes: number; addresses: readonly WantedAddress[] },
): Fact[] {
  const { index } = link
  const fact = (field: string, expected: string, actual: string, request: Request): Fact => ({
    at,
    field: `${at}.${field}`,
    expected,
    actual,
    request,
  })
  const present = new Set(link.addresses.map((a) => a.address))
  const desired = new Set(wanted.addresses.map((a) => a.address))
  return [
    fact('mac', wanted.mac, link.mac, setLink({ index, mac: wanted.mac })),
    fact(
      'mtuBytes',
      String(wanted.mtuBytes),
      String(link.mtuBytes),
      setLink({ index, mtuBytes: wanted.mtuBytes }),
    ),
    ...wanted.addresses.map((wantedAddress) =>
      fact(
        `address ${wantedAddress.address}`,
        'present',
        present.has(wantedAddress.address) ? 'present' : 'absent',
        replaceAddress(interfaceAddress(wantedAddress, index)),
      ),
    ),
    // What the kernel or the workload gives itself (link-local) stays; another global address would be spoofed.
    ...link.addresses
      .filter((a) => a.scope === 'global' && !desired.has(a.address))
      .map(({ address }) =>
        fact(`address ${address}`, 'absent', 'present', deleteAddress(interfaceAddress({ address }, index))),
      ),
    fact('up', 'true', String(link.up), setLink({ index, up: true })),
  ]
}

/** Facts of the host's end. */
export function planHost(spec: CheckedSpec, link: LinkState): readonly Fact[] {
  return linkFacts('host', link, {
    mac: hostMac,
    mtuBytes: spec.mtuBytes,
    addresses: [
      ...(spec.addresses.ipv4.length > 0 ? [{ address: `${gateways.ipv4}/32`, scope: Scope.host }] : []),
      ...(spec.addresses.ipv6.length > 0
        ? [{ address: `${gateways.ipv6}/64`, noDuplicateDetection: true }]
        : []),
    ],
  })
}

/**
 * Facts of the workload's end and of the routes around it.
 * @param link the interface inside, as it is
 * @param state the namespace
 */
export function planNamespace(spec: CheckedSpec, link: LinkState, state: NamespaceState): WirePlan {
  const found = {
    ipv4: layoutOf(spec, 'ipv4', state),
    ipv6: layoutOf(spec, 'ipv6', state),
  }
  const layouts = { ipv4: found.ipv4.layout, ipv6: found.ipv6.layout }
  const facts = linkFacts('container', link, {
    mac: spec.mac,
    mtuBytes: spec.mtuBytes,
    addresses: [
      ...spec.addresses.ipv4.map((a) => ({ address: `${a}/32` })),
      ...spec.addresses.ipv6.map((a) => ({ address: `${a}/128`, noDuplicateDetection: true })),
      ...(spec.addresses.ipv6.length > 0
        ? [{ address: `${linkLocalOfMac(spec.mac)}/64`, noDuplicateDetection: true }]
        : []),
    ],
  })
  const lo = state.links.get('lo')
  if (lo?.up === false) {
    facts.push({
      at: 'container',
      field: 'container.lo.up',
      expected: 'true',
      actual: 'false',
      request: setLink({ index: lo.index, up: true }),
    })
  }
  const table = String(tableBase + link.index)
  const ours = state.routes.filter((r) => r.device === spec.interfaceName && r.protocol === protocol)
  const keep = new Set<string>()
  for (const family of families) {
    for (const route of wantedRoutes(spec, family, layouts[family], state, table)) {
      const key = `${route.destination} table ${route.table}`
      keep.add(key)
      const present = state.routes.find(
        (r) =>
          r.destination === route.destination && r.table === route.table && r.device === spec.interfaceName,
      )
      const right =
        present !== undefined &&
        present.gateway === route.gateway &&
        (route.source === undefined || present.source === route.source)
      const words = routeWords(route, spec.interfaceName)
      facts.push({
        at: 'container',
        field: `container.route ${key}`,
        expected: words,
        actual: right ? words : present === undefined ? 'absent' : presentWords(present),
        request: routeRequest(route, link.index),
      })
    }
    for (const rule of wantedRules(spec, family, layouts[family], table)) {
      const there = state.rules.some((present) => sameRule(present, rule))
      facts.push({
        at: 'container',
        field: ruleField(rule),
        expected: `lookup ${table}`,
        actual: there ? `lookup ${table}` : 'absent',
        request: addRule({ ...kernelRule(rule), priority: rulePriority }),
      })
    }
  }
  for (const route of ours) {
    const key = `${route.destination} table ${route.table}`
    if (keep.has(key)) continue
    facts.push({
      at: 'container',
      field: `container.route ${key}`,
      expected: 'absent',
      actual: 'present',
      request: deleteRoute({
        destination: splitPrefix(route.destination).address,
        length: splitPrefix(route.destination).length,
        table: tableNumber(route.table),
        protocol: ownership.routeProtocol,
        device: link.index,
      }),
    })
  }
  facts.push(...staleRules(state, spec, layouts, table))
  return { layouts, defaultTakenBy: found.ipv4.takenBy ?? found.ipv6.takenBy, facts }
}

/** What of a rule matters to us. */
export type Rule = Pick<RuleState, 'source' | 'destination' | 'table'>

function sameRule(a: Rule, b: Rule): boolean {
  return a.source === b.source && a.destination === b.destination && a.table === b.table
}

function kernelRule(rule: Rule): KernelRule {
  const source = splitPrefix(rule.source)
  const destination = splitPrefix(rule.destination)
  return {
    source: source.address,
    sourceLength: source.length,
    destination: destination.address,
    destinationLength: destination.length,
    table: tableNumber(rule.table),
    protocol: ownership.routeProtocol,
  }
}

function ruleField(rule: Rule): string {
  return `container.rule from ${rule.source} to ${rule.destination}`
}

/**
 * A secondary interface answers by its own table from its own addresses. What a program sends to the interface's
 * `destinations` without having chosen a source has source 0.0.0.0 at the time of the lookup: it is sent there too,
 * and what answers from another interface's address is not. (IPv6 knows no rule for an unset source.)
 */
function wantedRules(spec: CheckedSpec, family: Family, layout: Layout, table: string): Rule[] {
  if (layout !== 'own-table') return []
  const bits = family === 'ipv4' ? '32' : '128'
  const answers = spec.addresses[family].map((address) => ({
    source: `${address}/${bits}`,
    destination: everything[family],
    table,
  }))
  if (family === 'ipv6') return answers
  return [
    ...answers,
    ...spec.destinations.ipv4.map((destination) => ({ source: '0.0.0.0/32', destination, table })),
  ]
}

/** Rules of ours that lead to the table of an interface which is gone, or which this interface no longer wants. */
function staleRules(
  state: NamespaceState,
  spec: CheckedSpec,
  layouts: Readonly<Record<Family, Layout>>,
  table: string,
): Fact[] {
  const wanted = families.flatMap((family) => wantedRules(spec, family, layouts[family], table))
  const unwanted = state.rules.filter(
    (rule) =>
      rule.protocol === protocol && rule.table === table && !wanted.some((other) => sameRule(rule, other)),
  )
  return [...orphanRules(state), ...unwanted].map((rule) => ({
    at: 'container',
    field: ruleField(rule),
    expected: 'absent',
    actual: `lookup ${rule.table}`,
    request: ruleRemoval(rule),
  }))
}

/** What removes a rule of ours. */
export function ruleRemoval(rule: Rule): Request {
  return deleteRule(kernelRule(rule))
}

export function isRuleOfOurs(rule: RuleState): boolean {
  return rule.protocol === protocol
}

/** Rules of ours in a namespace whose interface is gone. */
export function orphanRules(state: NamespaceState): readonly Rule[] {
  const tables = new Set([...state.links.values()].map((link) => String(tableBase + link.index)))
  return state.rules.filter((rule) => isRuleOfOurs(rule) && !tables.has(rule.table))
}

/** The routes that a runtime is told of. */
export function announcedRoutes(
  spec: CheckedSpec,
  layouts: Readonly<Record<Family, Layout>>,
): readonly { destination: string; gateway?: string }[] {
  return families.flatMap((family) => {
    const gateway = gateways[family]
    if (layouts[family] === 'none') return []
    if (layouts[family] === 'own-table') {
      return spec.destinations[family].map((destination) => ({ destination, gateway }))
    }
    const toGateway = family === 'ipv4' ? [{ destination: `${gateway}/32` }] : []
    return [...toGateway, { destination: everything[family], gateway }]
  })
}
