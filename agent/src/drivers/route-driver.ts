import { type Clock, type Log } from '@network/net'
import type { NetlinkSocket } from '../netlink/socket.ts'
import { changeDeviceRoutes, deviceOf } from './device-routes.ts'
import { type ApplyReport, type Driver, type ItemFault, ownership } from './driver.ts'
import { type KernelEvent } from './kernel-watch.ts'
import { type IpCommand, type IpSession, IpSessionError, change, show } from './ip-session.ts'
import {
  type RouteForm,
  type RouteItem,
  kernelRoute,
  routeForm,
  routeFormKey,
  routeLine,
  routeRemovalLine,
  sameRoute,
} from './route.ts'

/** What the route driver adds to a driver. */
export interface RouteWatcher {
  /**
   * Whether an event of the kernel contradicts the desired state, so that a resync is worth its cost. The echo of the
   * driver's own writing does not.
   */
  readonly concerns: (event: KernelEvent) => boolean
}

export interface RouteDriverOptions {
  /** Metric of routes that name none themselves; default 0: as the kernel gives it. */
  readonly metric?: number
}

interface Work {
  readonly key: string
  readonly action: 'add' | 'replace' | 'remove'
  readonly form: RouteForm
}

const batchTimeoutMs = 60_000

/**
 * Host routes of protocol 98 in the main table: to workloads, to other nodes' blocks, and blackholes for our own.
 * Routes of others are never changed; where one stands in the way the item is reported as a conflict.
 */
