/**
 * Probes in one line: `client:4000 > web tcp 80`. Who sends, to whom, what; and, if it differs from what was sent, as what
 * it arrives. A probe without a family is sent in both.
 *
 *     FROM[:PORT] [as WHO] > TO[:ADDRESS] WHAT [at WHO:PORT] [from WHO] [ipv4|ipv6]
 *
 * WHAT: `tcp 80`, `udp 53`, `sctp 9`, `udplite 9` (with `synack` or `ack` behind a TCP port: a later packet of the
 * connection), `echo` (the echo request of the family), `icmp 13/0` (IPv4), `icmpv6 139/0` (IPv6), `protocol 99`.
 * `as`: the source it claims, an actor's or an address. `at`: where a translated packet comes out. `from`: whose address
 * its source has become.
 */
import type { Family } from '@network/net'
import { type ActorName, actor, isActorName } from './actors.ts'
import { type TcpStep, protocolNumber, tcpFlag } from './wire/packet.ts'

export interface Probe {
  readonly text: string
  readonly from: ActorName
  readonly to: ActorName
  readonly family: Family
  readonly source: string
  readonly destination: string
  readonly protocol: number
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly icmp?: { readonly type: number; readonly code: number }
  /** It belongs to a connection that an earlier probe opened. */
  readonly tcp?: TcpStep
  /** Where it comes out if it is let through. */
  readonly arrivesAt: ActorName
  readonly arrivesOnPort?: number
  /** The source it has then, where that is said. */
  readonly arrivesFrom?: string
}

const shape =
  /^(\w+)(?::(\d+))?(?: as (\S+))? > (\w+)(?: on (\S+))? (tcp|udp|sctp|udplite|echo|icmp|icmpv6|protocol)(?: (\d+)(?:\/(\d+))?)?(?: (synack|ack))?(?: at (\w+):(\d+))?(?: from (\S+))?(?: (ipv4|ipv6))?$/

const steps = {
  synack: { flags: tcpFlag.syn | tcpFlag.ack, sequence: 5000, acknowledgement: 2 },
  ack: { flags: tcpFlag.ack, sequence: 2, acknowledgement: 5001 },
} as const

function actorName(text: string, line: string): ActorName {
  if (isActorName(text)) return text
  throw new Error(`'${line}': nobody is called '${text}'`)
}

function addressOf(text: string, family: Family): string {
  return isActorName(text) ? actor(text)[family] : text
}

/** The protocol's number, and the families that have it. */
function protocolOf(word: string, number: string | undefined): { protocol: number; families: Family[] } {
  const both: Family[] = ['ipv4', 'ipv6']
  switch (word) {
    case 'icmp':
      return { protocol: protocolNumber.icmp, families: ['ipv4'] }
    case 'icmpv6':
      return { protocol: protocolNumber.icmpv6, families: ['ipv6'] }
    case 'protocol':
      return { protocol: Number(number), families: both }
    case 'tcp':
    case 'udp':
    case 'sctp':
    case 'udplite':
      return { protocol: protocolNumber[word], families: both }
    default:
      throw new Error(`'${word}' is no protocol`)
  }
}

/** Reads a line; one probe for each family that it means. `port` is the source port of a probe that names none. */
export function parseProbe(line: string, port: number): Probe[] {
  const found = shape.exec(line)
  if (found === null) throw new Error(`'${line}' is no probe`)
  const [, sender, fromPort, claimed, receiver, on, word, number, code, step, at, atPort, seenFrom, only] =
    found
  const from = actorName(sender ?? '', line)
  const to = actorName(receiver ?? '', line)
  const said = [claimed, on].find((text) => text !== undefined && !isActorName(text))
  const spoken: Family | undefined = said === undefined ? undefined : said.includes(':') ? 'ipv6' : 'ipv4'
  const echo = word === 'echo'
  const what = echo ? { protocol: 0, families: ['ipv4', 'ipv6'] as Family[] } : protocolOf(word ?? '', number)
  return what.families
    .filter((family) => (only ?? family) === family && (spoken ?? family) === family)
    .map((family): Probe => {
      const icmp = echo
        ? { type: family === 'ipv4' ? 8 : 128, code: 0 }
        : word?.startsWith('icmp') === true
          ? { type: Number(number), code: Number(code ?? 0) }
          : undefined
      const echoProtocol = family === 'ipv4' ? protocolNumber.icmp : protocolNumber.icmpv6
      const ported = icmp === undefined && word !== 'protocol'
      return {
        text: `${line}${only === undefined ? ` ${family}` : ''}`,
        from,
        to,
        family,
        source: addressOf(claimed ?? from, family),
        destination: addressOf(on ?? to, family),
        protocol: echo ? echoProtocol : what.protocol,
        ...(ported ? { sourcePort: Number(fromPort ?? port), destinationPort: Number(number) } : {}),
        ...(icmp === undefined ? {} : { icmp }),
        ...(step === 'synack' || step === 'ack' ? { tcp: steps[step] } : {}),
        arrivesAt: at === undefined ? to : actorName(at, line),
        ...(atPort === undefined ? {} : { arrivesOnPort: Number(atPort) }),
        ...(seenFrom === undefined ? {} : { arrivesFrom: addressOf(seenFrom, family) }),
      }
    })
}
