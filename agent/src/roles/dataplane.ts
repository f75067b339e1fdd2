/**
 * The kernel of this node, as the agent holds it: routes and workload interfaces, each desired and actual, kept equal
 * by a reconciler that hears of every change the kernel announces. Nothing of ours is removed before the model is in
 * sync and, for routes, before the speaker has told what it knows: until then what an earlier run left keeps
 * forwarding.
 */
import { type Clock, DroverError, type Log } from '@network/net'
import type { ApplyReport, ItemFault } from '../drivers/driver.ts'
import {
  type InterfaceItem,
  type KnownInterface,
  createInterfaceDriver,
} from '../drivers/interface-driver.ts'
import { type IpSession, createIpSession } from '../drivers/ip-session.ts'
import { createKernelWatch } from '../drivers/kernel-watch.ts'
import { createReconciler } from '../drivers/reconciler.ts'
import { createRouteDriver } from '../drivers/route-driver.ts'
import type { RouteItem } from '../drivers/route.ts'
import { interfaceRuns } from '../endpoint/carrier.ts'
import { createWire } from '../endpoint/wiring.ts'
import type { Wire } from '../endpoint/wire.ts'
import type { Exec } from '../exec.ts'
import { openHostNetlink } from '../netlink/host-socket.ts'

export interface DataplaneModules {
  exec: Exec
  clock: Clock
  log: Log
}

export interface DataplaneOptions {
  interfacePrefix: string
  /** Of routes; 0: as the kernel gives it. */
  routeMetric: number
  /** 0: only when the kernel says that something changed. */
  resyncIntervalMs: number
  /** After every apply of one kind of object. `drift`: what it wrote makes good what others did. */
  onReport?: (kind: 'route' | 'interface', report: ApplyReport, drift: boolean) => void
  /** Interfaces of workloads that are not there, or whose settings somebody has turned off. */
  onDrift?: (names: readonly string[]) => void
}

export interface Dataplane {
  readonly wire: Wire
  /** Reads the kernel and begins to watch it; says whether an earlier run left routes of ours. */
  start(): Promise<{ leftRoutes: boolean }>
  readonly started: boolean
  setRoutes(routes: ReadonlyMap<string, RouteItem>): void
  setInterfaces(names: readonly string[]): void
  /** Resolves when these routes are in the kernel; fails with the reason why one is not. */
  programmed(destinations: readonly string[]): Promise<void>
  /** Resolves when all that was desired at the call has been tried; faults are in `faults()`. */
  settled(): Promise<void>
  allowRouteRemoval(): void
  allowInterfaceRemoval(): void
  /** Interfaces of ours as last read. */
  interfaces(): readonly KnownInterface[]
  faults(): readonly ItemFault[]
  stop(): Promise<void>
}

const NEVER_MS = 2 ** 31 - 1

export function createDataplane(modules: DataplaneModules, options: DataplaneOptions): Dataplane {
  const { exec, clock } = modules
  const log = modules.log.child({ module: 'dataplane' })
  const session: IpSession = createIpSession({ exec, clock })
  const routeDriver = createRouteDriver(
    { session, open: openHostNetlink, clock, log },
    { metric: options.routeMetric },
  )
  const interfaceDriver = createInterfaceDriver(
    { open: openHostNetlink, clock, log },
    { prefix: options.interfacePrefix },
  )
  const resyncIntervalMs = options.resyncIntervalMs === 0 ? NEVER_MS : options.resyncIntervalMs
  const routes = createReconciler<RouteItem>(
    { driver: routeDriver, clock, log },
    {
      resyncIntervalMs,
      concerns: routeDriver.concerns,
      onReport: (report, drift) => options.onReport?.('route', report, drift),
    },
  )
  const interfaces = createReconciler<InterfaceItem>(
    { driver: interfaceDriver, clock, log },
    {
      resyncIntervalMs,
      concerns: interfaceDriver.concerns,
      onReport: (report, drift) => {
        options.onReport?.('interface', report, drift)
        const missing = report.faults.filter(({ code }) => code === 'missing').map(({ key }) => key)
        if (missing.length > 0) options.onDrift?.(missing)
      },
    },
  )
  const watch = createKernelWatch(
    { exec, clock, log },
    {
      onEvent: (event) => {
        routes.onKernelEvent(event)
        interfaces.onKernelEvent(event)
        // The wiring itself only ever turns these settings on.
        if (event.object !== 'setting' || event.value !== 'off') return
        if (event.device.startsWith(options.interfacePrefix)) options.onDrift?.([event.device])
      },
    },
  )
  const wiring = createWire({ exec, clock, log }, { prefix: options.interfacePrefix })
  const wire: Wire = {
    ...wiring,
    async wireWorkload(spec, wishes) {
      const wired = await wiring.wireWorkload(spec, wishes)
      const { name, index } = wired.hostInterface
      if (wired.changed && !(await interfaceRuns({ clock, open: openHostNetlink }, index)))
        log.warn({ interface: name }, 'an interface was made, but the kernel does not say that it runs')
      return wired
    },
  }

  let started = false

  return {
    wire,
    get started() {
      return started
    },
    async start() {
      session.open()
      const first = await routes.apply()
      await interfaces.apply()
      watch.start()
      routes.start()
      interfaces.start()
      started = true
      return { leftRoutes: first.removalsHeld > 0 }
    },
    setRoutes: (items) => routes.setDesired(items),
    setInterfaces: (names) => interfaces.setDesired(new Map(names.map((name) => [name, { name }]))),
    async programmed(destinations) {
      const report = await routes.apply()
      const fault = report.faults.find(({ key }) => destinations.includes(key))
      if (fault === undefined) return
      throw new DroverError('kernel', fault.message, {
        remedy: fault.remedy ?? `'ip route show ${fault.key}' shows what stands there.`,
        details: { destination: fault.key, cause: fault.code },
      })
    },
    async settled() {
      await routes.apply()
    },
    allowRouteRemoval: () => routes.allowRemoval(),
    allowInterfaceRemoval: () => interfaces.allowRemoval(),
    interfaces: () => interfaceDriver.known(),
    faults: () => [...(routes.lastReport()?.faults ?? []), ...(interfaces.lastReport()?.faults ?? [])],
    async stop() {
      watch.stop()
      await Promise.all([routes.stop(), interfaces.stop()])
      wiring.close()
      session.close()
    },
  }
}
