/**
 * The calls of libnetwork's remote drivers, read from JSON. dockerd leaves fields out, sends null for empty ones and may
 * send more than is named here; what a call can't do without is checked, the rest is passed over.
 */
import { DroverError, parseAddress, parsePrefix } from '@network/net'
import { type EndpointOptions, readEndpointOptions } from './endpoint-options.ts'
import { isRecord } from './json-value.ts'

export interface RequestPool {
  readonly family: 'ipv4' | 'ipv6'
  /** '10.40.0.0/16'; undefined: any. */
  readonly pool: string | undefined
  readonly subPool: string | undefined
  readonly options: Readonly<Record<string, string>>
}

export interface RequestAddress {
  readonly poolId: string
  readonly address: string | undefined
  readonly isGateway: boolean
}

export interface ReleaseAddress {
  readonly poolId: string
  readonly address: string
}

/** One family of a network as Docker's address management left it. */
export interface NetworkRange {
  readonly addressSpace: string
  /** '10.40.0.0/16'; '0.0.0.0/0' if nobody asked for a subnet. */
  readonly pool: string
  /** Without length. */
  readonly gateway: string | undefined
  /** By name, without length. */
  readonly auxiliary: Readonly<Record<string, string>>
}

export interface CreateNetwork {
  readonly networkId: string
  /** `-o`. */
  readonly options: Readonly<Record<string, string>>
  readonly internal: boolean
  readonly ranges: readonly NetworkRange[]
}

/** A port that a container publishes; hostPort 0: choose one. */
export interface PortBinding {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly port: number
  readonly hostAddress: string | undefined
  readonly hostPort: number
  readonly hostPortEnd: number
}

export interface EndpointReference {
  readonly networkId: string
  readonly endpointId: string
}

export interface CreateEndpoint extends EndpointReference, EndpointOptions {
  /** Without length; as given by the address management. */
  readonly addresses: readonly string[]
  readonly mac: string | undefined
  readonly ports: readonly PortBinding[]
}

export interface Join extends EndpointReference {
  readonly sandbox: string
}

type Body = Readonly<Record<string, unknown>>

/** The body of a call; some have none. @throws DroverError 'invalid-request' */
export function readBody(body: Buffer): Body {
  if (body.length === 0) return {}
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    throw invalid('The body is not JSON.')
  }
  return isRecord(value) ? value : {}
}

/** @throws DroverError 'invalid-request', as all of these */
export function readRequestPool(body: Body): RequestPool {
  return {
    family: body['V6'] === true ? 'ipv6' : 'ipv4',
    pool: prefixIn(body, 'Pool'),
    subPool: prefixIn(body, 'SubPool'),
    options: texts(body['Options'], 'Options'),
  }
}

export function readRequestAddress(body: Body): RequestAddress {
  const options = texts(body['Options'], 'Options')
  return {
    poolId: textIn(body, 'PoolID'),
    address: optionalAddress(body['Address'], 'Address'),
    isGateway: options['RequestAddressType'] === 'com.docker.network.gateway',
  }
}

export function readReleaseAddress(body: Body): ReleaseAddress {
  const address = optionalAddress(body['Address'], 'Address')
  if (address === undefined) throw invalid('Address is missing.')
  return { poolId: textIn(body, 'PoolID'), address }
}

export function readCreateNetwork(body: Body): CreateNetwork {
  const options = isRecord(body['Options']) ? body['Options'] : {}
  return {
    networkId: identifierIn(body, 'NetworkID'),
    options: texts(options['com.docker.network.generic'], 'com.docker.network.generic'),
    internal: options['com.docker.network.internal'] === true,
    ranges: [...rangesIn(body, 'IPv4Data'), ...rangesIn(body, 'IPv6Data')],
  }
}

export function readNetworkId(body: Body): string {
  return identifierIn(body, 'NetworkID')
}

export function readEndpointReference(body: Body): EndpointReference {
  return { networkId: identifierIn(body, 'NetworkID'), endpointId: identifierIn(body, 'EndpointID') }
}

export function readCreateEndpoint(body: Body): CreateEndpoint {
  const given = isRecord(body['Interface']) ? body['Interface'] : {}
  const options = isRecord(body['Options']) ? body['Options'] : {}
  const mac = given['MacAddress']
  const addresses = [
    optionalAddress(given['Address'], 'Interface.Address'),
    optionalAddress(given['AddressIPv6'], 'Interface.AddressIPv6'),
  ]
  return {
    ...readEndpointReference(body),
    addresses: addresses.filter((address) => address !== undefined),
    mac: typeof mac === 'string' && mac !== '' ? mac.toLowerCase() : undefined,
    ports: portsIn(options['com.docker.network.portmap']),
    ...readEndpointOptions(options),
  }
}

