/** What the host itself says about names: who is near it, and whom it asks. Looked at when needed, now and then. */
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { type Clock, type Prefix, formatPrefix, parseAddress, prefixContains, prefixOf } from '@network/net'
import { type Server, nameserversOf } from '../names/nameservers.ts'

export interface Surroundings {
  /** Whether an address is the host's own, or on a network that one of its interfaces is on. */
  isNear(address: string): boolean
  /** The nameservers of resolv.conf; none if it can't be read. */
  nameservers(): readonly Server[]
}

const FRESH_MS = 5_000

export function createSurroundings(
  { clock }: { clock: Clock },
  options: { resolvConf: string },
): Surroundings {
  const networks = lately(clock, ownNetworks)
  const nameservers = lately(clock, () => readNameservers(options.resolvConf))
  return {
    isNear(text) {
      const address = parseAddress(text)
      return address.ok && networks().some((network) => prefixContains(network, address.value))
    },
    nameservers,
  }
}

function lately<T>(clock: Clock, look: () => T): () => T {
  let last: { at: number; value: T } | undefined
  return () => {
    const now = clock.monotonic()
    if (last === undefined || now - last.at > FRESH_MS) last = { at: now, value: look() }
    return last.value
  }
}

function ownNetworks(): readonly Prefix[] {
  const networks = new Map<string, Prefix>()
  for (const { address, cidr } of Object.values(networkInterfaces()).flatMap((addresses = []) => addresses)) {
    const parsed = parseAddress(address)
    const length = Number(/\/(\d+)$/.exec(cidr ?? '')?.[1])
    if (!parsed.ok || Number.isNaN(length)) continue
    const network = prefixOf(parsed.value, length)
    // Every workload's interface has the one of link-local addresses.
    networks.set(formatPrefix(network), network)
  }
  return [...networks.values()]
}

function readNameservers(path: string): readonly Server[] {
  try {
    return nameserversOf(readFileSync(path, 'utf8'))
  } catch {
    return []
  }
}
