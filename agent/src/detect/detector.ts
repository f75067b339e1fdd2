import { type Clock, type Family, parseAddress } from '@network/net'
import { createIpSession, show } from '../drivers/ip-session.ts'
import { type Exec } from '../exec.ts'
import { type DetectedAddress, type DetectionMethod } from './detection.ts'
import { type HostView, readHostView } from './host-links.ts'
import { workloadMtu } from './mtu.ts'
import { chooseNodeAddress, sourceOfRouteGet } from './node-address.ts'

/** The host as it was at one moment, and what follows from it. */
export interface HostLook {
  readonly view: HostView
  /** @throws DetectionError with everything that was considered */
  nodeAddress(family: Family, method: DetectionMethod): Promise<DetectedAddress>
  /**
   * The MTU for workloads' interfaces: the smallest of the uplinks.
   * @param uplinks regular expressions of interface names; absent: those of the default routes and of `nodeDevices`
   */
  mtu(request: { uplinks?: readonly string[]; nodeDevices: readonly string[] }): number
}

/** Finds out about the host what nobody has configured. */
export interface Detector {
  look(): Promise<HostLook>
}

export function createDetector(
  modules: { exec: Exec; clock: Clock },
  options: { interfacePrefix?: string } = {},
): Detector {
  async function reachableFrom(family: Family, method: DetectionMethod): Promise<string | undefined> {
    if (method.method !== 'can-reach') return undefined
    const target = parseAddress(method.target)
    if (!target.ok || target.value.family !== family) return undefined
    const session = createIpSession(modules)
    try {
      const [answer] = await session.run([show(`route get ${method.target}`)])
      return sourceOfRouteGet(answer?.output)
    } finally {
      session.close()
    }
  }

  return {
    async look() {
      const view = await readHostView(modules)
      return {
        view,
        async nodeAddress(family, method) {
          const source = await reachableFrom(family, method)
          return chooseNodeAddress(view, { ...options, family, method, reachableFrom: source })
        },
        mtu: (request) => workloadMtu(view, { ...options, ...request }),
      }
    },
  }
}
