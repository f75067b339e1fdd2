/** Random probes of a state. No two of them belong to one connection, not even as question and answer. */
import type { Family } from '@network/net'
import { type ActorName, actor, actors } from '../actors.ts'
import type { Probe } from '../probe.ts'
import { protocolNumber } from '../wire/packet.ts'
import type { Random } from './random.ts'
import { ports } from './random-rule.ts'
import { mappings } from './random-state.ts'

const { tcp, udp, sctp, udplite } = protocolNumber
const icmpTypes = { ipv4: [8, 8, 13], ipv6: [128, 128, 139] } as const
const names = [...actors.keys()].filter((name) => name !== 'stray')
const isLocal = (name: ActorName): boolean => actor(name).kind !== 'wire'

/** Whom a packet may claim to come from; never the host, whose address no packet from elsewhere can have. */
function claimOf(random: Random, from: ActorName, family: Family): string {
  if (from === 'host' || !random.chance(0.06)) return actor(from)[family]
  const others = names.filter((name) => name !== 'host').map((name) => actor(name)[family])
  return random.pick([...others, family === 'ipv4' ? '10.99.3.4' : 'fd99::3:4'])
}

function portOf(random: Random): number {
  return random.chance(0.7) ? random.pick(ports) : 1 + random.below(65_535)
}

/** What of a probe connection tracking remembers, whichever way it looks at it. */
function connectionsOf(probe: Probe): string[] {
  const { family, protocol, sourcePort, destinationPort, source, destination } = probe
  const key = (...parts: (string | number)[]): string => [family, protocol, ...parts.sort()].join(' ')
  if (sourcePort === undefined || destinationPort === undefined) {
    // On its way out it may have the host's address instead.
    const outgoing = key(actor('host')[family], destination)
    return probe.icmp === undefined ? [key(source, destination), outgoing] : []
  }
  const inside = mappings.find(({ hostPort }) => hostPort === destinationPort)?.port
  return [key(sourcePort, destinationPort), ...(inside === undefined ? [] : [key(sourcePort, inside)])]
}

function draw(random: Random): Probe | undefined {
  const from = random.pick(names)
  const to = random.pick(names)
  if (from === to || (!isLocal(from) && !isLocal(to))) return undefined
  const family = random.pick(['ipv4', 'ipv6'] as const)
  const source = claimOf(random, from, family)
  const destination = actor(to)[family]
  if (source === destination) return undefined
  const shape = random.below(20)
  const common = { from, to, family, source, destination, arrivesAt: to }
  const who = `${from}${source === actor(from)[family] ? '' : ` as ${source}`} > ${to}`
  if (shape < 3) {
    const icmp = { type: random.pick(icmpTypes[family]), code: random.pick([0, 0, 1]) }
    const protocol = family === 'ipv4' ? protocolNumber.icmp : protocolNumber.icmpv6
    return {
      ...common,
      protocol,
      icmp,
      text: `${who} ICMP ${String(icmp.type)}/${String(icmp.code)} ${family}`,
    }
  }
  if (shape === 3) return { ...common, protocol: 99, text: `${who} protocol 99 ${family}` }
  const protocol = random.pick([tcp, tcp, tcp, udp, udp, sctp, udplite])
  const sourcePort = portOf(random)
  const mapped = to === 'host' && random.chance(0.2)
  const destinationPort = mapped ? random.pick(mappings).hostPort : portOf(random)
  const text = `${who} protocol ${String(protocol)} from port ${String(sourcePort)} to ${String(destinationPort)} ${family}`
  return { ...common, protocol, sourcePort, destinationPort, text }
}

export function randomProbes(random: Random, count: number): readonly Probe[] {
  const probes: Probe[] = []
  const connections = new Set<string>()
  for (let tries = 0; probes.length < count && tries < count * 20; tries++) {
    const probe = draw(random)
    if (probe === undefined) continue
    const mine = connectionsOf(probe)
    if (mine.some((connection) => connections.has(connection))) continue
    for (const connection of mine) connections.add(connection)
    probes.push(probe)
  }
  return probes
}
