/** A result in the shape of specification 1.1.0, which holds what every older one can say. */
export interface CniResult {
  readonly interfaces: readonly CniInterface[]
  readonly ips: readonly CniIp[]
  readonly routes: readonly CniRoute[]
  readonly dns: CniDns
}

export interface CniInterface {
  readonly name: string
  readonly mac?: string
  readonly mtu?: number
  /** Path of the namespace; absent for an interface of the host. */
  readonly sandbox?: string
  readonly socketPath?: string
  readonly pciID?: string
}

export interface CniIp {
  /** With length. */
  readonly address: string
  readonly gateway?: string
  /** Index in `interfaces`. */
  readonly interface?: number
}

export interface CniRoute {
  readonly dst: string
  readonly gw?: string
  readonly mtu?: number
  readonly advmss?: number
  readonly priority?: number
  readonly table?: number
  readonly scope?: number
}

export interface CniDns {
  readonly nameservers?: readonly string[]
  readonly domain?: string
  readonly search?: readonly string[]
  readonly options?: readonly string[]
}

export const noResult: CniResult = { interfaces: [], ips: [], routes: [], dns: {} }

/** What an earlier plugin of the chain made, passed on whole, and what this one made after it. */
export function joinResults(before: CniResult, own: CniResult): CniResult {
  const shift = before.interfaces.length
  return {
    interfaces: [...before.interfaces, ...own.interfaces],
    ips: [
      ...before.ips,
      ...own.ips.map((ip) => (ip.interface === undefined ? ip : { ...ip, interface: ip.interface + shift })),
    ],
    routes: [...before.routes, ...own.routes],
    dns: { ...before.dns, ...own.dns },
  }
}
