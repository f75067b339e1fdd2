import {
  DroverError,
  type Family,
  formatAddress,
  parseAddress,
  parsePrefix,
  prefixContains,
} from '@network/net'
import { type Protocol, resourceKey, type ResourceOf } from '@network/datastore/model'
import type { Flow, Party } from '@network/policy'
import { protocols } from '@network/policy/grammar'
import { chooseEndpoint } from '../endpoint-choice.ts'
import { UsageError } from '../output/failure.ts'
import { type PolicyModel, resourcesOf } from './policy-model.ts'

/** A flow as the command line says it. */
export interface FlowWords {
  from: string
  to: string
  protocol?: string | undefined
  port?: number | undefined
  sourcePort?: number | undefined
  icmpType?: number | undefined
  icmpCode?: number | undefined
  family?: Family | undefined
}

/** One end: who it is to the evaluator, what people call it, and its addresses of both families. */
interface End {
  readonly party: Party
  readonly label: string
  readonly families: readonly Family[]
  /** The node that it is on, if it is on one. */
  readonly node: string | undefined
}

export interface AskedFlow {
  readonly flow: Flow
  readonly from: string
  readonly to: string
  /** 'tcp port 5432' */
  readonly what: string
}

const withPorts: readonly Protocol[] = ['TCP', 'UDP', 'SCTP', 'UDPLite', 6, 17, 132, 136]
/** Any port that rules are unlikely to name: programs choose theirs from this range. */
const SOURCE_PORT = 49152

/** The flow that is meant. @throws UsageError, DroverError not-found, ambiguous */
export function askedFlow(model: PolicyModel, words: FlowWords): AskedFlow {
  if (words.from === 'host' && words.to === 'host') {
    throw new UsageError("'host' at both ends says no node.", 'Write host:NODE for one of them.')
  }
  const to = words.to === 'host' ? undefined : endOf(model, '--to', words.to)
  const from = words.from === 'host' ? hostOf(model, '--from', to) : endOf(model, '--from', words.from)
  const goal = to ?? hostOf(model, '--to', from)
  const family = familyOf(from, goal, words.family)
  const protocol = protocolOf(words.protocol ?? 'tcp', family)
  const ported = withPorts.includes(protocol)
  if (ported && words.port === undefined) {
    throw new UsageError('It is not said which port.', 'Give --port, or --protocol icmp.')
  }
  if (!ported && (words.port !== undefined || words.sourcePort !== undefined)) {
    throw new UsageError(`${shown(protocol)} has no ports.`, 'Leave --port and --source-port out.')
  }
  const messages = protocol === 'ICMP' || protocol === 'ICMPv6' || protocol === 1 || protocol === 58
  if (!messages && (words.icmpType !== undefined || words.icmpCode !== undefined)) {
    throw new UsageError(`${shown(protocol)} has no ICMP types.`, 'Leave --icmp-type and --icmp-code out.')
  }
  const icmp = { type: words.icmpType ?? (family === 'ipv4' ? 8 : 128), code: words.icmpCode ?? 0 }
  const what = ported
    ? `${shown(protocol)} port ${String(words.port)}`
    : messages
      ? `${shown(protocol)} type ${String(icmp.type)} code ${String(icmp.code)}`
      : shown(protocol)
  return {
    from: from.label,
    to: goal.label,
    what: `${what}, ${family === 'ipv4' ? 'IPv4' : 'IPv6'}`,
    flow: {
      from: from.party,
      to: goal.party,
      family,
      protocol,
      ...(ported && words.port !== undefined
        ? { sourcePort: words.sourcePort ?? SOURCE_PORT, destinationPort: words.port }
        : {}),
      ...(messages ? { icmp } : {}),
    },
  }
}

function shown(protocol: Protocol): string {
  return typeof protocol === 'number' ? `protocol ${String(protocol)}` : protocol.toLowerCase()
}

function protocolOf(word: string, family: Family): Protocol {
  const named = Object.entries(protocols).find(([known]) => known === word.toLowerCase())?.[1]
  if (named === 'ICMP' && family === 'ipv6') return 'ICMPv6'
  if (named === 'ICMPv6' && family === 'ipv4') {
    throw new UsageError('--protocol is icmpv6 and both ends have IPv4.', 'Add --family ipv6, or write icmp.')
  }
  if (named !== undefined) return named
  const number = /^[0-9]{1,3}$/.test(word) ? Number(word) : 0
  if (number >= 1 && number <= 255) return number
  throw new UsageError(
    `--protocol is '${word}'.`,
    `Use one of: ${Object.keys(protocols).join(', ')}, or a number from 1 to 255.`,
  )
}

