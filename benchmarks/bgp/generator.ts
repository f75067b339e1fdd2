/**
 * All the sessions of a plan: opens them at once, sends what was encoded before any clock ran, and says how long it took
 * until the last receiver had all it ought to have.
 */
import { Session } from './client.ts'
import { type Endpoint, type Plan, type Timed, clientsOf, measuredSpeaker } from './plan.ts'
import { Routes } from './routes.ts'
import { Tally } from './tally.ts'

const settleMs = 500
const fewAtOnce = 4

export class Generator {
  readonly plan: Plan
  readonly routes: Routes
  readonly sessions: readonly Session[]
  #failure: string | undefined
  #notice: () => void = () => undefined

  constructor(plan: Plan, speaker: Endpoint = measuredSpeaker) {
    this.plan = plan
    this.routes = new Routes(plan.population)
    this.sessions = clientsOf(plan.population).map(
      (client, number) =>
        new Session(client, speaker, new Tally(this.routes, number), {
          established: () => this.#notice(),
          complete: () => this.#notice(),
          failed: (reason) => {
            this.#failure ??= reason
            this.#notice()
          },
        }),
    )
  }

  get sources(): readonly Session[] {
    return this.sessions.slice(0, this.plan.population.sources)
  }

  /** Opens every session at once. Those that are not up at the bound are opened again, a few at a time. */
  async establish(): Promise<Timed> {
    const start = performance.now()
    const { establishLimitSeconds, limitSeconds } = this.plan
    for (const session of this.sessions) session.open()
    const up = ({ established }: Session): boolean => established
    if (await this.#until(start + establishLimitSeconds * 1000, () => this.sessions.every(up)))
      return { seconds: (Math.max(...this.sessions.map((s) => s.establishedAt)) - start) / 1000, over: false }
    const late = this.sessions.filter((session) => !up(session))
    for (const session of late) session.abandon()
    const bound = performance.now() + limitSeconds * 1000
    for (let first = 0; first < late.length; first += fewAtOnce) {
      const few = late.slice(first, first + fewAtOnce)
      for (const session of few) session.open()
      if (!(await this.#until(bound, () => few.every(up))))
        throw new Error(`${String(late.filter((session) => !up(session)).length)} sessions do not come up`)
    }
    return { seconds: establishLimitSeconds, over: true }
  }

  /** Sends each source's bytes at once and waits until `receivers` have what is wanted. */
  async deliver(
    bytes: readonly Uint8Array[],
    wanted: Uint16Array,
    receivers: readonly Session[] = this.sessions,
  ): Promise<Timed> {
    for (const { tally } of receivers) tally.expect(wanted)
    const start = performance.now()
    for (const [number, source] of this.sources.entries()) source.send(bytes[number] ?? new Uint8Array())
    const bound = start + this.plan.limitSeconds * 1000
    const over = !(await this.#until(bound, () =>
      receivers.every(({ tally }) => tally.completeAt !== undefined),
    ))
    if (over) return { seconds: (performance.now() - start) / 1000, over }
    return {
      seconds: (Math.max(...receivers.map(({ tally }) => tally.completeAt ?? 0)) - start) / 1000,
      over,
    }
  }

  announcements(phase: number): Uint8Array[] {
    return this.sources.map((_, source) => this.routes.announce(source, phase))
  }

  /** Waits a while, in which the speaker comes to rest. @throws Error if a session has ended */
  async settle(ms = settleMs): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms))
    this.check()
  }

  check(): void {
    if (this.#failure !== undefined) throw new Error(this.#failure)
  }

  close(): void {
    for (const session of this.sessions) session.close()
  }

  /** True once `reached` says so, looked at whenever a session has news; false at the bound. */
  async #until(bound: number, reached: () => boolean): Promise<boolean> {
    while (!reached()) {
      this.check()
      const left = bound - performance.now()
      if (left <= 0) return false
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#notice = () => {
          clearTimeout(timer)
          setImmediate(resolve)
          this.#notice = () => undefined
        }
      })
    }
    return true
  }
}
