/**
 * Results of every version of the specification, both ways. 0.1.0 and 0.2.0 know one address of each family and no
 * interface; 0.3.0 to 0.4.0 write each address with its version; 1.0.0 leaves that out; 1.1.0 adds fields to interfaces
 * and routes.
 */
import { CniError, brief } from '../cni-error.ts'
import { type Json, asArray, asNumber, asRecord, asText, asTexts } from '../json.ts'
import { type CniDns, type CniInterface, type CniIp, type CniResult, type CniRoute } from './result.ts'

export const cniVersions = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const
export type CniVersion = (typeof cniVersions)[number]
export const newestVersion: CniVersion = '1.1.0'

/** A configuration that names no version is of 0.1.0. @throws CniError incompatibleVersion */
export function readVersion(value: Json | undefined): CniVersion {
  if (value === undefined || value === '') return '0.1.0'
  const version = cniVersions.find((known) => known === value)
  if (version !== undefined) return version
  throw new CniError(
    'incompatibleVersion',
    `cniVersion is '${brief(typeof value === 'string' ? value : JSON.stringify(value))}', which this plugin does not speak.`,
    `It speaks ${cniVersions.join(', ')}.`,
  )
}

/** Whether `version` is that of `first` or a later one. */
export function isSince(version: CniVersion, first: CniVersion): boolean {
  return cniVersions.indexOf(version) >= cniVersions.indexOf(first)
}

const isIpv6 = (address: string): boolean => address.includes(':')

/** The text for standard output. */
export function formatResult(result: CniResult, version: CniVersion): string {
  return JSON.stringify(resultFor(result, version))
}

/** A result as that version shapes it. */
export function resultFor(result: CniResult, version: CniVersion): object {
  const { interfaces, ips, routes, dns } = result
  if (!isSince(version, '0.3.0')) {
    const family = (wanted: (address: string) => boolean): object | undefined => {
      const first = ips.find(({ address }) => wanted(address))
      if (first === undefined) return undefined
      return {
        ip: first.address,
        ...(first.gateway === undefined ? {} : { gateway: first.gateway }),
        routes: routes.filter(({ dst }) => wanted(dst)).map(({ dst, gw }) => plainRoute(dst, gw)),
      }
    }
    const ip4 = family((address) => !isIpv6(address))
    const ip6 = family(isIpv6)
    return {
      cniVersion: version,
      ...(ip4 === undefined ? {} : { ip4 }),
      ...(ip6 === undefined ? {} : { ip6 }),
      dns,
    }
  }
  const full = isSince(version, '1.1.0')
  return {
    cniVersion: version,
    interfaces: interfaces.map(({ name, mac, mtu, sandbox, socketPath, pciID }) => ({
      name,
      ...(mac === undefined ? {} : { mac }),
      ...(full && mtu !== undefined ? { mtu } : {}),
      ...(sandbox === undefined ? {} : { sandbox }),
      ...(full && socketPath !== undefined ? { socketPath } : {}),
      ...(full && pciID !== undefined ? { pciID } : {}),
    })),
    ips: ips.map((ip) => ({
      ...(isSince(version, '1.0.0') ? {} : { version: isIpv6(ip.address) ? '6' : '4' }),
      ...(ip.interface === undefined ? {} : { interface: ip.interface }),
      address: ip.address,
      ...(ip.gateway === undefined ? {} : { gateway: ip.gateway }),
    })),
    routes: routes.map((route) => (full ? route : plainRoute(route.dst, route.gw))),
    dns,
  }
}

function plainRoute(dst: string, gw: string | undefined): CniRoute {
  return { dst, ...(gw === undefined ? {} : { gw }) }
}

/**
 * Reads a result of any version, as prevResult or as a delegate's answer.
 * @param version that of the configuration, where the result names none
 * @throws CniError decode
 */
