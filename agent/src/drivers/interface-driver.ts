import { type Clock, DroverError, type Log } from '@network/net'
import { type Link, decodeLink, deleteLink, dumpLinks, getLink, setLink } from '../netlink/codec/link.ts'
import { type Message } from '../netlink/codec/message.ts'
import { MessageType } from '../netlink/codec/numbers.ts'
import { type Answer, type NetlinkSocket, isGone } from '../netlink/socket.ts'
import { type ApplyReport, type Driver, type ItemFault, ownership } from './driver.ts'
import { type KernelEvent } from './kernel-watch.ts'

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

/** What the interface driver adds to a driver. */
export interface InterfaceWatcher {
  /** What the last reading found. */
  known(): readonly KnownInterface[]
  /** Whether an event of the kernel is about interfaces of ours. The next resync reads those again, or all. */
  readonly concerns: (event: KernelEvent) => boolean
}

/**
 * Workload interfaces in the host's namespace: reports those that are missing, sets up those that were set down, and,
 * once removal is allowed, removes pairs of ours that nobody wants. An interface is removed only after it has been
 * unwanted for `graceMs`: an attach makes it before the datastore's news of it has come round.
 */
export function createInterfaceDriver(
  modules: { open: () => NetlinkSocket; clock: Clock; log: Log },
  options: { prefix?: string; graceMs?: number } = {},
): Driver<InterfaceItem> & InterfaceWatcher {
  const { open, clock, log } = modules
  const prefix = options.prefix ?? ownership.interfacePrefix
  const graceMs = options.graceMs ?? 10_000
  let desired: ReadonlyMap<string, InterfaceItem> = new Map()
  let actual: Map<string, KnownInterface> | undefined
  const unwantedSince = new Map<number, number>()
  const touched = new Set<string>()
  let removalAllowed = false
  let running: Promise<unknown> = Promise.resolve()

  async function withSocket<T>(use: (socket: NetlinkSocket) => Promise<T>): Promise<T> {
    const socket = open()
    try {
      return await use(socket)
    } finally {
      socket.close()
    }
  }

  async function readAll(): Promise<Map<string, KnownInterface>> {
    touched.clear()
    const answer = await withSocket((socket) => socket.dump(dumpLinks()))
    const links = linksOf(answer).filter(({ name }) => name.startsWith(prefix))
    return new Map(links.map((link) => [link.name, link]))
  }

  /** Those that events have named since the last reading. */
  async function readTouched(known: Map<string, KnownInterface>): Promise<void> {
    const names = [...touched]
    touched.clear()
    const answers = await withSocket((socket) =>
      socket.exchange(names.map((name) => getLink({ index: 0, name }))),
    )
    for (const [i, name] of names.entries()) {
      const answer = answers[i]
      const [link] = answer?.ok === false && isGone(answer.code) ? [] : linksOf(answer)
      if (link === undefined) known.delete(name)
      else known.set(name, link)
    }
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
    const known = (actual ??= await readAll())
    const stale = staleOnes(known, begin)
    const removed = removalAllowed ? stale : []
    const down = [...known.values()].filter((l) => l.kind === 'veth' && !l.up && desired.has(l.name))
    const requests = [
      ...removed.map(({ index }) => deleteLink({ index })),
      ...down.map(({ index }) => setLink({ index, up: true })),
    ]
    // A removal keeps its caller waiting in the kernel.
    const answers =
      requests.length === 0 ? [] : await withSocket((socket) => socket.exchange(requests, { later: true }))
    for (const [i, link] of removed.entries()) {
      const answer = answers[i]
      if (answer?.ok === true || (answer !== undefined && isGone(answer.code))) known.delete(link.name)
      else
        log.warn({ interface: link.name, kernel: answer?.words }, 'an interface of ours can not be removed')
    }
    const faults = faultsOf(known)
    for (const [i, link] of down.entries()) {
      const answer = answers[removed.length + i]
      if (answer?.ok === true) known.set(link.name, { ...link, up: true })
      else
        faults.push({
          key: link.name,
          code: 'refused',
          message: `Interface ${link.name} stays down: ${answer?.words ?? 'no answer'}.`,
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
    resync: (scope) =>
      alone(async () => {
        if (scope === 'touched' && actual !== undefined) await readTouched(actual)
        else actual = await readAll()
      }),
    allowRemoval() {
      removalAllowed = true
    },
    concerns(event) {
      if (event.object === 'lost') return true
      if (event.object !== 'link' || !event.device.startsWith(prefix)) return false
      touched.add(event.device)
      return true
    },
    known: () => [...(actual?.values() ?? [])],
  }
}

/** @throws DroverError 'kernel' */
function linksOf(answer: Answer | undefined): readonly KnownInterface[] {
  if (answer?.ok !== true)
    throw new DroverError('kernel', `Interfaces can't be read: ${answer?.words ?? 'no answer'}.`)
  return answer.messages.flatMap(knownInterface)
}

function knownInterface({ type, body }: Message): KnownInterface[] {
  const decoded = type === MessageType.newLink ? decodeLink(body) : undefined
  if (decoded?.ok !== true || decoded.value.name === undefined) return []
  const link: Link = decoded.value
  return [
    {
      name: decoded.value.name,
      index: link.index,
      mac: link.mac ?? '',
      mtuBytes: link.mtuBytes ?? 0,
      up: link.up === true,
      kind: link.kind ?? 'none',
    },
  ]
}
