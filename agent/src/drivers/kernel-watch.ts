import { type Clock, type Log, type Timer } from '@network/net'
import { type Exec, type RunningProgram } from '../exec.ts'
import { ownership } from './driver.ts'

/** One line of `ip monitor`, taken apart. */
export type KernelEvent =
  | {
      readonly object: 'route'
      readonly deleted: boolean
      readonly destination: string
      readonly ours: boolean
      readonly words: readonly string[]
    }
  | { readonly object: 'link'; readonly deleted: boolean; readonly device: string; readonly up: boolean }
  | { readonly object: 'address'; readonly deleted: boolean; readonly device: string }
  /** A setting of an interface: forwarding, rp_filter, proxy_neigh (proxy_arp, proxy_ndp), as `ip netconf` words it. */
  | { readonly object: 'setting'; readonly device: string; readonly setting: string; readonly value: string }
  /** Events were lost, or the watch has just (re)started: anything may have changed. */
  | { readonly object: 'lost'; readonly reason: string }

const maxLine = 65_536
const routeTypes = new Set([
  'unicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'local',
  'broadcast',
  'multicast',
  'anycast',
])

/** Takes apart a line of `ip -oneline -N monitor label route link address netconf`; undefined if it says nothing of use. */
export function parseMonitorLine(line: string): KernelEvent | undefined {
  const labelled = /^\[(ROUTE|LINK|ADDR|NETCONF)\](Deleted )?(.*)$/.exec(line)
  if (labelled === null) return undefined
  const deleted = labelled[2] !== undefined
  const words = (labelled[3] ?? '').split(/[\s\\]+/).filter((word) => word !== '')
  if (labelled[1] === 'NETCONF') {
    const [, device, setting, value] = words
    if (deleted || device === undefined || setting === undefined || value === undefined) return undefined
    return { object: 'setting', device, setting, value }
  }
  if (labelled[1] === 'ROUTE') {
    const first = words[0] ?? ''
    const typed = routeTypes.has(first) || /^\d+$/.test(first)
    const target = words[typed ? 1 : 0] ?? ''
    // Only the main table is ours, and only there does a line name no table.
    if (target === '' || words.includes('table')) return undefined
    const isIpv6 = target.includes(':') || words.includes('pref')
    const destination =
      target === 'default'
        ? isIpv6
          ? '::/0'
          : '0.0.0.0/0'
        : target.includes('/')
          ? target
          : `${target}/${isIpv6 ? '128' : '32'}`
    const ours = words[words.indexOf('proto') + 1] === String(ownership.routeProtocol)
    return { object: 'route', deleted, destination, ours, words }
  }
  const device = (words[1] ?? '').replace(/[@:].*$/, '')
  if (device === '') return undefined
  if (labelled[1] === 'ADDR') return { object: 'address', deleted, device }
  const flags = (words[2] ?? '').replace(/[<>]/g, '').split(',')
  return { object: 'link', deleted, device, up: flags.includes('UP') && flags.includes('LOWER_UP') }
}

/** Tells of changes in the kernel, from a child `ip monitor` that is started again whenever it ends. */
export interface KernelWatch {
  start(): void
  stop(): void
  /** The child's process; undefined while there is none. */
  pid(): number | undefined
}

/**
 * @param options `onEvent` is called once per change, in order; `lost` comes first after every start
 */
export function createKernelWatch(
  modules: { exec: Exec; clock: Clock; log: Log },
  options: { onEvent: (event: KernelEvent) => void; restartDelayMs?: number },
): KernelWatch {
  const { exec, clock, log } = modules
  const restartDelayMs = options.restartDelayMs ?? 500
  let program: RunningProgram | undefined
  let restart: Timer | undefined
  let stopped = true

  function launch(): void {
    let rest = ''
    const args = [
      '-N',
      '-oneline',
      '-rcvbuf',
      '8388608',
      'monitor',
      'label',
      'link',
      'address',
      'route',
      'netconf',
    ]
    const started = exec.start('ip', args, {
      stdout(text) {
        if (stopped) return
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
          const event = parseMonitorLine(line)
          if (event !== undefined) options.onEvent(event)
        }
        if (rest.length > maxLine) {
          rest = ''
          options.onEvent({ object: 'lost', reason: 'a line was too long' })
        }
      },
      stderr(text) {
        // ENOBUFS: the kernel had more to say than the socket could hold.
        if (!stopped) options.onEvent({ object: 'lost', reason: text.trim().slice(0, 200) })
      },
    })
    program = started
    options.onEvent({ object: 'lost', reason: 'the watch has started' })
    void started.ended.then(({ reason }) => {
      program = undefined
      if (stopped) return
      log.warn({ reason }, 'ip monitor ended and is started again')
      restart = clock.setTimeout(launch, restartDelayMs)
    })
  }

  return {
    start() {
      if (!stopped) return
      stopped = false
      launch()
    },
    stop() {
      stopped = true
      restart?.cancel()
      program?.kill()
    },
    pid: () => program?.pid,
  }
}
