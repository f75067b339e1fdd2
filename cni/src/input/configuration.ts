/**
 * The network configuration that a runtime writes to standard input: ours, the specification's own fields, and those of
 * Calico's plugin that mean the same. Pure.
 */
import type { Family } from '@network/net'
import { CniError, brief } from '../cni-error.ts'
import {
  type Json,
  type JsonRecord,
  asArray,
  asBoolean,
  asKeyValues,
  asLabels,
  asNumber,
  asRecord,
  asText,
  asTexts,
  parseJson,
} from '../json.ts'
import type { CniDns, CniResult } from '../result/result.ts'
import { type CniVersion, readDns, readResult, readVersion } from '../result/versions.ts'
import {
  type Bandwidth,
  type PortMapping,
  readBandwidth,
  readPortMapping,
  runtimeDns,
} from './capabilities.ts'
import { knownKeys, refuseUnknown } from './known-keys.ts'
import { mesosOf } from './mesos.ts'

/** What configuration and runtime ask for. */
export interface Configuration {
  readonly cniVersion: CniVersion
  readonly name: string
  readonly network: string | undefined
  readonly ipv4Pools: readonly string[] | undefined
  readonly ipv6Pools: readonly string[] | undefined
  /** Families wanted; undefined: those that a pool serves. */
  readonly families: readonly Family[] | undefined
  readonly mtuBytes: number | undefined
  readonly profiles: readonly string[] | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly defaultRoute: boolean | undefined
  readonly keepAddresses: boolean
  /** Whether addresses that nobody assigned may be used (annotation ipAddrsNoIpam). */
  readonly allowsUnassigned: boolean
  /** Name of the IPAM plugin that assigns addresses; undefined: the agent does. */
  readonly delegate: string | undefined
  readonly dns: CniDns
  readonly portMappings: readonly PortMapping[]
  readonly bandwidth: Bandwidth | undefined
  /** Fixed addresses (capability ips, args.cni.ips), without length. */
  readonly addresses: readonly string[]
  readonly mac: string | undefined
  readonly annotations: Readonly<Record<string, string>>
  /** Labels of args.cni.labels and of Mesos' network_info. */
  readonly runtimeLabels: Readonly<Record<string, string>>
  readonly isMesos: boolean
  /** What plugins before this one in the chain have made. */
  readonly prevResult: CniResult | undefined
  /** All of it, for a delegate. */
  readonly raw: JsonRecord
}

/** Types of `ipam` with which the agent assigns the addresses. */
const ipamOfOurs: readonly string[] = ['', 'drover', 'drover-ipam', 'calico-ipam']

/** The IPAM plugin that a type names; undefined: the agent assigns. */
export function delegateOf(ipamType: string): string | undefined {
  return ipamOfOurs.includes(ipamType) ? undefined : ipamType
}

/** The version, read first and apart: an error is written in it. undefined if it can't be read. */
export function versionOf(stdin: string): CniVersion | undefined {
  try {
    return readVersion(asRecord(parseJson(stdin, ''), '')['cniVersion'])
  } catch {
    return undefined
  }
}

/**
 * `ipam`: what is read is another plugin's configuration, of which only the part `ipam` is ours.
 * @throws CniError decode, incompatibleVersion, unsupportedField, configuration
 */
