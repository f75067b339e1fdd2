/**
 * Who is called what, in the whole cluster: kept from endpoints as they come and go, so that a question costs what it
 * finds. A name means something within a network. What it answers depends on the endpoints that there are, never on the
 * order in which they came.
 */
import { PENDING_ANNOTATION, type ResourceOf, normalName, readEndpointNames } from '@network/datastore/model'

type Endpoint = ResourceOf<'WorkloadEndpoint'>

/** What somebody may ask about: names within these networks, or only such as name their network. */
export type NameScope =
  { readonly is: 'networks'; readonly networks: ReadonlySet<string> } | { readonly is: 'qualified' }

export interface NameIndex {
  /** An endpoint by its key in the store; undefined if it went. */
  onUpdate(key: string, endpoint: Endpoint | undefined): void
  /**
   * What the holder of this address may ask about: an endpoint the networks of its container, everybody else
   * names with their network.
   */
  scopeOf(address: string): NameScope
  /** Whether an endpoint has this address. */
  holds(address: string): boolean
  /**
   * The addresses of those that are called so, of both families, in order.
   * @param name NAME or NAME.NETWORK, in any case
   * @returns undefined if nobody in the scope is called so
   */
  find(name: string, scope: NameScope): readonly string[] | undefined
  /** NAME.NETWORK of the one that has this address. */
  nameOf(address: string, scope: NameScope): string | undefined
  /** Names that can be asked for, those of each network by themselves. */
  readonly size: number
}

/** What of an endpoint bears on names. */
interface Known {
  /** The Network's name; undefined: it is on none. */
  readonly network: string | undefined
  /** By which names the network is asked for. */
  readonly networkNames: readonly string[]
  readonly names: readonly string[]
  /** Node and container, for endpoints of one container. */
  readonly container: string | undefined
  readonly addresses: readonly string[]
}

/** Between two parts of a key; no name contains it. */
const APART = '\0'

export function createNameIndex(): NameIndex {
  const endpoints = new Map<string, Known>()
  const byAddress = new KeySets()
  const byContainer = new KeySets()
  /** By network and name. */
  const byName = new KeySets()
  /** Endpoints by what their network is called and by the network: `inner` of the first are networks. */
  const byNetworkName = new Map<string, KeySets>()

  const change = (key: string, known: Known, what: 'add' | 'delete'): void => {
    for (const address of known.addresses) byAddress[what](address, key)
    if (known.container !== undefined) byContainer[what](known.container, key)
    const { network } = known
    if (network === undefined || known.names.length === 0) return
    for (const name of known.names) byName[what](`${network}${APART}${name}`, key)
    for (const name of known.networkNames) {
      const networks = byNetworkName.get(name) ?? new KeySets()
      networks[what](network, key)
      if (networks.size === 0) byNetworkName.delete(name)
      else byNetworkName.set(name, networks)
    }
  }

  const known = (keys: Iterable<string>): Known[] => [...keys].flatMap((key) => endpoints.get(key) ?? [])

  const addressesOf = (networks: Iterable<string>, name: string): string[] | undefined => {
    const found = new Set<string>()
    let isKnown = false
    for (const network of networks) {
      for (const { addresses } of known(byName.get(`${network}${APART}${name}`))) {
        isKnown = true
        for (const address of addresses) found.add(address)
      }
    }
    return isKnown ? [...found].sort() : undefined
  }

  return {
    onUpdate(key, endpoint) {
      const before = endpoints.get(key)
      if (before !== undefined) change(key, before, 'delete')
      endpoints.delete(key)
      if (endpoint === undefined || endpoint.metadata.annotations?.[PENDING_ANNOTATION] === 'true') return
      const after = readKnown(endpoint)
      endpoints.set(key, after)
      change(key, after, 'add')
    },
    scopeOf(address) {
      const holders = byAddress.get(address)
      if (holders.size === 0) return { is: 'qualified' }
      const networks = new Set<string>()
      for (const { container, network } of known(holders)) {
        if (network !== undefined) networks.add(network)
        if (container === undefined) continue
        for (const other of known(byContainer.get(container)))
          if (other.network !== undefined) networks.add(other.network)
      }
      return { is: 'networks', networks }
    },
    holds: (address) => byAddress.get(address).size > 0,
    find(text, scope) {
      const name = normalName(text)
      if (name === undefined) return undefined
      if (scope.is === 'networks') {
        const found = addressesOf(scope.networks, name)
        if (found !== undefined) return found
      }
      // Both names and networks may have dots in them.
      for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
        const networks = [...(byNetworkName.get(name.slice(dot + 1))?.keys() ?? [])]
        const found = addressesOf(
          scope.is === 'networks' ? networks.filter((network) => scope.networks.has(network)) : networks,
          name.slice(0, dot),
        )
        if (found !== undefined) return found
      }
      return undefined
    },
    nameOf(address, scope) {
      // By their keys, should several have it.
      const holder = known([...byAddress.get(address)].sort()).find(
        ({ network, names }) =>
          network !== undefined &&
          names.length > 0 &&
          (scope.is === 'qualified' || scope.networks.has(network)),
      )
      const [name] = holder?.names ?? []
      const [network] = holder?.networkNames ?? []
      return name === undefined || network === undefined ? undefined : `${name}.${network}`
    },
    get size() {
      return byName.size
    },
  }
}

function readKnown({ metadata, spec }: Endpoint): Known {
  const said = readEndpointNames(metadata)
  const networkNames = [said?.network, spec.network].flatMap((name) =>
    name === undefined ? [] : (normalName(name) ?? []),
  )
  return {
    network: spec.network,
    networkNames: [...new Set(networkNames)],
    names: said?.names ?? [],
    container: said === undefined ? undefined : `${spec.node}${APART}${said.container}`,
    addresses: spec.ipNetworks.map((prefix) => prefix.replace(/\/.*/, '')),
  }
}

const NOBODY: ReadonlySet<string> = new Set()

/** Keys of endpoints by something that several may share. */
class KeySets {
  readonly #sets = new Map<string, Set<string>>()

  get size(): number {
    return this.#sets.size
  }

  keys(): IterableIterator<string> {
    return this.#sets.keys()
  }

  get(of: string): ReadonlySet<string> {
    return this.#sets.get(of) ?? NOBODY
  }

  add(of: string, key: string): void {
    const set = this.#sets.get(of)
    if (set === undefined) this.#sets.set(of, new Set([key]))
    else set.add(key)
  }

  delete(of: string, key: string): void {
    const set = this.#sets.get(of)
    set?.delete(key)
    if (set?.size === 0) this.#sets.delete(of)
  }
}
