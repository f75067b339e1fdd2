import type { AttachResult } from '@network/agent/client'
import type { CniDns, CniResult } from './result.ts'

/** What the agent made, as a result: the host's end first, as chained plugins expect it, then the workload's. */
export function resultOfAttach(attached: AttachResult, dns: CniDns): CniResult {
  const { hostInterface, containerInterface } = attached
  return {
    interfaces: [
      { name: hostInterface.name, mac: hostInterface.mac, mtu: containerInterface.mtuBytes },
      {
        name: containerInterface.name,
        mac: containerInterface.mac,
        mtu: containerInterface.mtuBytes,
        sandbox: containerInterface.netns,
      },
    ],
    ips: attached.addresses.map(({ address, gateway }) => ({ address, gateway, interface: 1 })),
    routes: attached.routes
      .filter(({ gateway }) => gateway !== undefined)
      .map(({ destination, gateway }) => ({
        dst: destination,
        ...(gateway === undefined ? {} : { gw: gateway }),
      })),
    dns,
  }
}
