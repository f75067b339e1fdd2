/**
 * What of an attach need not wait for the store. An allocation is planned, addresses and all, before its transaction is
 * sent, and the store nearly always agrees: meanwhile the interface is made and the endpoint's chains are programmed.
 * Neither leads anywhere yet: the host end stays down, and no route leads to it, until the store has agreed. If it does not, both go again; a
 * crash leaves an interface that no endpoint names and chains that the next start does not desire, and both are swept.
 */
import type { LocalEndpoint } from './local-endpoints.ts'
import { wireSpec } from './workload-wire.ts'
import type { Wire, Wired } from './wire.ts'

/** An endpoint as it will be written. */
export type PlannedEndpoint = Pick<LocalEndpoint, 'key' | 'endpoint'>

/** What has been begun for an endpoint. Neither promise has to be waited for. */
export interface Begun {
  readonly wiring: Promise<Wired>
  readonly protecting: Promise<void>
}

export interface DraftModules {
  readonly wire: Pick<Wire, 'wireWorkload'>
  readonly protect: (planned: PlannedEndpoint) => Promise<void>
  readonly unprotect: (key: string) => void
}

/** The draft of one attach. */
export interface Draft {
  /** An allocation with these addresses is about to be sent. If it is not the first, nothing is begun for it any more. */
  plan(planned: PlannedEndpoint): void
  /** The store has agreed to this: the rest of it is done. What was begun for another plan is dropped first. */
  agreed(committed: PlannedEndpoint): Promise<Begun>
  /** There will be no such endpoint. Resolves when what was begun has come to rest and is gone. */
  drop(): Promise<unknown>
  /** The attach is over: others may be begun under its key. */
  close(): void
}

interface Sketch extends Begun {
  readonly planned: PlannedEndpoint
  readonly agree: () => void
  readonly refuse: () => void
}

/** Drafts of one node: those that are planned for one transaction are begun in one go, and share one pass of policy. */
export interface Drafts {
  open(): Draft
}

export function createDrafts(modules: DraftModules): Drafts {
  const due = new Set<() => void>()
  const taken = new Set<string>()
  let waiting: NodeJS.Immediate | undefined
  const soon: Soon = {
    add(begin) {
      due.add(begin)
      waiting ??= setImmediate(() => {
        waiting = undefined
        const all = [...due]
        due.clear()
        for (const each of all) each()
      })
    },
    remove: (begin) => due.delete(begin),
  }
  return { open: () => openDraft(modules, soon, taken) }
}

/** What is begun once the transaction is sent. */
interface Soon {
  add(begin: () => void): void
  remove(begin: () => void): void
}

/** @param taken keys of endpoints for which something was begun: of two at once under one key the second waits for the store */
function openDraft({ wire, protect, unprotect }: DraftModules, soon: Soon, taken: Set<string>): Draft {
  let own: string | undefined
  let first: PlannedEndpoint | undefined
  let drawing = (): void => undefined
  let sketch: Sketch | undefined
  let dropped: Promise<unknown> = Promise.resolve()

  function begin({ key, endpoint }: PlannedEndpoint, agreement?: Promise<void>): Begun {
    // Programs write the chains while this process makes the interface.
    const protecting = protect({ key, endpoint })
    const wiring = wire.wireWorkload(wireSpec(endpoint), agreement === undefined ? {} : { agreement })
    for (const promise of [protecting, wiring]) promise.catch(() => undefined)
    return { wiring, protecting }
  }

  function draw(planned: PlannedEndpoint): void {
    let settle = { agree: (): void => undefined, refuse: (): void => undefined }
    const agreement = new Promise<void>((resolve, reject) => {
      settle = {
        agree: resolve,
        refuse: () => {
          reject(new Error('the addresses were not assigned as planned'))
        },
      }
    })
    agreement.catch(() => undefined)
    sketch = { planned, ...settle, ...begin(planned, agreement) }
  }

  function drop(): Promise<unknown> {
    soon.remove(drawing)
    if (sketch === undefined) return dropped
    const { planned, refuse, wiring } = sketch
    sketch = undefined
    refuse()
    unprotect(planned.key)
    dropped = wiring.catch(() => undefined)
    return dropped
  }

  return {
    plan(planned) {
      if (first === undefined) {
        first = planned
        if (taken.has(planned.key)) return
        own = planned.key
        taken.add(own)
        drawing = () => {
          draw(planned)
        }
        soon.add(drawing)
      } else if (!sameAddresses(first, planned)) void drop()
    },

    async agreed(committed) {
      if (sketch !== undefined && sameAddresses(sketch.planned, committed)) {
        sketch.agree()
        return sketch
      }
      await drop()
      return begin(committed)
    },

    drop,

    close() {
      if (own !== undefined) taken.delete(own)
    },
  }
}

/** Of one attach, plans differ in nothing else. */
function sameAddresses(a: PlannedEndpoint, b: PlannedEndpoint): boolean {
  return a.endpoint.spec.ipNetworks.join() === b.endpoint.spec.ipNetworks.join()
}
