import { type Clock, type Log } from '@network/net'
import { type ApplyReport, type Driver, type ItemFault, ownership } from './driver.ts'
import { type KernelEvent } from './kernel-watch.ts'
import { type IpSession, IpSessionError, change, show } from './ip-session.ts'

/** A workload interface that should be there. The wiring makes it; the driver watches over it. */
export interface InterfaceItem {
  /** Name in the host's namespace. */
  readonly name: string
}

/** An interface in the host's namespace whose name begins with our prefix. */
export interface KnownInterface {
  readonly name: string
  readonly index: number
  readonly mac: string
  readonly mtuBytes: number
  /** Set up by the administrator or by us; says nothing of the other end. */
  readonly up: boolean
  /** `veth` for ours. */
  readonly kind: string
}

/** `addr show` of one interface, as far as it is read here. */
interface LinkDocument {
  readonly ifname?: unknown
  readonly ifindex?: unknown
  readonly address?: unknown
  readonly mtu?: unknown
  readonly flags?: unknown
  readonly linkinfo?: { readonly info_kind?: unknown }
}

/** All interfaces of ours by prefix, from the kernel. */
export async function readInterfaces(session: IpSession, prefix: string): Promise<readonly KnownInterface[]> {
  const [answer] = await session.run([show('addr show')])
  if (answer?.ok !== true) {
    throw new IpSessionError('ip-refused', `Interfaces can't be read: ${answer?.error ?? 'no answer'}.`)
  }
  const found: KnownInterface[] = []
  for (const link of Array.isArray(answer.output) ? (answer.output as LinkDocument[]) : []) {
    if (typeof link.ifname !== 'string' || !link.ifname.startsWith(prefix)) continue
    found.push({
      name: link.ifname,
      index: Number(link.ifindex),
      mac: typeof link.address === 'string' ? link.address : '',
      mtuBytes: Number(link.mtu),
      up: Array.isArray(link.flags) && link.flags.includes('UP'),
      kind: typeof link.linkinfo?.info_kind === 'string' ? link.linkinfo.info_kind : 'none',
    })
  }
  return found
}

/** What the interface driver adds to a driver. */
export interface InterfaceWatcher {
  /** What the last reading found. */
  known(): readonly KnownInterface[]
  /** Whether an event of the kernel is about an interface that is wanted or was known. */
  readonly concerns: (event: KernelEvent) => boolean
}

/**
 * Workload interfaces in the host's namespace: reports those that are missing, sets up those that were set down, and,
 * once removal is allowed, removes pairs of ours that nobody wants. An interface is removed only after it has been
 * unwanted for `graceMs`: an attach makes it before the datastore's news of it has come round.
 */
export function createInterfaceDriver(
  modules: { session: IpSession; clock: Clock; log: Log },
  options: { prefix?: string; graceMs?: number } = {},
): Driver<InterfaceItem> & InterfaceWatcher {
  const { session, clock, log } = modules
  const prefix = options.prefix ?? ownership.interfacePrefix
  const graceMs = options.graceMs ?? 10_000
  let desired: ReadonlyMap<string, InterfaceItem> = new Map()
  let actual: Map<string, KnownInterface> | undefined
  const unwantedSince = new Map<number, number>()
  let removalAllowed = false
  let running: Promise<unknown> = Promise.resolve()

  async function read(): Promise<Map<string, KnownInterface>> {
    const found = await readInterfaces(session, prefix)
    return new Map(found.map((link) => [link.name, link]))
  }

  function faultsOf(known: ReadonlyMap<string, KnownInterface>): ItemFault[] {
    const faults: ItemFault[] = []
    for (const { name } of desired.values()) {
      const link = known.get(name)
      if (link === undefined) {
        faults.push({
          key: name,
          code: 'missing',
          message: `Interface ${name} is gone; its workload has no connection.`,
          remedy: 'Restart the workload, or detach and attach it.',
        })
      } else if (link.kind !== 'veth') {
        faults.push({
          key: name,
          code: 'conflict',
          message: `Interface ${name} is of kind ${link.kind}, not one of ours; it is left alone.`,
          remedy: `Rename or delete it: ip link delete ${name}`,
        })
      }
    }
    return faults
  }

  function staleOnes(known: ReadonlyMap<string, KnownInterface>, now: number): KnownInterface[] {
    const unwanted = [...known.values()].filter((link) => link.kind === 'veth' && !desired.has(link.name))
    const indexes = new Set(unwanted.map((link) => link.index))
    for (const index of unwantedSince.keys()) if (!indexes.has(index)) unwantedSince.delete(index)
    for (const index of indexes) if (!unwantedSince.has(index)) unwantedSince.set(index, now)
    return unwanted.filter((link) => now - (unwantedSince.get(link.index) ?? now) >= graceMs)
  }

  async function applyNow(): Promise<ApplyReport> {
    const begin = clock.monotonic()
    const known = (actual ??= await read())
    const stale = staleOnes(known, begin)
    const removed = removalAllowed ? stale : []
    const down = [...known.values()].filter((l) => l.kind === 'veth' && !l.up && desired.has(l.name))
    const answers = await session.run([
      ...removed.map((link) => change(`link del dev ${link.name}`)),
      ...down.map((link) => change(`link set dev ${link.name} up`)),
    ])
    for (const [i, link] of removed.entries()) {
      const words = answers[i]?.error ?? ''
      if (words === '' || words.includes('Cannot find device')) known.delete(link.name)
      else log.warn({ interface: link.name, kernel: words }, 'an interface of ours can not be removed')
    }
    const faults = faultsOf(known)
    for (const [i, link] of down.entries()) {
      const words = answers[removed.length + i]?.error ?? ''
      if (words === '') known.set(link.name, { ...link, up: true })
      else
        faults.push({
          key: link.name,
          code: 'refused',
          message: `Interface ${link.name} stays down: ${words}.`,
        })
    }
    return {
      added: 0,
      changed: down.length,
      removed: removed.length,
      removalsHeld: removalAllowed ? 0 : stale.length,
      faults,
      durationMs: clock.monotonic() - begin,
    }
  }

  function alone<T>(call: () => Promise<T>): Promise<T> {
    const result = running.then(call)
    running = result.catch(() => undefined)
    return result
  }

  return {
    setDesired(items) {
      desired = items
    },
    apply: () => alone(applyNow),
    resync: () =>
      alone(async () => {
        actual = await read()
      }),
    allowRemoval() {
      removalAllowed = true
    },
    concerns: (event) =>
      event.object === 'lost' ||
      (event.object === 'link' &&
        event.device.startsWith(prefix) &&
        event.deleted === (actual?.has(event.device) ?? true)) ||
      (event.object === 'link' && !event.up && desired.has(event.device)),
    known: () => [...(actual?.values() ?? [])],
  }
}