export function readJoin(body: Body): Join {
  return { ...readEndpointReference(body), sandbox: textIn(body, 'SandboxKey') }
}

const PROTOCOLS: Readonly<Record<number, PortBinding['protocol']>> = { 6: 'TCP', 17: 'UDP', 132: 'SCTP' }

function portsIn(value: unknown): PortBinding[] {
  if (!Array.isArray(value)) return []
  return value.filter(isRecord).map((item, index) => {
    const at = `com.docker.network.portmap[${String(index)}]`
    const protocol = PROTOCOLS[Number(item['Proto'])]
    if (protocol === undefined) throw invalid(`${at}.Proto ${String(item['Proto'])} is not TCP, UDP or SCTP.`)
    const hostPort = portNumber(item['HostPort'], `${at}.HostPort`)
    const port = portNumber(item['Port'], `${at}.Port`)
    if (port === 0) throw invalid(`${at}.Port is missing.`)
    const address = optionalAddress(item['HostIP'], `${at}.HostIP`)
    const isAny = address === undefined || address === '0.0.0.0' || address === '::'
    return {
      protocol,
      port,
      hostAddress: isAny ? undefined : address,
      hostPort,
      hostPortEnd: Math.max(hostPort, portNumber(item['HostPortEnd'], `${at}.HostPortEnd`)),
    }
  })
}

function portNumber(value: unknown, at: string): number {
  const number = value === undefined || value === null ? 0 : Number(value)
  if (Number.isInteger(number) && number >= 0 && number <= 65535) return number
  throw invalid(`${at} ${String(value)} is not a port.`)
}

function rangesIn(body: Body, field: string): NetworkRange[] {
  const value = body[field]
  if (!Array.isArray(value)) return []
  return value.filter(isRecord).map((item) => {
    const auxiliary = isRecord(item['AuxAddresses']) ? item['AuxAddresses'] : {}
    return {
      addressSpace: typeof item['AddressSpace'] === 'string' ? item['AddressSpace'] : '',
      pool: prefixIn(item, 'Pool') ?? (field === 'IPv6Data' ? '::/0' : '0.0.0.0/0'),
      gateway: optionalAddress(item['Gateway'], `${field}.Gateway`),
      auxiliary: Object.fromEntries(
        Object.entries(auxiliary).flatMap(([name, text]) => {
          const address = optionalAddress(text, `${field}.AuxAddresses.${name}`)
          return address === undefined ? [] : [[name, address]]
        }),
      ),
    }
  })
}

function textIn(body: Body, field: string): string {
  const value = body[field]
  if (typeof value === 'string' && value !== '' && value.length <= 4096) return value
  throw invalid(`${field} is missing.`)
}

/** Docker's ids are hexadecimal digits, Swarm's letters and digits. */
function identifierIn(body: Body, field: string): string {
  const value = textIn(body, field)
  if (/^[A-Za-z0-9]{1,128}$/.test(value)) return value
  throw invalid(`${field} '${value.slice(0, 80)}' is not an id of Docker's.`)
}

function prefixIn(body: Body, field: string): string | undefined {
  const value = body[field]
  if (typeof value !== 'string' || value === '') return undefined
  const parsed = parsePrefix(value)
  if (!parsed.ok) throw invalid(`${field} '${value.slice(0, 80)}' is not a subnet: ${parsed.error.reason}.`)
  return value
}

/** Accepts a length behind the address, which Docker writes in some places, and drops it. */
function optionalAddress(value: unknown, at: string): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined
  const text = value.replace(/\/\d{1,3}$/, '')
  const parsed = parseAddress(text)
  if (!parsed.ok) throw invalid(`${at} '${value.slice(0, 80)}' is not an address: ${parsed.error.reason}.`)
  return text
}

/** Texts by name; Docker writes numbers and booleans of options as text, null for none. */
function texts(value: unknown, at: string): Record<string, string> {
  if (value === undefined || value === null) return {}
  if (!isRecord(value)) throw invalid(`${at} is not a list of options.`)
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      typeof item === 'string' ? item : JSON.stringify(item),
    ]),
  )
}

function invalid(message: string): DroverError {
  return new DroverError('invalid-request', message)
}
