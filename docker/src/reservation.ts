/**
 * Addresses that are kept for a container by name. Docker asks for an address before it says for whom, so what is kept is
 * a second one beside Docker's. It is kept on a network, with which it ends: one name may stand for an address on each.
 */
import type { HandoverReservation } from '@network/agent/client'
import type { Allocator, Resources } from '@network/datastore'
import { AllocationError } from '@network/datastore'
import { coveringPool } from './ipam-driver.ts'
import { type Network, dockerNetworkOf } from './networks.ts'

/** What the reservation is called in the cluster. No name of a Network has an '@'. */
export function reservationName(name: string, network: Network): string {
  return `${name}@${network.metadata.name}`
}

/** The reservation of this name on a network, and where its addresses come from: where the network's own do. */
export async function reservationOn(
  resources: Pick<Resources, 'list'>,
  name: string,
  network: Network,
): Promise<HandoverReservation> {
  const { subnets = [], pools } = network.spec
  const ranges = dockerNetworkOf(network)?.ranges ?? []
  const covering: string[] = []
  for (const subnet of subnets) {
    const pool = await coveringPool(resources, subnet, subnet.includes(':') ? 'ipv6' : 'ipv4')
    if (pool !== undefined) covering.push(pool.metadata.name)
  }
  return {
    name: reservationName(name, network),
    ...(subnets.length > 0
      ? {
          pools: covering,
          within: subnets.map((subnet) => ranges.find((one) => one.subnet === subnet)?.range ?? subnet),
        }
      : pools === undefined
        ? {}
        : { pools }),
  }
}

/** Gives back what was kept on a network that is gone. */
export async function endReservations(
  allocator: Pick<Allocator, 'reservations' | 'releaseReservation'>,
  network: Network,
): Promise<void> {
  for (const { name } of await allocator.reservations()) {
    if (!name.endsWith(reservationName('', network))) continue
    try {
      await allocator.releaseReservation(name)
    } catch (error) {
      if (!(error instanceof AllocationError) || !['in-use', 'not-found'].includes(error.code)) throw error
    }
  }
}
