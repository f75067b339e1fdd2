/**
 * Addresses that went with their endpoint, and whose `ReleaseAddress` is still to come: dockerd sends it after
 * `DeleteEndpoint`, names no endpoint in it, and in between another container may have got the address.
 */
import type { Clock } from '@network/net'

export interface ReleasedAddresses {
  /** An endpoint gave its addresses back. */
  add(addresses: readonly string[]): void
  /** Whether the release of this address is the one that was still to come; it is not expected any more then. */
  take(address: string): boolean
}

/** dockerd tries a call for a minute at most. */
const EXPECTED_MS = 60_000

export function createReleasedAddresses({ clock }: { clock: Pick<Clock, 'monotonic'> }): ReleasedAddresses {
  /** Ends of the wait, by address, the oldest first. */
  const expected = new Map<string, number>()
  return {
    add(addresses) {
      const now = clock.monotonic()
      for (const [address, end] of expected) {
        if (end > now) break
        expected.delete(address)
      }
      for (const address of addresses) {
        expected.delete(address)
        expected.set(address, now + EXPECTED_MS)
      }
    },
    take(address) {
      const end = expected.get(address)
      expected.delete(address)
      return end !== undefined && end > clock.monotonic()
    },
  }
}
