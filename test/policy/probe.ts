/**
 * Probes in one line: `client:4000 > web tcp 80`. Who sends, to whom, what; and, if it differs from what was sent, as what
 * it arrives. A probe without a family is sent in both.
 *
 *     FROM[:PORT] [as WHO] > TO[:ADDRESS] WHAT [at WHO[:PORT]] [from WHO [ports A-B]] [ipv4|ipv6]
 *
 * WHAT: `tcp 80`, `udp 53`, `sctp 9`, `udplite 9` (with `synack` or `ack` behind a TCP port: a later packet of the
 * connection), `echo` (the echo request of the family), `icmp 13/0` (IPv4), `icmpv6 139/0` (IPv6), `protocol 99`;
 * `unreachable about FLOW` and `toobig about FLOW` are the family's errors that quote a packet, `WHO:PORT > WHO udp 80`.
 * `as`: the source it claims, an actor's or an address. `at`: where a translated packet comes out. `from`: whose address
 * its source has become, and of which ports its port is one.
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
  /** The packet that an ICMP error is about. */
  readonly quoted?: Probe
  /** Where it comes out if it is let through. */
  readonly arrivesAt: ActorName
  readonly arrivesOnPort?: number
  /** The source it has then, where that is said. */
  readonly arrivesFrom?: string
  readonly arrivesFromPorts?: { readonly from: number; readonly to: number }
}

const shape =
  /^(\w+)(?::(\d+))?(?: as (\S+))? > (\w+)(?: on (\S+))? (tcp|udp|sctp|udplite|echo|icmp|icmpv6|protocol|unreachable|toobig)(?: (\d+)(?:\/(\d+))?)?(?: (synack|ack))?(?: about (\S+ > \S+ \S+ \d+))?(?: at (\w+)(?::(\d+))?)?(?: from (\S+)(?: ports (\d+)-(\d+))?)?(?: (ipv4|ipv6))?$/

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

/** Messages of ICMP by a word, with type and code of each family. */
const messages = {
  echo: { ipv4: { type: 8, code: 0 }, ipv6: { type: 128, code: 0 } },
  // Of a port.
  unreachable: { ipv4: { type: 3, code: 3 }, ipv6: { type: 1, code: 4 } },
  toobig: { ipv4: { type: 3, code: 4 }, ipv6: { type: 2, code: 0 } },
} as const

function isMessage(word: string): word is keyof typeof messages {
  return Object.hasOwn(messages, word)
}

/** What a probe is in each of the families that have it. */
function whatOf(
  word: string,
  number: string | undefined,
  code: string | undefined,
): Partial<Record<Family, Pick<Probe, 'protocol' | 'icmp'>>> {
  const icmp = { type: Number(number), code: Number(code ?? 0) }
  const both = (protocol: number) => ({ ipv4: { protocol }, ipv6: { protocol } })
  if (isMessage(word))
    return {
      ipv4: { protocol: protocolNumber.icmp, icmp: messages[word].ipv4 },
      ipv6: { protocol: protocolNumber.icmpv6, icmp: messages[word].ipv6 },
    }
  switch (word) {
    case 'icmp':
      return { ipv4: { protocol: protocolNumber.icmp, icmp } }
    case 'icmpv6':
      return { ipv6: { protocol: protocolNumber.icmpv6, icmp } }
    case 'protocol':
      return both(Number(number))
    case 'tcp':
    case 'udp':
    case 'sctp':
    case 'udplite':
      return both(protocolNumber[word])
    default:
      throw new Error(`'${word}' is no protocol`)
  }
}

/** Reads a line; one probe for each family that it means. `port` is the source port of a probe that names none. */
export function parseProbe(line: string, port: number): Probe[] {
  const found = shape.exec(line)
  if (found === null) throw new Error(`'${line}' is no probe`)
  const [, sender, fromPort, claimed, receiver, on, word = '', number, code, step, about, ...arrival] = found
  const [at, atPort, seenFrom, firstPort, lastPort, only] = arrival
  const from = actorName(sender ?? '', line)
  const to = actorName(receiver ?? '', line)
  const said = [claimed, on].find((text) => text !== undefined && !isActorName(text))
  const spoken: Family | undefined = said === undefined ? undefined : said.includes(':') ? 'ipv6' : 'ipv4'
  const what = whatOf(word, number, code)
  return (['ipv4', 'ipv6'] as const)
    .filter((family) => (only ?? family) === family && (spoken ?? family) === family)
    .flatMap((family): Probe[] => {
      const is = what[family]
      if (is === undefined) return []
      const ported = is.icmp === undefined && word !== 'protocol'
      const [quoted] = about === undefined ? [] : parseProbe(`${about} ${family}`, port)
      return [
        {
          text: `${line}${only === undefined ? ` ${family}` : ''}`,
          from,
          to,
          family,
          source: addressOf(claimed ?? from, family),
          destination: addressOf(on ?? to, family),
          ...is,
          ...(ported ? { sourcePort: Number(fromPort ?? port), destinationPort: Number(number) } : {}),
          ...(step === 'synack' || step === 'ack' ? { tcp: steps[step] } : {}),
          ...(quoted === undefined ? {} : { quoted }),
          arrivesAt: at === undefined ? to : actorName(at, line),
          ...(atPort === undefined ? {} : { arrivesOnPort: Number(atPort) }),
          ...(seenFrom === undefined ? {} : { arrivesFrom: addressOf(seenFrom, family) }),
          ...(firstPort === undefined
            ? {}
            : { arrivesFromPorts: { from: Number(firstPort), to: Number(lastPort) } }),
        },
      ]
    })
}
