import type { Clock, Family, Log } from '@network/net'
import type { RenderedSetChange, SetType } from '@network/policy'
import { type Exec, checkExit } from '../../exec.ts'
import type { PolicyFault } from '../policy-fault.ts'
import { createIpsetSession } from './ipset-session.ts'
import {
  type SavedSet,
  canonicalMember,
  createLine,
  isOurSet,
  parseSave,
  powerOfTwo,
  singlePorts,
} from './set-lines.ts'

export interface IpsetReport {
  readonly setsWritten: number
  readonly membersAdded: number
  readonly membersRemoved: number
  /** Sets that were as desired before, and that somebody had changed. */
  readonly repairs: number
  readonly faults: readonly PolicyFault[]
  readonly durationMs: number
  /** Sets that are not wanted any more are still there: not to be tidied by this pass, or just now in use by a rule. */
  readonly untidy: boolean
}

/** Desired and actual sets, both families. */
export interface IpsetDriver {
  /** Cheap: nothing is written. */
  update(changes: ReadonlyMap<string, RenderedSetChange | undefined>): void
  /** Makes sets and adds members: before the rules that name them. */
  grow(): Promise<IpsetReport>
  /** Takes members and, if `tidy`, sets away: after the rules that named them. */
  shrink(options?: { tidy?: boolean }): Promise<IpsetReport>
  /** Reads the kernel again; the next grow and shrink put right what differs. */
  resync(): Promise<void>
  open(): void
  close(): void
}

export interface IpsetOptions {
  /** A set takes so many members at first; one that needs more is replaced by a larger one. Default 65,536. */
  readonly maxElements?: number
  /** A set never takes more: what is beyond is refused with a fault. Default 4,194,304. */
  readonly mostElements?: number
}

interface DesiredSet {
  readonly type: SetType
  readonly family: Family | undefined
  members: Set<string>
}

interface ActualSet extends SavedSet {
  /** Desired and not there; there and not desired. Kept beside the members so that a change costs what it changes. */
  readonly missing: Set<string>
  readonly surplus: Set<string>
}

interface Growth {
  readonly name: string
  /** Undefined: the set was there. */
  readonly created: { type: SetType; family: Family | undefined; maxElements: number } | undefined
  readonly members: readonly string[]
  readonly lines: readonly string[]
}

const TEMPORARY = 'drv-tmp'
/** Up to so many lines go through the open program; for more a program of its own that sends them in bulk is faster. */
const FEW_LINES = 64
/** From so many removals on a set is replaced if fewer members stay than go. */
const MANY_REMOVALS = 256