export function readConfiguration(stdin: string, role: 'plugin' | 'ipam' = 'plugin'): Configuration {
  const raw = asRecord(
    parseJson(stdin, 'The network configuration on standard input'),
    'The network configuration',
  )
  const cniVersion = readVersion(raw['cniVersion'])
  const name = asText(raw['name'], 'name') ?? ''
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) {
    throw new CniError(
      'configuration',
      name === ''
        ? 'The network configuration has no name.'
        : `name is '${brief(name)}', which is no network's name.`,
      "Use letters, digits, '_', '.' and '-', beginning with a letter or digit.",
    )
  }
  if (role === 'plugin') {
    refuseUnknown(raw, knownKeys.plugin, '')
    refuseForwarding(raw)
  }
  const ipam = raw['ipam'] === undefined || raw['ipam'] === null ? {} : asRecord(raw['ipam'], 'ipam')
  const delegate = delegateOf(asText(ipam['type'], 'ipam.type') ?? '')
  if (delegate === undefined)
    refuseUnknown(ipam, role === 'ipam' ? knownKeys.ipamPlugin : knownKeys.ipam, 'ipam.')
  const own = delegate === undefined ? ipam : {}
  /** Where our own keys stand. */
  const ours = role === 'ipam' ? ipam : raw
  const runtime = raw['runtimeConfig'] === undefined ? {} : asRecord(raw['runtimeConfig'], 'runtimeConfig')
  const args = raw['args'] === undefined || raw['args'] === null ? {} : asRecord(raw['args'], 'args')
  const cniArgs = args['cni'] === undefined ? {} : asRecord(args['cni'], 'args.cni')
  const mesos = mesosOf(args)
  const one = <T>(
    read: (value: Json | undefined, place: string) => T,
    ...names: readonly string[]
  ): T | undefined =>
    onlyOne([
      ...names.map((field) => [field, read(ours[field], field)] as const),
      ...names.map((field) => [`ipam.${field}`, read(own[field], `ipam.${field}`)] as const),
    ])
  const subnet = one(asText, 'subnet')
  const ipv4Pools = one(asPools, 'ipv4Pools', 'ipv4_pools')
  const ipv6Pools = one(asPools, 'ipv6Pools', 'ipv6_pools')
  if (subnet !== undefined && (ipv4Pools ?? ipv6Pools) !== undefined) {
    throw new CniError(
      'configuration',
      `subnet is '${brief(subnet)}' and pools are named too: only one can be meant.`,
    )
  }
  const mtu = asNumber(ours['mtu'], 'mtu')
  const profile = asText(ours['profile'], 'profile')
  const profiles = ours['profiles'] === undefined ? undefined : asTexts(ours['profiles'], 'profiles')
  return {
    cniVersion,
    name,
    network: asText(ours['network'], 'network'),
    ipv4Pools: subnet !== undefined && !subnet.includes(':') ? [subnet] : ipv4Pools,
    ipv6Pools: subnet?.includes(':') === true ? [subnet] : ipv6Pools,
    families: familiesOf(
      one(asBoolean, 'assignIPv4', 'assign_ipv4'),
      one(asBoolean, 'assignIPv6', 'assign_ipv6'),
    ),
    mtuBytes: mtu === 0 ? undefined : mtu,
    profiles: profiles ?? (profile === undefined ? undefined : [profile]),
    labels: asLabels(ours['labels'], 'labels'),
    defaultRoute: asBoolean(ours['defaultRoute'], 'defaultRoute'),
    keepAddresses: asBoolean(ours['keepAddresses'], 'keepAddresses') ?? false,
    allowsUnassigned: allowsUnassigned(raw),
    delegate,
    dns: { ...readDns(raw['dns'], 'dns'), ...runtimeDns(runtime['dns']) },
    portMappings: [
      ...asArray(runtime['portMappings'], 'runtimeConfig.portMappings').flatMap((each, index) =>
        readPortMapping(each, `runtimeConfig.portMappings[${String(index)}]`),
      ),
      ...mesos.portMappings,
    ],
    bandwidth: readBandwidth(runtime['bandwidth']),
    addresses: distinct([
      ...asTexts(runtime['ips'], 'runtimeConfig.ips'),
      ...asTexts(cniArgs['ips'], 'args.cni.ips'),
    ]),
    mac: asText(runtime['mac'], 'runtimeConfig.mac') ?? asText(cniArgs['mac'], 'args.cni.mac'),
    annotations: asLabels(
      runtime['io.kubernetes.cri.pod-annotations'],
      'runtimeConfig.io.kubernetes.cri.pod-annotations',
    ),
    runtimeLabels: { ...asKeyValues(cniArgs['labels'], 'args.cni.labels'), ...mesos.labels },
    isMesos: mesos.present,
    prevResult:
      raw['prevResult'] === undefined || raw['prevResult'] === null
        ? undefined
        : readResult(raw['prevResult'], 'prevResult', cniVersion),
    raw,
  }
}

/** Without length, each once: podman says them twice, by capability and by argument. */
function distinct(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses.map((address) => address.replace(/\/\d{1,3}$/, '')))]
}

function refuseForwarding(raw: JsonRecord): void {
  const settings = raw['container_settings']
  if (settings === undefined || settings === null) return
  const wanted = asBoolean(
    asRecord(settings, 'container_settings')['allow_ip_forwarding'],
    'container_settings.allow_ip_forwarding',
  )
  if (wanted !== true) return
  throw new CniError(
    'unsupportedField',
    'container_settings.allow_ip_forwarding is true, and workloads forward nothing here.',
    'Leave it out; a workload that must route belongs into the network of its host.',
  )
}

function allowsUnassigned(raw: JsonRecord): boolean {
  const control = raw['feature_control']
  const calico = control === undefined || control === null ? undefined : asRecord(control, 'feature_control')
  return (
    asBoolean(raw['allowUnassignedAddresses'], 'allowUnassignedAddresses') ??
    asBoolean(calico?.['ip_addrs_no_ipam'], 'feature_control.ip_addrs_no_ipam') ??
    false
  )
}

function onlyOne<T>(given: readonly (readonly [string, T | undefined])[]): T | undefined {
  const [first, second] = given.filter(([, value]) => value !== undefined)
  if (first !== undefined && second !== undefined && JSON.stringify(first[1]) !== JSON.stringify(second[1])) {
    throw new CniError('configuration', `${first[0]} and ${second[0]} differ: only one can be meant.`)
  }
  return first?.[1]
}

function asPools(value: Json | undefined, place: string): readonly string[] | undefined {
  const pools = asTexts(value, place)
  return pools.length === 0 ? undefined : pools
}

/** Calico's meaning: IPv4 unless it is declined, IPv6 only if it is asked for; nothing said is whatever pools serve. */
function familiesOf(ipv4: boolean | undefined, ipv6: boolean | undefined): readonly Family[] | undefined {
  if (ipv4 === undefined && ipv6 === undefined) return undefined
  const families: Family[] = [
    ...((ipv4 ?? true) ? (['ipv4'] as const) : []),
    ...((ipv6 ?? false) ? (['ipv6'] as const) : []),
  ]
  if (families.length > 0) return families
  throw new CniError(
    'configuration',
    'assignIPv4 and assignIPv6 are both declined: no address is left to assign.',
  )
}
