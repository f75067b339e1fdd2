/** What a runtime adds by capability (CONVENTIONS.md): published ports, limits of bandwidth, resolvers. Pure. */
import { CniError, brief } from '../cni-error.ts'
import { type Json, asFolded, asNumber, asText, asTexts } from '../json.ts'
import type { CniDns } from '../result/result.ts'

export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly hostPort: number
  readonly port: number
  readonly hostIP?: string
}

/** Bits per second, and bits of burst; absent or 0 is no limit. */
export interface Bandwidth {
  readonly ingressRate?: number
  readonly ingressBurst?: number
  readonly egressRate?: number
  readonly egressBurst?: number
}

const protocols = ['TCP', 'UDP', 'SCTP'] as const

/** A host port of 0 is none: runtimes send those for ports that are not published. */
export function readPortMapping(value: Json, place: string): PortMapping[] {
  const record = asFolded(value, place)
  const hostPort = asNumber(record['hostport'], `${place}.hostPort`) ?? 0
  const port = asNumber(record['containerport'], `${place}.containerPort`) ?? 0
  const word = (asText(record['protocol'], `${place}.protocol`) ?? 'tcp').toUpperCase()
  const protocol = protocols.find((known) => known === word)
  const hostIP = asText(record['hostip'], `${place}.hostIP`) ?? ''
  if (hostPort === 0) return []
  const isPort = (number: number): boolean => number >= 1 && number <= 65_535
  if (!isPort(hostPort) || !isPort(port) || protocol === undefined) {
    throw new CniError(
      'configuration',
      `${place} is ${brief(JSON.stringify(value))}, which is no port mapping.`,
      'It has hostPort and containerPort from 1 to 65535, and protocol tcp, udp or sctp.',
    )
  }
  return [{ protocol, hostPort, port, ...(hostIP === '' ? {} : { hostIP }) }]
}

export function readBandwidth(value: Json | undefined): Bandwidth | undefined {
  if (value === undefined || value === null) return undefined
  const record = asFolded(value, 'runtimeConfig.bandwidth')
  const given = (['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst'] as const).flatMap((name) => {
    const number = asNumber(record[name.toLowerCase()], `runtimeConfig.bandwidth.${name}`)
    if (number === undefined || number === 0) return []
    if (number < 0)
      throw new CniError('configuration', `runtimeConfig.bandwidth.${name} is ${String(number)}.`)
    return [[name, number] as const]
  })
  return given.length === 0 ? undefined : Object.fromEntries(given)
}

/** The capability's words are those of resolv.conf: servers, searches, options. */
export function runtimeDns(value: Json | undefined): CniDns {
  if (value === undefined || value === null) return {}
  const record = asFolded(value, 'runtimeConfig.dns')
  const lists = (
    [
      ['nameservers', 'servers'],
      ['search', 'searches'],
      ['options', 'options'],
    ] as const
  ).flatMap(([own, theirs]) => {
    const texts = asTexts(record[theirs], `runtimeConfig.dns.${theirs}`)
    return texts.length === 0 ? [] : [[own, texts] as const]
  })
  return Object.fromEntries(lists)
}
