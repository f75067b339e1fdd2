/**
 * The audit of addresses: what blocks, handles and endpoints say of this node against what it really has. It runs by
 * itself with a grace period and two looks, and on request. What an attach or detach is just working on counts as it
 * is meant to be, and what waits in the journal is known already.
 */
import { statSync } from 'node:fs'
import type { Allocator } from '@network/datastore'
import type { Clock, Log } from '@network/net'
import type { AuditReport, AuditRequest } from '../client/messages.ts'
import type { Journal } from '../endpoint/journal.ts'
import type { KeyedLock } from '../endpoint/keyed-lock.ts'
import { NAMESPACE_ANNOTATION } from '../endpoint/endpoint-resource.ts'
import type { Endpoint, LocalEndpoints } from '../endpoint/local-endpoints.ts'
import { lockName, lockOf } from '../endpoint/releases.ts'
import type { KnownInterface } from '../drivers/interface-driver.ts'
import type { Life } from './life.ts'
import { auditReport } from './reports.ts'

export interface AuditModules {
  allocator: Pick<Allocator, 'audit' | 'repair'>
  endpoints: LocalEndpoints
  interfaces: () => readonly KnownInterface[]
  journal: Journal
  locks: KeyedLock
  clock: Clock
  log: Log
  life: Life
}

export interface AuditOptions {
  node: string
  /** 0: never by itself. */
  intervalMs: () => number
  graceMs: () => number
  /** Whether what this agent knows of its node is complete. */
  ready: () => boolean
}

export interface Audit {
  run(request: AuditRequest): Promise<AuditReport>
  /** Runs by itself until the end. */
  follow(): Promise<void>
}

const IDLE_MS = 60_000

export function createAudit(modules: AuditModules, options: AuditOptions): Audit {
  const { allocator, endpoints, journal, locks, life } = modules
  const log = modules.log.child({ module: 'audit' })

  const present = (): string[] => {
    const names = new Set(modules.interfaces().map(({ name }) => name))
    return endpoints.list().flatMap(({ endpoint }) => {
      const { spec } = endpoint
      const lock = lockOf(endpoint)
      const busy = lock !== undefined && locks.held(lock)
      const stands =
        spec.interfaceName === undefined ? namespaceStands(endpoint) : names.has(spec.interfaceName)
      return busy || stands ? spec.ipNetworks.map((network) => network.slice(0, network.indexOf('/'))) : []
    })
  }

  const look = async () => {
    const { node } = options
    const report = await allocator.audit({ node, actual: [{ node, addresses: present() }] })
    const known = (finding: (typeof report.findings)[number]): boolean => {
      if (!('handle' in finding)) return false
      const [containerId = '', interfaceName = ''] = finding.handle.split(':')
      return (
        journal.find(finding.handle) !== undefined || locks.held(lockName({ containerId, interfaceName }))
      )
    }
    return { ...report, findings: report.findings.filter((finding) => !known(finding)) }
  }

  return {
    async run({ fix }) {
      const report = await look()
      const repairs = fix ? await allocator.repair(report, { immediate: true }) : undefined
      return auditReport(report, repairs)
    },
    async follow() {
      while (!life.ended()) {
        await life.pause(options.intervalMs() === 0 ? IDLE_MS : options.intervalMs())
        if (life.ended() || options.intervalMs() === 0 || !options.ready()) continue
        try {
          const repairs = await allocator.repair(await look(), { graceSeconds: options.graceMs() / 1000 })
          const repaired = repairs.outcomes.filter(({ outcome }) => outcome === 'repaired')
          for (const { finding, detail } of repaired)
            log.warn({ kind: finding.kind, detail }, 'the audit repaired a finding')
        } catch (error) {
          log.warn({ error: String(error) }, 'the audit of addresses did not come to its end')
        }
      }
    },
  }
}

/**
 * An endpoint without an interface of ours holds addresses for another plugin's, as long as its namespace is there; one
 * without a namespace holds them for the node itself.
 */
function namespaceStands({ metadata, spec }: Endpoint): boolean {
  if (spec.netns === undefined) return true
  try {
    return `net:[${String(statSync(spec.netns).ino)}]` === metadata.annotations?.[NAMESPACE_ANNOTATION]
  } catch {
    return false
  }
}
