/**
 * The network configuration that a runtime writes to standard input: ours, the specification's own fields, and those of
 * Calico's plugin that mean the same or that an agent makes needless. A key that nobody knows is an error, since a
 * mistyped `ipv4Pool` would otherwise give the wrong address without a word. Pure.
 */
import type { Family } from '@network/net'
import { CniError } from '../cni-error.ts'
import { type CniDns, type CniResult } from '../result/result.ts'
import { type CniVersion, isSince, readDns, readResult, readVersion } from '../result/versions.ts'
import { brief } from './call.ts'
import {
  type Json,
  type JsonRecord,
  asArray,
  asBoolean,
  asFolded,
  asLabels,
  asNumber,
  asRecord,
  asText,
  asTexts,
  parseJson,
} from './json.ts'

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

const ipamOfOurs: readonly string[] = ['', 'drover', 'drover-ipam', 'calico-ipam']

const known = {
  specification: [
    ...['cniVersion', 'cniVersions', 'name', 'type', 'ipam', 'dns', 'capabilities', 'runtimeConfig', 'args'],
    ...['prevResult', 'ipMasq', 'disableCheck', 'disableGC'],
  ],
  ours: [
    ...[
      'network',
      'ipv4Pools',
      'ipv6Pools',
      'subnet',
      'assignIPv4',
      'assignIPv6',
      'mtu',
      'profile',
      'profiles',
    ],
    ...['labels', 'defaultRoute', 'keepAddresses', 'allowUnassignedAddresses'],
  ],
  /** What the agent knows itself, or what has no meaning here. */
  needless: [
    ...[
      'num_queues',
      'nodename',
      'nodename_file',
      'nodename_file_optional',
      'datastore_type',
      'etcd_endpoints',
    ],
    ...['etcd_discovery_srv', 'etcd_key_file', 'etcd_cert_file', 'etcd_ca_cert_file', 'etcd_authority'],
    ...['etcd_scheme', 'hostname', 'log_level', 'log_file_path', 'log_file_max_size', 'log_file_max_age'],
    ...[
      'log_file_max_count',
      'ipam_lock_file',
      'policy',
      'kubernetes',
      'feature_control',
      'container_settings',
    ],
    ...['include_default_routes', 'dataplane_options', 'device_type', 'readiness_gates'],
    ...[
      'policy_setup_timeout_seconds',
      'endpoint_status_dir',
      'require_mtu_file',
      'windows_use_single_network',
    ],
  ],
}
const knownIpam = [
  ...['type', 'ipv4Pools', 'ipv6Pools', 'ipv4_pools', 'ipv6_pools', 'subnet', 'assignIPv4', 'assignIPv6'],
  ...['assign_ipv4', 'assign_ipv6'],
]

const knownInIpamPlugin = ['network', 'profile', 'profiles', 'labels', 'keepAddresses']

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
    refuseUnknown(raw, [...known.specification, ...known.ours, ...known.needless], '')
    refuseForwarding(raw)
  }
  const ipam = raw['ipam'] === undefined || raw['ipam'] === null ? {} : asRecord(raw['ipam'], 'ipam')
  const ipamType = asText(ipam['type'], 'ipam.type') ?? ''
  const delegate = ipamOfOurs.includes(ipamType) ? undefined : ipamType
  if (delegate === undefined)
    refuseUnknown(ipam, [...knownIpam, ...(role === 'ipam' ? knownInIpamPlugin : [])], 'ipam.')
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
    runtimeLabels: { ...keyValues(cniArgs['labels'], 'args.cni.labels'), ...mesos.labels },
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

/** Keys of others' names (`cni.dev/…`) pass. */
function refuseUnknown(record: JsonRecord, names: readonly string[], prefix: string): void {
  const unknown = Object.keys(record).find((key) => !names.includes(key) && !key.includes('/'))
  if (unknown === undefined) return
  const near = names.find((name) => plain(name) === plain(unknown))
  throw new CniError(
    'unsupportedField',
    `${prefix}${brief(unknown)} is ${brief(JSON.stringify(record[unknown]))}, and no such key is known.`,
    near === undefined ? 'Leave it out.' : `It is written ${prefix}${near}.`,
  )
}

/** How a key sounds: `ipv4_pool` like `ipv4Pools`. */
function plain(key: string): string {
  return key.toLowerCase().replaceAll(/[_-]/g, '').replace(/s$/, '')
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

const protocols = ['TCP', 'UDP', 'SCTP'] as const

/** A host port of 0 is none: runtimes send those for ports that are not published. */
function readPortMapping(value: Json, place: string): PortMapping[] {
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

function readBandwidth(value: Json | undefined): Bandwidth | undefined {
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
function runtimeDns(value: Json | undefined): CniDns {
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

/** `[{"key":…,"value":…}]` */
function keyValues(value: Json | undefined, place: string): Record<string, string> {
  return Object.fromEntries(
    asArray(value, place).flatMap((each, index) => {
      const at = `${place}[${String(index)}]`
      const record = asRecord(each, at)
      const key = asText(record['key'], `${at}.key`)
      return key === undefined ? [] : [[key, asText(record['value'], `${at}.value`) ?? '']]
    }),
  )
}

/** Mesos' NetworkInfo: labels are policy's, port mappings the agent's. */
function mesosOf(args: JsonRecord): {
  present: boolean
  labels: Readonly<Record<string, string>>
  portMappings: readonly PortMapping[]
} {
  const mesos = args['org.apache.mesos']
  if (mesos === undefined || mesos === null) return { present: false, labels: {}, portMappings: [] }
  const at = 'args.org.apache.mesos'
  const info = asRecord(asRecord(mesos, at)['network_info'] ?? {}, `${at}.network_info`)
  const labels = info['labels'] === undefined ? {} : asRecord(info['labels'], `${at}.network_info.labels`)
  return {
    present: true,
    labels: keyValues(labels['labels'], `${at}.network_info.labels.labels`),
    portMappings: asArray(info['port_mappings'], `${at}.network_info.port_mappings`).flatMap(
      (each, index) => {
        const place = `${at}.network_info.port_mappings[${String(index)}]`
        const record = asRecord(each, place)
        return readPortMapping(
          {
            hostPort: record['host_port'] ?? null,
            containerPort: record['container_port'] ?? null,
            protocol: record['protocol'] ?? null,
          },
          place,
        )
      },
    ),
  }
}

/** GC's list of what still stands. @throws CniError decode */
export function readValidAttachments(stdin: string): {
  readonly name: string
  readonly attachments: readonly { containerId: string; ifname: string }[]
} {
  const raw = asRecord(
    parseJson(stdin, 'The network configuration on standard input'),
    'The network configuration',
  )
  const version = readVersion(raw['cniVersion'])
  if (!isSince(version, '1.1.0')) {
    throw new CniError(
      'incompatibleVersion',
      `GC is of version 1.1.0, and the configuration's is ${version}.`,
    )
  }
  const place = 'cni.dev/valid-attachments'
  const list = raw[place] ?? raw['cni.dev/attachments']
  if (list === undefined) {
    throw new CniError(
      'configuration',
      `${place} is missing: without it everything would be taken for garbage.`,
    )
  }
  return {
    name: asText(raw['name'], 'name') ?? '',
    attachments: asArray(list, place).map((each, index) => {
      const record = asRecord(each, `${place}[${String(index)}]`)
      return {
        containerId: asText(record['containerID'], `${place}[${String(index)}].containerID`) ?? '',
        ifname: asText(record['ifname'], `${place}[${String(index)}].ifname`) ?? '',
      }
    }),
  }
}
