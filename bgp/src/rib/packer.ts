/**
 * Encodes pieces of Adj-RIB-Out into chunks. Announcements of one piece are gathered by the form of their attributes,
 * in the order in which forms first appear, and each form's prefixes fill as few messages as they can: classic NLRI
 * for IPv4 with IPv4 next hops, MP_REACH_NLRI for all else, IPv4 over IPv6 included. One packer serves all groups:
 * its arrays are scratch.
 */
import { type AfiSafi, ipv4Unicast } from '../codec/iana.ts'
import {
  announceOverhead,
  beginAnnounce,
  beginWithdraw,
  finishAnnounce,
  finishWithdraw,
  withdrawOverhead,
} from '../codec/update-writer.ts'
import { putU32 } from '../codec/writer.ts'
import { type ByteInterner } from './byte-interner.ts'
import { type PackedMessages } from './chunk.ts'
import { growInt32, grownCapacity } from './column.ts'
import { type PrefixTable } from './prefix-table.ts'

const longestNlri = 21

/** What a group tells the packer. An element is a prefix id, or with ADD-PATH a path's slot. */
export interface PackedGroup {
  readonly afiSafi: AfiSafi
  readonly addPath: boolean
  readonly maxMessageLength: number
  prefixOf(element: number): number
  formOf(element: number): number
  /** The member that an element comes from, or -1. */
  memberSourceOf(element: number): number
  /** Whether the source must be told of a withdrawal: it had been told of another's route. */
  owes(element: number): boolean
}

export class Packer {
  readonly #prefixes: PrefixTable
  readonly #forms: ByteInterner
  #buffer = new Uint8Array(0x10000)
  #end = 0
  /** Where announcements begin. */
  #announcements = 0
  #withdrawn = new Int32Array(64)
  #withdrawnCount = 0
  /** Elements to announce, chained by form. */
  #announced = new Int32Array(64)
  #nextOfForm = new Int32Array(64)
  #announcedCount = 0
  /** One more than the index of a form's first element; 0: it has none. */
  #firstOfForm = new Int32Array(64)
  #lastOfForm = new Int32Array(64)
  #formOrder: number[] = []
  #cuts = new Map<number, number[]>()
  #messageSources: number[] = []
  #nextHop = new Uint8Array(0)
  #size = 0

  constructor(prefixes: PrefixTable, forms: ByteInterner) {
    this.#prefixes = prefixes
    this.#forms = forms
  }

  /** Estimated octets of what was added. */
  get size(): number {
    return this.#size
  }

  get bytes(): number {
    return this.#buffer.byteLength + 4 * (this.#withdrawn.length + this.#announced.length * 2)
  }