export function readResult(value: Json, place: string, version: CniVersion): CniResult {
  const record = asRecord(value, place)
  const own = record['cniVersion'] === undefined ? version : readVersion(record['cniVersion'])
  if (!isSince(own, '0.3.0')) {
    const families = (['ip4', 'ip6'] as const).flatMap((name) => {
      const family = record[name]
      return family === undefined || family === null ? [] : [asRecord(family, `${place}.${name}`)]
    })
    return {
      interfaces: [],
      ips: families.map((family) => readIp({ address: family['ip'], gateway: family['gateway'] }, place)),
      routes: families.flatMap((family) => readRoutes(family['routes'], place)),
      dns: readDns(record['dns'], `${place}.dns`),
    }
  }
  const interfaces = asArray(record['interfaces'], `${place}.interfaces`).map((each, index) =>
    readInterface(each, `${place}.interfaces[${String(index)}]`),
  )
  return {
    interfaces,
    ips: asArray(record['ips'], `${place}.ips`).map((each, index) => {
      const at = `${place}.ips[${String(index)}]`
      const ip = readIp(asRecord(each, at), at)
      if (ip.interface !== undefined && ip.interface >= interfaces.length) {
        throw new CniError(
          'decode',
          `${at}.interface is ${String(ip.interface)}, and there is no such interface.`,
        )
      }
      return ip
    }),
    routes: readRoutes(record['routes'], place),
    dns: readDns(record['dns'], `${place}.dns`),
  }
}

function readInterface(value: Json, place: string): CniInterface {
  const record = asRecord(value, place)
  const text = (name: string): string | undefined => asText(record[name], `${place}.${name}`)
  const [mac, sandbox, socketPath, pciID] = ['mac', 'sandbox', 'socketPath', 'pciID'].map(text)
  const mtu = asNumber(record['mtu'], `${place}.mtu`)
  return {
    name: text('name') ?? '',
    ...(mac === undefined ? {} : { mac }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(sandbox === undefined || sandbox === '' ? {} : { sandbox }),
    ...(socketPath === undefined ? {} : { socketPath }),
    ...(pciID === undefined ? {} : { pciID }),
  }
}

function readIp(record: Readonly<Record<string, Json | undefined>>, place: string): CniIp {
  const address = asText(record['address'], `${place}.address`)
  if (address === undefined) throw new CniError('decode', `${place}.address is missing.`)
  const gateway = asText(record['gateway'], `${place}.gateway`)
  const index = asNumber(record['interface'], `${place}.interface`)
  return {
    address,
    ...(gateway === undefined || gateway === '' ? {} : { gateway }),
    ...(index === undefined || index < 0 ? {} : { interface: index }),
  }
}

function readRoutes(value: Json | undefined, place: string): CniRoute[] {
  return asArray(value, `${place}.routes`).map((each, index) => {
    const at = `${place}.routes[${String(index)}]`
    const record = asRecord(each, at)
    const dst = asText(record['dst'], `${at}.dst`)
    if (dst === undefined) throw new CniError('decode', `${at}.dst is missing.`)
    const gw = asText(record['gw'], `${at}.gw`)
    const numbers = ['mtu', 'advmss', 'priority', 'table', 'scope'].flatMap((name) => {
      const number = asNumber(record[name], `${at}.${name}`)
      return number === undefined ? [] : [[name, number] as const]
    })
    return { dst, ...(gw === undefined || gw === '' ? {} : { gw }), ...Object.fromEntries(numbers) }
  })
}

/** @throws CniError decode */
export function readDns(value: Json | undefined, place: string): CniDns {
  if (value === undefined || value === null) return {}
  const record = asRecord(value, place)
  const lists = (['nameservers', 'search', 'options'] as const).flatMap((name) => {
    const texts = asTexts(record[name], `${place}.${name}`)
    return texts.length === 0 ? [] : [[name, texts] as const]
  })
  const domain = asText(record['domain'], `${place}.domain`)
  return { ...(domain === undefined ? {} : { domain }), ...Object.fromEntries(lists) }
}