function familyOf(from: End, to: End, asked: Family | undefined): Family {
  const common = from.families.filter((family) => to.families.includes(family))
  if (asked !== undefined && common.includes(asked)) return asked
  const [first] = common
  if (first !== undefined && asked === undefined) return first
  const what =
    asked === undefined ? 'an address of the same family' : `an ${asked === 'ipv4' ? 'IPv4' : 'IPv6'} address`
  throw new UsageError(
    `${from.label} and ${to.label} do not both have ${what}.`,
    'Choose other ends, or another --family.',
  )
}

function familiesOf(addresses: readonly string[]): Family[] {
  return (['ipv4', 'ipv6'] as const).filter((family) =>
    addresses.some((address) => address.includes(':') === (family === 'ipv6')),
  )
}

function endOf(model: PolicyModel, option: string, word: string): End {
  const parsed = parseAddress(word)
  if (parsed.ok) return addressEnd(model, formatAddress(parsed.value))
  if (word.startsWith('host:')) return nodeEnd(model, option, word.slice('host:'.length))
  const nodes = resourcesOf(model, 'Node')
  if (nodes.some(({ metadata }) => metadata.name === word)) return nodeEnd(model, option, word)
  const endpoints = resourcesOf(model, 'WorkloadEndpoint') as ResourceOf<'WorkloadEndpoint'>[]
  try {
    return workloadEnd(chooseEndpoint(word, endpoints))
  } catch (error) {
    if (!(error instanceof DroverError) || error.code !== 'not-found') throw error
    throw new DroverError('not-found', `${option} is '${word}', which is no endpoint, node or address.`, {
      remedy: "Name an endpoint as 'drover get endpoints' shows it, a node, an address, host, or host:NODE.",
    })
  }
}

function addressEnd(model: PolicyModel, address: string): End {
  const parsed = parseAddress(address)
  const has = (network: string): boolean => {
    const net = parsePrefix(
      network.includes('/') ? network : `${network}/${network.includes(':') ? '128' : '32'}`,
    )
    return parsed.ok && net.ok && prefixContains(net.value, parsed.value)
  }
  const endpoints = resourcesOf(model, 'WorkloadEndpoint') as ResourceOf<'WorkloadEndpoint'>[]
  const workload = endpoints.find(({ spec }) => spec.ipNetworks.some(has))
  const families = familiesOf([address])
  if (workload !== undefined) {
    const end = workloadEnd(workload)
    return { ...end, party: { ...end.party, address }, label: `${end.label} (${address})`, families }
  }
  const nodes = resourcesOf(model, 'Node') as ResourceOf<'Node'>[]
  const node = nodes.find((one) => addressesOf(one).some((own) => has(own)))
  if (node !== undefined) {
    const { name } = node.metadata
    return {
      party: { is: 'host', node: name, address },
      label: `host ${name} (${address})`,
      families,
      node: name,
    }
  }
  return { party: { is: 'address', address }, label: address, families, node: undefined }
}

/** Addresses of a node without their network's length. */
function addressesOf({ spec }: ResourceOf<'Node'>): string[] {
  const all = [
    spec.bgp?.ipv4Address,
    spec.bgp?.ipv6Address,
    ...(spec.addresses ?? []).map((one) => one.address),
  ]
  return all.flatMap((text) => (text === undefined ? [] : [text.split('/')[0] ?? '']))
}

function workloadEnd({ metadata, spec }: ResourceOf<'WorkloadEndpoint'>): End {
  return {
    party: { is: 'workload', name: resourceKey({ kind: 'WorkloadEndpoint', name: metadata.name }) },
    label: metadata.name,
    families: familiesOf(spec.ipNetworks),
    node: spec.node,
  }
}

function nodeEnd(model: PolicyModel, option: string, name: string): End {
  const nodes = resourcesOf(model, 'Node') as ResourceOf<'Node'>[]
  const node = nodes.find(({ metadata }) => metadata.name === name)
  if (node === undefined) {
    throw new DroverError('not-found', `${option} is 'host:${name}', and there is no Node ${name}.`, {
      remedy: "'drover get nodes' lists those that there are.",
    })
  }
  return {
    party: { is: 'host', node: name },
    label: `host ${name}`,
    families: familiesOf(addressesOf(node)),
    node: name,
  }
}

/** 'host' is the host of the other end. */
function hostOf(model: PolicyModel, option: string, other: End | undefined): End {
  if (other?.node === undefined) {
    throw new UsageError(`${option} is 'host', and the other end is on no node.`, 'Write host:NODE.')
  }
  return nodeEnd(model, option, other.node)
}