  addWithdrawal(element: number): void {
    if (this.#withdrawnCount === this.#withdrawn.length)
      this.#withdrawn = growInt32(this.#withdrawn, this.#withdrawn.length * 2)
    this.#withdrawn[this.#withdrawnCount++] = element
    this.#size += 6
  }

  addAnnouncement(element: number, form: number): void {
    if (this.#announcedCount === this.#announced.length) {
      this.#announced = growInt32(this.#announced, this.#announced.length * 2)
      this.#nextOfForm = growInt32(this.#nextOfForm, this.#announced.length)
    }
    if (form >= this.#firstOfForm.length) {
      const capacity = grownCapacity(this.#firstOfForm.length, form + 1)
      this.#firstOfForm = growInt32(this.#firstOfForm, capacity)
      this.#lastOfForm = growInt32(this.#lastOfForm, capacity)
    }
    const at = this.#announcedCount++
    this.#announced[at] = element
    this.#nextOfForm[at] = -1
    if (this.#firstOfForm[form] === 0) {
      this.#firstOfForm[form] = at + 1
      this.#formOrder.push(form)
      this.#size += 30 + (this.#forms.length[form] as number)
    } else {
      this.#nextOfForm[this.#lastOfForm[form] as number] = at
    }
    this.#lastOfForm[form] = at
    this.#size += 6
  }

  /** Encodes what was added, and is empty again. */
  finish(group: PackedGroup): PackedMessages {
    this.#end = 0
    this.#announcements = 0
    this.#cuts = new Map()
    const owed = new Map<number, number[]>()
    this.#packWithdrawals(group, this.#withdrawn, this.#withdrawnCount)
    const announcements = this.#end
    this.#announcements = announcements
    for (const form of this.#formOrder) {
      this.#packForm(group, form, owed)
      this.#firstOfForm[form] = 0
    }
    const bytes = this.#buffer.slice(0, this.#end)
    const cuts = this.#cuts
    this.#withdrawnCount = 0
    this.#announcedCount = 0
    this.#formOrder = []
    this.#size = 0
    return { bytes, announcements, cuts, owed: this.#packOwed(group, owed) }
  }

  #packWithdrawals(group: PackedGroup, elements: Int32Array, count: number, forAll = true): void {
    const room = group.maxMessageLength - withdrawOverhead(group.afiSafi)
    let i = 0
    while (i < count) {
      const start = this.#reserve(group.maxMessageLength)
      const nlri = beginWithdraw(this.#buffer, start, group.afiSafi)
      let at = nlri
      for (; i < count; i++) {
        const element = elements[i] as number
        if (at - nlri + this.#sizeOf(group, element) > room) break
        const from = at
        at = this.#put(group, element, at)
        if (forAll && !group.owes(element)) this.#noteSource(group, element, from, at)
      }
      const end = finishWithdraw(this.#buffer, start, at, group.afiSafi)
      // An attribute of up to 255 octets gets a shorter head, and its NLRI move up.
      this.#noteCuts(start, end, nlri, at, group.afiSafi === ipv4Unicast ? 0 : end - at)
      this.#end = end
    }
  }

  #packForm(group: PackedGroup, form: number, owed: Map<number, number[]>): void {
    const page = this.#forms.pageOf(form)
    const formAt = this.#forms.startOf(form)
    const blockAt = formAt + 1 + (page[formAt] as number)
    const nextHop = this.#nextHopAt(page, formAt + 1, blockAt)
    const block = page.subarray(blockAt, formAt + (this.#forms.length[form] as number))
    const { afiSafi } = group
    const room = group.maxMessageLength - announceOverhead(afiSafi, block, nextHop)
    const classic = afiSafi === ipv4Unicast && nextHop.length === 4
    let i = (this.#firstOfForm[form] as number) - 1
    while (i >= 0) {
      const start = this.#reserve(group.maxMessageLength)
      const nlri = beginAnnounce(this.#buffer, start, afiSafi, block, nextHop)
      let at = nlri
      for (; i >= 0; i = this.#nextOfForm[i] as number) {
        const element = this.#announced[i] as number
        if (at - nlri + this.#sizeOf(group, element) > room) break
        const from = at
        at = this.#put(group, element, at)
        const source = this.#noteSource(group, element, from, at)
        if (source >= 0 && group.owes(element)) {
          const list = owed.get(source)
          if (list === undefined) owed.set(source, [element])
          else list.push(element)
        }
      }
      const end = finishAnnounce(this.#buffer, start, at, afiSafi, block, nextHop)
      this.#noteCuts(start, end, nlri, at, classic ? 0 : end - block.length - at)
      this.#end = end
    }
  }

  /** The next hop of a form; most have that of the form before. */
  #nextHopAt(page: Uint8Array, start: number, end: number): Uint8Array {
    const last = this.#nextHop
    let same = last.length === end - start
    for (let i = 0; same && i < last.length; i++) same = page[start + i] === last[i]
    return same ? last : (this.#nextHop = page.slice(start, end))
  }

  #packOwed(group: PackedGroup, owed: ReadonlyMap<number, readonly number[]>): Map<number, Uint8Array> {
    const packed = new Map<number, Uint8Array>()
    for (const [source, elements] of owed) {
      this.#end = 0
      this.#packWithdrawals(group, Int32Array.from(elements), elements.length, false)
      packed.set(source, this.#buffer.slice(0, this.#end))
    }
    return packed
  }

  #sizeOf(group: PackedGroup, element: number): number {
    const prefix = group.addPath ? group.prefixOf(element) : element
    return (group.addPath ? 5 : 1) + (((this.#prefixes.length[prefix] as number) + 7) >>> 3)
  }

  #put(group: PackedGroup, element: number, at: number): number {
    if (!group.addPath) return this.#prefixes.put(element, this.#buffer, at)
    // Path identifier 0 is legal but often taken for none.
    putU32(this.#buffer, at, element + 1)
    return this.#prefixes.put(group.prefixOf(element), this.#buffer, at + 4)
  }

  /** Remembers that the NLRI between two offsets comes from a member; returns the member or -1. */
  #noteSource(group: PackedGroup, element: number, from: number, to: number): number {
    const source = group.memberSourceOf(element)
    if (source < 0) return -1
    const noted = this.#messageSources
    const last = noted.length - 3
    if (last >= 0 && noted[last] === source && noted[last + 2] === from) noted[last + 2] = to
    else noted.push(source, from, to)
    return source
  }

  /** Turns what was noted for a message into cuts; `shift` is how far its NLRI, first and last as given, have moved. */
  #noteCuts(start: number, end: number, first: number, last: number, shift: number): void {
    const noted = this.#messageSources
    for (let i = 0; i < noted.length; i += 3) {
      const source = noted[i] as number
      const from = noted[i + 1] as number
      const to = noted[i + 2] as number
      let cuts = this.#cuts.get(source)
      if (cuts === undefined) this.#cuts.set(source, (cuts = []))
      if (from !== first || to !== last) cuts.push(start, end, from + shift, to + shift)
      else if (start > this.#announcements && isWholeCut(cuts, start)) cuts[cuts.length - 3] = end
      else cuts.push(start, end, start, start)
    }
    noted.length = 0
  }

  /** Makes room for a message and returns where it begins. */
  #reserve(length: number): number {
    if (this.#end + length + longestNlri > this.#buffer.length) {
      const grown = new Uint8Array(this.#buffer.length * 2 + length)
      grown.set(this.#buffer.subarray(0, this.#end))
      this.#buffer = grown
    }
    return this.#end
  }
}

/** Whether the last cut leaves messages out as a whole, up to an offset. */
function isWholeCut(cuts: readonly number[], end: number): boolean {
  const at = cuts.length - 4
  return at >= 0 && cuts[at + 1] === end && cuts[at + 2] === cuts[at] && cuts[at + 3] === cuts[at]
}