export function createIpsetDriver(
  modules: { exec: Exec; clock: Clock; log: Log },
  options: IpsetOptions = {},
): IpsetDriver {
  const { exec, clock } = modules
  const log = modules.log.child({ driver: 'ipset' })
  const firstMax = options.maxElements ?? 65_536
  const mostElements = options.mostElements ?? 4_194_304
  const session = createIpsetSession({ exec, clock })
  const desired = new Map<string, DesiredSet>()
  const actual = new Map<string, ActualSet>()
  const dirty = new Set<string>()
  const faults = new Map<string, PolicyFault>()
  let known = false
  let repairs = 0

  async function resync(): Promise<void> {
    const saved = parseSave(checkExit('ipset', ['save'], await exec.run('ipset', ['save'])).stdout)
    if (known) {
      for (const [name, before] of actual) {
        const now = saved.get(name)
        if (now === undefined || !sameMembers(before.members, now.members)) repairs++
      }
    }
    actual.clear()
    for (const [name, set] of saved) {
      actual.set(name, { ...set, missing: new Set(), surplus: new Set() })
      compare(name)
    }
    for (const name of desired.keys()) dirty.add(name)
    for (const name of actual.keys()) dirty.add(name)
    known = true
  }

  /** Finds anew what is missing in a set and what is too much. */
  function compare(name: string): void {
    const there = actual.get(name)
    const wanted = desired.get(name)
    if (there === undefined) return
    there.missing.clear()
    there.surplus.clear()
    if (wanted === undefined) return
    const members = wanted.type === 'bitmap:port' ? singlePorts(wanted.members) : wanted.members
    for (const member of members) if (!there.members.has(member)) there.missing.add(member)
    for (const member of there.members) if (!members.has(member)) there.surplus.add(member)
  }

  function take(name: string, change: RenderedSetChange | undefined): void {
    dirty.add(name)
    if (change === undefined) {
      desired.delete(name)
      faults.delete(name)
      return
    }
    const canonical = (member: string): string => canonicalMember(member, change.type)
    if (change.created || !desired.has(name)) {
      desired.set(name, {
        type: change.type,
        family: change.family,
        members: new Set(change.added.map(canonical)),
      })
      compare(name)
      return
    }
    const members = desired.get(name)?.members
    const there = actual.get(name)
    for (const member of change.removed.map(canonical)) {
      members?.delete(member)
      there?.missing.delete(member)
      if (there?.members.has(member) === true) there.surplus.add(member)
    }
    for (const member of change.added.map(canonical)) {
      members?.add(member)
      there?.surplus.delete(member)
      if (there?.members.has(member) === false) there.missing.add(member)
    }
  }

  function fits(there: SavedSet, wanted: DesiredSet): boolean {
    return there.type === wanted.type && there.family === wanted.family
  }

  /** Runs lines; answers the words about what failed. */
  async function run(lines: readonly string[]): Promise<readonly string[]> {
    if (lines.length <= FEW_LINES) return session.run(lines)
    const result = await exec.run('ipset', ['restore', '-exist'], {
      input: `${lines.join('\n')}\n`,
      timeoutMs: 60_000,
    })
    return result.exitCode === 0 ? [] : [result.stderr.trim().replace(/^ipset v[\d.]+: /, '')]
  }

  function fault(name: string, code: PolicyFault['code'], message: string, remedy: string): void {
    faults.set(name, { key: name, code, message, remedy })
    log.error({ set: name }, message)
  }

  /** A set with these members under a temporary name, swapped with the old one. Answers the words about a failure. */
  async function replace(
    name: string,
    wanted: DesiredSet,
    members: ReadonlySet<string>,
  ): Promise<readonly string[]> {
    const maxElements = Math.min(mostElements, Math.max(firstMax, powerOfTwo(members.size * 2)))
    const lines = [
      createLine(TEMPORARY, wanted, { maxElements, elements: members.size }),
      `flush ${TEMPORARY}`,
      ...[...members].map((member) => `add ${TEMPORARY} ${member} -exist`),
    ]
    const filling = await run(lines)
    const errors = filling.length > 0 ? filling : await run([`swap ${TEMPORARY} ${name}`])
    await session.run([`destroy ${TEMPORARY}`])
    if (errors.length === 0)
      actual.set(name, {
        type: wanted.type,
        family: wanted.family,
        maxElements,
        members: new Set(members),
        missing: new Set(),
        surplus: new Set(),
      })
    return errors
  }

  interface Tally {
    sets: number
    added: number
    removed: number
  }

  /** What one set lacks, as lines; a set that must be replaced is replaced at once. */
  async function growOne(name: string, wanted: DesiredSet): Promise<Growth | undefined> {
    const size = wanted.members.size
    if (wanted.type !== 'bitmap:port' && size > mostElements) {
      fault(
        name,
        'full',
        `The set ${name} would have ${size} members, more than the ${mostElements} that a set may have; it stays as it was.`,
        'Name fewer endpoints or networks in one selector.',
      )
      return undefined
    }
    let there = actual.get(name)
    if (there !== undefined && !fits(there, wanted)) {
      await session.run([`destroy ${name}`])
      actual.delete(name)
      there = undefined
    }
    const { type, family } = wanted
    if (there === undefined) {
      const maxElements = Math.min(mostElements, Math.max(firstMax, powerOfTwo(size * 2)))
      const members = [...wanted.members]
      const lines = [createLine(name, wanted, { maxElements, elements: size }), ...addLines(name, members)]
      return { name, created: { type, family, maxElements }, members, lines }
    }
    if (there.missing.size === 0) {
      faults.delete(name)
      return undefined
    }
    if (type !== 'bitmap:port' && there.members.size + there.missing.size > there.maxElements) {
      const errors = await replace(name, wanted, new Set(wanted.members))
      if (errors.length > 0) refused(name, errors)
      else faults.delete(name)
      return undefined
    }
    const members = [...there.missing]
    return { name, created: undefined, members, lines: addLines(name, members) }
  }

  function refused(name: string, words: readonly string[]): void {
    fault(
      name,
      'failed',
      `The set ${name} could not be written: ${words.slice(0, 3).join('; ')}`,
      'It is tried again; rules that name it see what it held.',
    )
  }

  /** The lines have acted. What was told meanwhile is compared with it. */
  function noteGrown({ name, created, members }: Growth): void {
    faults.delete(name)
    if (created !== undefined) {
      const { type } = created
      actual.set(name, {
        ...created,
        members: type === 'bitmap:port' ? singlePorts(members) : new Set(members),
        ...{ missing: new Set(), surplus: new Set() },
      })
      compare(name)
      return
    }
    const there = actual.get(name)
    const wanted = desired.get(name)
    for (const member of members) {
      there?.members.add(member)
      there?.missing.delete(member)
      if (wanted?.type !== 'bitmap:port' && wanted?.members.has(member) === false) there?.surplus.add(member)
    }
  }

  async function grow(): Promise<IpsetReport> {
    const startedAt = clock.monotonic()
    if (!known) await resync()
    const growths = await growthsOf([...dirty])
    const lines = growths.flatMap((growth) => growth.lines)
    const errors = await run(lines)
    if (errors.length === 0) growths.forEach(noteGrown)
    else {
      // Set by set, to know which is refused.
      log.warn({ words: errors.slice(0, 3) }, 'ipset refused something; reading the sets again')
      await resync()
      for (const growth of await growthsOf(growths.map(({ name }) => name))) {
        const words = await run(growth.lines)
        if (words.length > 0) refused(growth.name, words)
        else noteGrown(growth)
      }
    }
    return report(
      {
        sets: growths.length,
        added: growths.reduce((sum, { members }) => sum + members.length, 0),
        removed: 0,
      },
      startedAt,
    )
  }

  async function growthsOf(names: readonly string[]): Promise<Growth[]> {
    const growths: Growth[] = []
    for (const name of names) {
      const wanted = desired.get(name)
      const growth = wanted === undefined ? undefined : await growOne(name, wanted)
      if (growth !== undefined) growths.push(growth)
    }
    return growths
  }

  async function shrink({ tidy = true } = {}): Promise<IpsetReport> {
    const startedAt = clock.monotonic()
    const tally: Tally = { sets: 0, added: 0, removed: 0 }
    const lines: string[] = []
    const removed = new Map<string, readonly string[]>()
    const destroyed: string[] = []
    for (const name of [...dirty]) {
      const wanted = desired.get(name)
      const there = actual.get(name)
      if (wanted === undefined) {
        if (there === undefined) dirty.delete(name)
        else destroyed.push(name)
        continue
      }
      if (there === undefined || there.surplus.size === 0) continue
      tally.sets++
      tally.removed += there.surplus.size
      const staying = there.members.size - there.surplus.size
      if (
        there.surplus.size >= MANY_REMOVALS &&
        staying < there.surplus.size &&
        wanted.type !== 'bitmap:port'
      ) {
        const errors = await replace(name, wanted, new Set(wanted.members))
        if (errors.length > 0) refused(name, errors)
        compare(name)
        continue
      }
      removed.set(name, [...there.surplus])
      for (const member of there.surplus) lines.push(`del ${name} ${member} -exist`)
    }
    if (lines.length > 0) {
      const errors = await run(lines)
      if (errors.length > 0) {
        log.warn({ words: errors.slice(0, 3) }, 'ipset refused a removal; reading the sets again')
        await resync()
      } else
        for (const [name, members] of removed) {
          const there = actual.get(name)
          for (const member of members) {
            there?.members.delete(member)
            there?.surplus.delete(member)
          }
          compareIfChanged(name, members)
        }
    }
    if (tidy && destroyed.length > 0) await destroy(destroyed, tally)
    for (const name of [...dirty]) if (isAsDesired(name)) dirty.delete(name)
    return {
      ...report(tally, startedAt),
      untidy: destroyed.some((name) => actual.has(name) && !desired.has(name)),
    }
  }

  /** A member that was wanted again while it was being removed is missing now. */
  function compareIfChanged(name: string, members: readonly string[]): void {
    const there = actual.get(name)
    const wanted = desired.get(name)?.members
    for (const member of members) if (wanted?.has(member) === true) there?.missing.add(member)
  }

  async function destroy(names: readonly string[], tally: Tally): Promise<void> {
    const errors = await session.run(names.map((name) => `destroy ${name}`))
    if (errors.length === 0) {
      for (const name of names) {
        actual.delete(name)
        faults.delete(name)
      }
      tally.sets += names.length
      return
    }
    // The kernel lets go of a removed rule's set a moment after the rule: it is tried again.
    for (const name of names) {
      const words = await session.run([`destroy ${name}`])
      if (words.length === 0 || words.some((text) => text.includes('does not exist'))) actual.delete(name)
      else log.debug({ set: name, words }, 'a set that is not wanted is still in use')
    }
  }

  function isAsDesired(name: string): boolean {
    const there = actual.get(name)
    if (!desired.has(name)) return there === undefined
    return there?.missing.size === 0 && there.surplus.size === 0
  }

  function report(tally: Tally, startedAt: number): IpsetReport {
    const repaired = repairs
    repairs = 0
    return {
      setsWritten: tally.sets,
      membersAdded: tally.added,
      membersRemoved: tally.removed,
      repairs: repaired,
      faults: [...faults.values()],
      untidy: false,
      durationMs: clock.monotonic() - startedAt,
    }
  }

  return {
    update(changes) {
      for (const [name, change] of changes) take(name, change)
    },
    grow,
    shrink,
    resync,
    open: () => session.open(),
    close: () => session.close(),
  }
}

/** Destroys every set of ours; rules that name them must be gone. @returns how many */
export async function removeOurSets(
  modules: { exec: Exec },
  { dryRun = false }: { dryRun?: boolean } = {},
): Promise<number> {
  const listed = checkExit('ipset', ['list', '-name'], await modules.exec.run('ipset', ['list', '-name']))
  const names = listed.stdout.split('\n').filter(isOurSet)
  if (names.length === 0 || dryRun) return names.length
  const input = `${names.map((name) => `destroy ${name}`).join('\n')}\n`
  checkExit('ipset', ['restore'], await modules.exec.run('ipset', ['restore'], { input }))
  return names.length
}

function addLines(name: string, members: readonly string[]): string[] {
  return members.map((member) => `add ${name} ${member} -exist`)
}

function sameMembers(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((member) => b.has(member))
}
