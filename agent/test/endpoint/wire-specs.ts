/** Interfaces of workloads as tests of the wiring ask for them. */
import { hostInterfaceName } from '../../src/endpoint/interface-name.ts'
import { type WireSpec } from '../../src/endpoint/wire.ts'
import { ip } from '../own-network.ts'

export const name = (workload: string, interfaceName = 'eth0'): string =>
  hostInterfaceName(['test', workload, interfaceName], { prefix: 'drv' })

/** In the namespace that `addNamespace` makes for the workload. */
export function spec(workload: string, addresses: readonly string[], more: Partial<WireSpec> = {}): WireSpec {
  return {
    netns: `/run/netns/drvdp-${workload}`,
    interfaceName: 'eth0',
    hostInterfaceName: name(workload, more.interfaceName),
    addresses,
    mtuBytes: 1500,
    ...more,
  }
}

/** What the route driver does for a workload; here by hand, so that the wiring is tested alone. */
export function hostRoutes(device: string, addresses: readonly string[]): void {
  for (const address of addresses) ip(`route replace ${address} dev ${device} proto 98`)
}
