/** Expectations as packets: what is sent, what must be heard where, and what differed. */
import { actor } from './actors.ts'
import type { Expectation } from './case.ts'
import { type Probe, parseProbe } from './probe.ts'
import type { Heard, Outlet, Rack } from './rack.ts'
import type { Packet } from './wire/packet.ts'

/** Tags are given once in the life of the process, so that a late packet is never taken for another. */
let lastTag = 0
/** Source ports of probes that name none: each its own, so that no probe meets another's connection. */
const firstPort = 20_000
let lastPort = firstPort

function nextPort(): number {
  lastPort = lastPort >= 60_000 ? firstPort : lastPort + 1
  return lastPort
}

export interface Expected {
  readonly probe: Probe
  readonly allowed: boolean
}

/** The lines of an expectation as probes. */
export function expectedOf(lines: Pick<Expectation, 'allowed' | 'denied'>): readonly Expected[] {
  const read = (texts: readonly string[] | undefined, allowed: boolean): Expected[] =>
    (texts ?? []).flatMap((text) => parseProbe(text, nextPort()).map((probe) => ({ probe, allowed })))
  return [...read(lines.allowed, true), ...read(lines.denied, false)]
}

export function packetOf(probe: Probe): Packet {
  lastTag++
  return tagged(probe, lastTag)
}

function tagged(probe: Probe, tag: number): Packet {
  const { source, destination, protocol, sourcePort, destinationPort, icmp, tcp, quoted } = probe
  return {
    source,
    destination,
    protocol,
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
    ...(icmp === undefined ? {} : { icmp: { ...icmp, id: tag & 0xffff } }),
    ...(tcp === undefined ? {} : { tcp }),
    ...(quoted === undefined ? {} : { quoted: tagged(quoted, tag) }),
    tag,
  }
}

export function outletOf(probe: Probe): Outlet {
  return actor(probe.arrivesAt).kind === 'wire' ? 'wire' : probe.arrivesAt
}

/** What is wrong with what was heard of a probe; undefined if nothing is. */
function fault({ probe, allowed }: Expected, heard: readonly Heard[]): string | undefined {
  const found = heard.find(({ at }) => at === outletOf(probe))
  if (!allowed) return found === undefined ? undefined : 'got through'
  if (found === undefined) {
    return heard.length === 0 ? 'did not arrive' : `came out at ${heard.map(({ at }) => at).join(', ')}`
  }
  const { arrivesOnPort, arrivesFrom, arrivesFromPorts: ports } = probe
  if (arrivesOnPort !== undefined && found.destinationPort !== arrivesOnPort) {
    return `came to port ${String(found.destinationPort)}`
  }
  if (arrivesFrom !== undefined && found.source !== arrivesFrom) return `came from ${String(found.source)}`
  const { sourcePort = 0 } = found
  if (ports !== undefined && (sourcePort < ports.from || sourcePort > ports.to))
    return `came from port ${String(sourcePort)}`
  return undefined
}

/** Sends everything that is expected and tells each fault in a line. */
export async function shootAll(rack: Rack, expected: readonly Expected[]): Promise<string[]> {
  const shots = expected.map((each) => ({
    ...each,
    from: each.probe.from,
    packet: packetOf(each.probe),
    expected: each.allowed,
  }))
  const heard = await rack.shoot(shots)
  return shots.flatMap((shot) => {
    const wrong = fault(shot, heard.get(shot.packet.tag) ?? [])
    return wrong === undefined ? [] : [`${shot.probe.text}: ${wrong}`]
  })
}
