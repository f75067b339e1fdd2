/** From the rules of a policy or profile to those that are rendered: selectors become sets, words become numbers. */
import { failure, formatPrefix, parsePrefix, type Result, success } from '@network/net'
import { type EntityRule, parsePortRange, type Rule, type Selector } from '@network/datastore/model'
import type { PortRange } from '../port-range.ts'
import { protocolNumber } from '../protocol.ts'
import type { ActiveRule, ActiveSide, SetId } from './active.ts'
import { hasNamedPorts, type SetDefinition } from './member-sets.ts'
import { readScope } from './scope.ts'

/** Rules that do nothing but drop: what stands for rules that can't be understood. */
export const DENY_ALL: readonly ActiveRule[] = [{ position: 0, action: 'Deny', source: {}, destination: {} }]

/** Notes that a set is needed and answers its id. */
export type NeedSet = (definition: SetDefinition) => SetId

/** The rules as they are rendered, or why not: the end of a sentence. `namespace`: that of a NetworkPolicy. */
export function activeRules(
  rules: readonly Rule[],
  namespace: string | undefined,
  needSet: NeedSet,
): Result<readonly ActiveRule[], string> {
  const active: ActiveRule[] = []
  for (const [position, rule] of rules.entries()) {
    const read = activeRule(rule, position, namespace, needSet)
    if (!read.ok) return failure(`rule ${String(position)}: ${read.error}`)
    active.push(read.value)
  }
  return success(active)
}

function activeRule(
  rule: Rule,
  position: number,
  namespace: string | undefined,
  needSet: NeedSet,
): Result<ActiveRule, string> {
  const protocol = rule.protocol === undefined ? undefined : protocolNumber(rule.protocol)
  const notProtocol = rule.notProtocol === undefined ? undefined : protocolNumber(rule.notProtocol)
  if (protocol === undefined && rule.protocol !== undefined) return failure('its protocol is not known')
  if (notProtocol === undefined && rule.notProtocol !== undefined) return failure('its protocol is not known')
  const source = activeSide(rule.source ?? {}, protocol, namespace, needSet)
  if (!source.ok) return source
  const destination = activeSide(rule.destination ?? {}, protocol, namespace, needSet)
  if (!destination.ok) return destination
  return success({
    position,
    action: rule.action,
    ...(rule.ipVersion === undefined ? {} : { ipVersion: rule.ipVersion }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(notProtocol === undefined ? {} : { notProtocol }),
    ...(rule.icmp === undefined ? {} : { icmp: rule.icmp }),
    ...(rule.notICMP === undefined ? {} : { notICMP: rule.notICMP }),
    source: source.value,
    destination: destination.value,
  })
}

function activeSide(
  side: EntityRule,
  protocol: number | undefined,
  namespace: string | undefined,
  needSet: NeedSet,
): Result<ActiveSide, string> {
  const nets = canonicalNets(side.nets)
  if (!nets.ok) return nets
  const notNets = canonicalNets(side.notNets)
  if (!notNets.ok) return notNets
  const scope = sideScope(side, namespace)
  if (!scope.ok) return scope
  const notText = given(side.notSelector)
  const notSelector = notText === undefined ? undefined : readScope({ selector: notText })
  if (notSelector?.ok === false) return failure(notSelector.error.reason)
  const ports = activePorts(side.ports, protocol, scope.value, needSet)
  if (!ports.ok) return ports
  const notPorts = activePorts(side.notPorts, protocol, scope.value, needSet)
  if (!notPorts.ok) return notPorts
  return success({
    ...listed('nets', nets.value),
    ...listed('notNets', notNets.value),
    ...(scope.value === undefined ? {} : { sets: [needSet({ selector: scope.value })] }),
    ...(notSelector === undefined ? {} : { notSets: [needSet({ selector: notSelector.value })] }),
    ...(ports.value === undefined
      ? {}
      : { ...listed('ports', ports.value.ranges), ...listed('portSets', ports.value.sets) }),
    ...(notPorts.value === undefined
      ? {}
      : { ...listed('notPorts', notPorts.value.ranges), ...listed('notPortSets', notPorts.value.sets) }),
  })
}

/** A selector without a word in it asks for nothing. */
function given(selector: string | undefined): string | undefined {
  return selector === undefined || selector.trim() === '' ? undefined : selector
}

/** What the side says about endpoints and sets; undefined: nothing. */
function sideScope(side: EntityRule, namespace: string | undefined): Result<Selector | undefined, string> {
  const selector = given(side.selector)
  const namespaceSelector = given(side.namespaceSelector)
  const serviceAccountSelector = given(side.serviceAccounts?.selector)
  const names = side.serviceAccounts?.names ?? []
  if ((selector ?? namespaceSelector ?? serviceAccountSelector ?? names[0]) === undefined) {
    return success(undefined)
  }
  const scope = readScope({
    selector,
    namespaceSelector,
    serviceAccountNames: names,
    serviceAccountSelector,
    namespace: namespaceSelector === undefined ? namespace : undefined,
  })
  return scope.ok ? scope : failure(scope.error.reason)
}

function activePorts(
  ports: EntityRule['ports'],
  protocol: number | undefined,
  scope: Selector | undefined,
  needSet: NeedSet,
): Result<{ ranges: readonly PortRange[]; sets: readonly SetId[] } | undefined, string> {
  if (ports === undefined || ports.length === 0) return success(undefined)
  const ranges: PortRange[] = []
  const sets: SetId[] = []
  for (const port of ports) {
    const range = typeof port === 'number' ? { first: port, last: port } : parsePortRange(port)
    if (range !== undefined) {
      ranges.push({ from: range.first, to: range.last })
      continue
    }
    if (protocol === undefined || !hasNamedPorts(protocol)) {
      return failure(`the port '${String(port)}' needs a protocol with ports`)
    }
    const selector = scope ?? { is: 'all' as const }
    sets.push(needSet({ selector, port: { name: String(port), protocol } }))
  }
  return success({ ranges, sets })
}

function canonicalNets(nets: readonly string[] | undefined): Result<readonly string[], string> {
  const canonical: string[] = []
  for (const net of nets ?? []) {
    const one = canonicalNet(net)
    if (one === undefined) return failure(`'${net.slice(0, 64)}' is not a prefix`)
    canonical.push(one)
  }
  return success(canonical)
}

/** '10.0.0.1' and '10.0.0.1/32' are one member; undefined for what is no prefix. */
export function canonicalNet(text: string): string | undefined {
  const parsed = parsePrefix(text.includes('/') ? text : `${text}/${text.includes(':') ? '128' : '32'}`)
  return parsed.ok ? formatPrefix(parsed.value) : undefined
}

function listed<K extends string, T>(name: K, list: readonly T[]): Partial<Record<K, readonly T[]>> {
  return list.length === 0 ? {} : ({ [name]: list } as Record<K, readonly T[]>)
}
