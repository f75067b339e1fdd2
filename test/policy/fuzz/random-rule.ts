/**
 * Random rules with every condition that a rule can have, and the words that they share with what they are about: labels,
 * namespaces, names of ports. The words come from small stocks, so that much matches and much does not.
 */
import { address, formatPrefix, prefixOf } from '@network/net'
import type { EntityRule, Rule } from '@network/datastore/model'
import { actors, localWorkloads, remoteWorkloads } from '../actors.ts'
import type { Random } from './random.ts'

export const ports = [1, 22, 53, 68, 80, 179, 443, 1024, 2379, 5000, 8080, 9090, 30_000, 65_535] as const
export const portNames = ['http', 'dns', 'sig'] as const
export const namespaces = ['default', 'prod', 'test'] as const
export const accounts = ['api', 'job'] as const
const keys = ['a', 'b', 'c'] as const
export const values = ['x', 'y', 'xy'] as const

export function labels(random: Random): Record<string, string> {
  return Object.fromEntries(random.some(keys, 0.5).map((key) => [key, random.pick(values)]))
}

export function comparison(random: Random): string {
  const key = random.pick(keys)
  const value = random.pick(values)
  return random.pick([
    `has(${key})`,
    `!has(${key})`,
    `${key} == '${value}'`,
    `${key} != '${value}'`,
    `${key} in {'${value}', '${random.pick(values)}'}`,
    `${key} not in {'${value}', '${random.pick(values)}'}`,
    `${key} contains '${value}'`,
    `${key} starts with '${value}'`,
    `${key} ends with '${value}'`,
    `name == '${random.pick([...localWorkloads, ...remoteWorkloads])}'`,
    `drover.network/namespace == '${random.pick(namespaces)}'`,
  ])
}

export function selector(random: Random): string {
  const shape = random.below(10)
  if (shape < 2) return 'all()'
  if (shape < 6) return comparison(random)
  const [left, right] = [comparison(random), comparison(random)]
  if (shape < 7) return `${left} && ${right}`
  if (shape < 9) return `${left} || ${right}`
  return `!(${left} || ${right})`
}

export function namespaceSelector(random: Random): string {
  return random.pick([
    'all()',
    'global()',
    "team == 'x'",
    "team != 'x'",
    'has(team)',
    `drover.network/name == '${random.pick(namespaces)}'`,
  ])
}

export function net(random: Random): string {
  const { ipv4, ipv6 } = random.pick([...actors.values()])
  const [text, length] = random.chance(0.5)
    ? [ipv4, random.pick([0, 8, 16, 24, 30, 31, 32, 32])]
    : [ipv6, random.pick([0, 16, 48, 64, 112, 127, 128, 128])]
  return formatPrefix(prefixOf(address(text), length))
}

function portList(random: Random, named: boolean): (number | string)[] {
  const one = (): number | string => {
    const shape = random.below(named ? 6 : 5)
    if (shape === 5) return random.pick(portNames)
    if (shape > 0) return random.pick(ports)
    const from = random.pick(ports)
    return `${String(from)}:${String(Math.min(65_535, from + random.below(2000)))}`
  }
  if (random.chance(0.1)) return [...new Set(random.times(16, 40, (index) => 40_000 + 3 * index)), one()]
  return random.times(1, 3, one)
}

export const portProtocols = ['TCP', 'UDP', 'SCTP', 'UDPLite'] as const

function side(random: Random, withPorts: boolean): EntityRule {
  const made: EntityRule = {}
  if (random.chance(0.25)) made.selector = selector(random)
  if (random.chance(0.1)) made.notSelector = selector(random)
  if (random.chance(0.1)) made.namespaceSelector = namespaceSelector(random)
  if (random.chance(0.15)) made.nets = random.times(1, 3, () => net(random))
  if (random.chance(0.1)) made.notNets = random.times(1, 3, () => net(random))
  if (random.chance(0.06)) {
    made.serviceAccounts = random.chance(0.5)
      ? { names: [random.pick(accounts)] }
      : { selector: "kind == 'x'" }
  }
  if (withPorts && random.chance(0.35)) made.ports = portList(random, true)
  if (withPorts && random.chance(0.1)) made.notPorts = portList(random, true)
  return made
}

function rule(random: Random): Rule {
  const protocol = random.chance(0.5)
    ? random.pick([...portProtocols, 'TCP', 'UDP', 'TCP', 'UDP', 'ICMP', 'ICMPv6', 6, 17, 99, 1] as const)
    : undefined
  const withPorts =
    (portProtocols as readonly unknown[]).includes(protocol) || protocol === 6 || protocol === 17
  const icmp = protocol === 'ICMP' ? [8, 13] : protocol === 'ICMPv6' ? [128, 139] : undefined
  const match = (): { type: number; code?: number } => ({
    type: random.pick(icmp ?? [8]),
    ...(random.chance(0.4) ? { code: random.below(2) } : {}),
  })
  return {
    action: random.pick(['Allow', 'Allow', 'Allow', 'Deny', 'Deny', 'Pass', 'Log']),
    ...(protocol === undefined ? {} : { protocol }),
    ...(protocol === undefined && random.chance(0.1)
      ? { notProtocol: random.pick(['TCP', 'UDP', 99] as const) }
      : {}),
    ...(random.chance(0.1) ? { ipVersion: random.pick([4, 6] as const) } : {}),
    ...(icmp !== undefined && random.chance(0.5) ? { icmp: match() } : {}),
    ...(icmp !== undefined && random.chance(0.3) ? { notICMP: match() } : {}),
    ...(random.chance(0.6) ? { source: side(random, withPorts) } : {}),
    ...(random.chance(0.5) ? { destination: side(random, withPorts) } : {}),
  }
}

export function rules(random: Random, most: number): Rule[] {
  return random.times(0, most, () => rule(random))
}
