import { type KnownInterface } from '../drivers/interface-driver.ts'

/** How a workload's interface should be. Everything in it has been validated as far as syntax goes by `checkWireSpec`. */
export interface WireSpec {
  /** Path of a network namespace: /run/netns/NAME, /proc/PID/ns/net, /var/run/docker/netns/ID. */
  readonly netns: string
  /** Name inside the namespace: eth0. */
  readonly interfaceName: string
  /** Name in the host's namespace, from `hostInterfaceName`. */
  readonly hostInterfaceName: string
  /** Addresses without length: each becomes a /32 or /128. None: the interface is up and waits for them. */
  readonly addresses: readonly string[]
  /** Those of them, one of a family, from which the workload sends where a program chooses none. Default: the kernel's choice. */
  readonly sources?: readonly string[]
  readonly mtuBytes: number
  /** MAC inside the namespace; made from the host interface's name if absent, so that it stays over restarts. */
  readonly mac?: string
  /** Default routes through this interface: true, false, or only for a family whose namespace has none (default). */
  readonly defaultRoute?: boolean
  /** Networks that are reached through this interface although the default route leads elsewhere. */
  readonly destinations?: readonly string[]
  /** Ports of the host lead to the workload: the host's own loopback must be able to reach it. Default false. */
  readonly fromLoopback?: boolean
  /** It may send from addresses that are not its own; which ones, the chains of policy say. Default false. */
  readonly foreignSources?: boolean
}

/** What was made, and what a runtime wants to be told. */
export interface Wired {
  readonly hostInterface: { readonly name: string; readonly mac: string; readonly index: number }
  readonly containerInterface: { readonly name: string; readonly mac: string; readonly mtuBytes: number }
  readonly addresses: readonly { readonly address: string; readonly gateway: string }[]
  readonly routes: readonly { readonly destination: string; readonly gateway?: string }[]
  /** The namespace by inode number: `net:[4026532281]`. */
  readonly namespace: string
  /** False if everything stood as it should already. */
  readonly changed: boolean
  readonly stepsMs: Readonly<Record<string, number>>
}

/** One way in which an interface is not as its spec says: `{ field: 'container.mtuBytes', expected: '1500', actual: '9000' }`. */
export interface WireDifference {
  readonly field: string
  readonly expected: string
  readonly actual: string
}

/**
 * Makes and removes workload interfaces. Every call may be repeated and may follow a crash at any step of an earlier
 * one. Failures are thrown as WireError and leave nothing behind.
 */
export interface Wire {
  /**
   * Makes the interface, or repairs or rebuilds what stands there; the same spec again changes nothing. `agreement`: an
   * interface is made, and waits for this before the host's end is set up; if it fails, so does the call.
   */
  wireWorkload(spec: WireSpec, options?: { readonly agreement?: Promise<void> }): Promise<Wired>
  /**
   * Makes the pair with both ends on the host, for a runtime that moves the workload's end itself; `interfaceName` is that
   * end's name until then. The host's end is set up as by `wireWorkload`, the other is left to the runtime.
   */
  offer(spec: Omit<WireSpec, 'netns'>): Promise<{ readonly mac: string; readonly changed: boolean }>
  /**
   * The workload's end in a namespace, once the runtime that moves it has finished with it: named, up, with these addresses,
   * and, where the runtime also makes the default route, with such a route there. undefined until then.
   */
  endInside(target: {
    readonly hostInterfaceName: string
    readonly netns: string
    /** Without length. */
    readonly addresses: readonly string[]
    readonly awaitDefaultRoute: boolean
  }): Promise<{ readonly name: string; readonly namespace: string } | undefined>
  /** Removes the pair by its host name, with what it left in the namespace. Succeeds if nothing is there any more. */
  unwire(target: { readonly hostInterfaceName: string; readonly netns?: string }): Promise<void>
  /** Compares what is there with the spec; empty if all is as it should be. */
  inspect(spec: WireSpec): Promise<readonly WireDifference[]>
  /** All interfaces of ours in the host's namespace. */
  listOurs(): Promise<readonly KnownInterface[]>
}