export function createRouteDriver(
  modules: { session: IpSession; open: () => NetlinkSocket; clock: Clock; log: Log },
  options: RouteDriverOptions = {},
): Driver<RouteItem> & RouteWatcher {
  const { session, clock, log } = modules
  let desired: ReadonlyMap<string, RouteItem> = new Map()
  /** Canonical forms of desired items, by the item's identity: a manager that keeps its objects pays nothing twice. */
  const forms = new WeakMap<RouteItem, RouteForm | string>()
  let actual: Map<string, RouteForm> | undefined
  let removalAllowed = false
  let running: Promise<unknown> = Promise.resolve()
  const devices = new Set<string>()

  function formOf(item: RouteItem): RouteForm | string {
    let form = forms.get(item)
    if (form === undefined) {
      const checked = routeForm(item, options.metric)
      form = checked.ok ? checked.value : checked.error
      forms.set(item, form)
    }
    return form
  }

  async function readKernel(): Promise<Map<string, RouteForm>> {
    // Only `table all` shows both families.
    const [answer] = await session.run([
      show(`route show table all proto ${String(ownership.routeProtocol)}`),
    ])
    if (answer?.ok !== true) {
      throw new IpSessionError('ip-refused', `Routes can't be read: ${answer?.error ?? 'no answer'}.`)
    }
    const found = new Map<string, RouteForm>()
    devices.clear()
    for (const entry of Array.isArray(answer.output) ? answer.output : []) {
      const form = kernelRoute(entry)
      if (form === undefined) continue
      found.set(routeFormKey(form), form)
      for (const hop of form.hops) if (hop.device !== undefined) devices.add(hop.device)
    }
    return found
  }

  /** Runs the lines; if `ip` itself gives up, halves them until the one it can't read stands alone. */
  async function perform(work: readonly Work[], lines: readonly IpCommand[]): Promise<readonly string[]> {
    try {
      const answers = await session.run(lines, { timeoutMs: batchTimeoutMs })
      return answers.map((answer) => answer.error)
    } catch (error) {
      if (!(error instanceof IpSessionError) || error.code === 'ip-timeout') throw error
      if (lines.length === 1) return [error.message]
      const half = Math.ceil(lines.length / 2)
      return [
        ...(await perform(work.slice(0, half), lines.slice(0, half))),
        ...(await perform(work.slice(half), lines.slice(half))),
      ]
    }
  }

  /** Each by the way that suits it, removals last. What leads into interfaces is no more than the workloads of a node. */
  async function performAll(work: readonly Work[]): Promise<readonly string[]> {
    const words = new Map<Work, string>()
    const note = (done: readonly Work[], said: readonly string[]): void => {
      for (const [i, one] of done.entries()) words.set(one, said[i] ?? 'no answer')
    }
    const direct = work.filter(({ form }) => deviceOf(form) !== undefined)
    const made = direct.filter(({ action }) => action !== 'remove')
    const removed = direct.filter(({ action }) => action === 'remove')
    const others = work.filter(({ form }) => deviceOf(form) === undefined)
    note(made, await changeDeviceRoutes(modules.open, made))
    note(others, await perform(others, others.map(lineOf)))
    note(removed, await changeDeviceRoutes(modules.open, removed))
    return work.map((one) => words.get(one) ?? '')
  }

  function lineOf({ action, form }: Work): IpCommand {
    return change(action === 'remove' ? routeRemovalLine(form) : routeLine(action, form))
  }

  /** A second route to a destination, by its metric, is not; one whose item makes no sense stays until it does. */
  function isDesired(present: RouteForm): boolean {
    const item = desired.get(present.destination)
    if (item === undefined) return false
    const form = formOf(item)
    return typeof form === 'string' || form.metric === present.metric
  }

  function plan(known: ReadonlyMap<string, RouteForm>): { work: Work[]; held: number; faults: ItemFault[] } {
    const work: Work[] = []
    const faults: ItemFault[] = []
    let held = 0
    for (const [key, item] of desired) {
      const form = formOf(item)
      if (typeof form === 'string') {
        faults.push({ key, code: 'refused', message: `Route ${key}: ${form}.` })
        continue
      }
      const present = known.get(routeFormKey(form))
      if (present === undefined) work.push({ key, action: 'add', form })
      else if (!sameRoute(form, present)) work.push({ key, action: 'replace', form })
    }
    // Last, so that a route which gets another metric is there at every moment.
    for (const [key, form] of known) {
      if (isDesired(form)) continue
      if (removalAllowed) work.push({ key, action: 'remove', form })
      else held++
    }
    return { work, held, faults }
  }

  async function explain(work: Work, words: string, known: Map<string, RouteForm>): Promise<ItemFault> {
    const { destination } = work.form
    const refused: ItemFault = {
      key: work.key,
      code: 'refused',
      message: `Route ${destination} (${lineOf(work).line}): ${words.replace(/^RTNETLINK answers: /, '')}.`,
    }
    if (!words.includes('File exists')) return refused
    const [answer] = await session.run([show(`route show exact ${destination}`)])
    const found = (
      Array.isArray(answer?.output) ? (answer.output as { protocol?: string; dev?: string }[]) : []
    ).filter((route) => kernelRoute(route)?.metric === work.form.metric)
    const ours = found.find((route) => route.protocol === String(ownership.routeProtocol))
    const form = ours === undefined ? undefined : kernelRoute(ours)
    if (form !== undefined) {
      // It came after the kernel was read, from an agent before us for instance: the next try replaces it.
      known.set(routeFormKey(form), form)
      return refused
    }
    const [other] = found
    const who = `protocol ${other?.protocol ?? 'unknown'}${other?.dev === undefined ? '' : `, device ${other.dev}`}`
    return {
      key: work.key,
      code: 'conflict',
      message: `Route ${destination}: a route that is not ours has this destination (${who}); it is left alone.`,
      remedy: `Find out who made it with 'ip route show exact ${destination}', and remove it there.`,
    }
  }

  async function applyNow(): Promise<ApplyReport> {
    const begin = clock.monotonic()
    const known = (actual ??= await readKernel())
    const { work, held, faults } = plan(known)
    const counts = { add: 0, replace: 0, remove: 0 }
    let errors: readonly string[]
    try {
      errors = await performAll(work)
    } catch (error) {
      actual = undefined
      throw error
    }
    for (const [i, item] of work.entries()) {
      const words = errors[i] ?? ''
      const gone = item.action === 'remove' && words.includes('No such process')
      if (words === '' || gone) {
        counts[item.action]++
        if (item.action === 'remove') known.delete(item.key)
        else {
          known.set(routeFormKey(item.form), item.form)
          for (const hop of item.form.hops) if (hop.device !== undefined) devices.add(hop.device)
        }
        continue
      }
      // A replaced route may have gone with its device: what the kernel has now is read before the next try.
      if (item.action === 'replace') known.delete(routeFormKey(item.form))
      if (item.action !== 'remove') faults.push(await explain(item, words, known))
      else
        log.warn({ destination: item.form.destination, kernel: words }, 'a route of ours can not be removed')
    }
    return {
      added: counts.add,
      changed: counts.replace,
      removed: counts.remove,
      removalsHeld: held,
      faults,
      durationMs: clock.monotonic() - begin,
    }
  }

  function alone<T>(call: () => Promise<T>): Promise<T> {
    const result = running.then(call)
    running = result.catch(() => undefined)
    return result
  }

  function concerns(event: KernelEvent): boolean {
    if (event.object === 'lost') return true
    if (event.object === 'setting') return false
    if (event.object === 'address') return event.deleted && devices.has(event.device)
    // IPv4 routes vanish with their device, or while it is down, without an event of their own.
    if (event.object === 'link') return (event.deleted || !event.up) && devices.has(event.device)
    const item = desired.get(event.destination)
    if (event.deleted) return item !== undefined && event.ours
    if (item === undefined) return event.ours && removalAllowed
    if (!event.ours) return true
    const form = formOf(item)
    if (typeof form === 'string') return false
    const said = new Set(event.words)
    if (form.type === 'blackhole') return !said.has('blackhole')
    return form.hops.some(
      (hop) =>
        (hop.gateway !== undefined && !said.has(hop.gateway)) ||
        (hop.device !== undefined && !said.has(hop.device)),
    )
  }

  return {
    setDesired(items) {
      desired = items
    },
    apply: () => alone(applyNow),
    resync: () =>
      alone(async () => {
        actual = await readKernel()
      }),
    allowRemoval() {
      removalAllowed = true
    },
    concerns,
  }
}
