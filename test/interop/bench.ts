/*
 * The table that an interoperability test sits at: this process's main thread in one namespace, foreign daemons in
 * others, a wire to each. The speaker under test runs here, so that a test calls it directly. One wire is there from
 * the start; seats have wires of their own, so that cases with different daemons run at the same time.
 */
import { closeSync, openSync } from 'node:fs'
import path from 'node:path'
import koffi from 'koffi'
import { type Log } from '@network/net'
import { type Speaker, type SpeakerModules, type SpeakerOptions, createSpeaker } from '@network/bgp'
import { Lab, type Place, connect } from '../lab/index.ts'

const CLONE_NEWNET = 0x40000000

/** Moves the calling thread, and with it every socket that it opens from now on, into a network namespace. */
function enterNamespace(file: string): void {
  const setns = koffi.load(null).func('int setns(int, int)') as (fd: number, type: number) => number
  const fd = openSync(file, 'r')
  const status = setns(fd, CLONE_NEWNET)
  closeSync(fd)
  if (status !== 0) throw new Error(`cannot enter ${file}: are you root?`)
}

/** The two ends of the first wire. */
export const here = { ipv4: '10.99.0.1', ipv6: 'fd00:99::1' } as const
export const there = { ipv4: '10.99.0.2', ipv6: 'fd00:99::2' } as const

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly data: object
}

/** A namespace for a foreign daemon, and the addresses of both ends of its wire. */
export interface Seat {
  readonly place: Place
  readonly here: { readonly ipv4: string; readonly ipv6: string }
  readonly there: { readonly ipv4: string; readonly ipv6: string }
  /** Our device on the wire; the daemon's is called `wire`. */
  readonly device: string
  /** A folder of the daemon's own. */
  readonly folder: string
}

export interface Bench {
  readonly lab: Lab
  /** Our own namespace. */
  readonly us: Place
  readonly peer: Place
  /** One more daemon's namespace, on a wire of its own: what runs there disturbs nobody else. */
  seat(name: string): Promise<Seat>
  /** One more address of ours: `10.99.1.3/24` on a wire. */
  address(address: string, device: string): Promise<void>
  readonly log: readonly LogLine[]
  /** A speaker on our side of the wires, by default listening on all of them; ended with the bench. */
  speaker(
    options: Partial<SpeakerOptions> & { readonly asn: number },
    modules?: Pick<SpeakerModules, 'interfaces'>,
  ): Speaker
  close(): Promise<void>
}

export async function openBench(label: string): Promise<Bench> {
  const lab = new Lab(label)
  const us = await lab.namespace('us')
  const peer = await lab.namespace('peer')
  await connect(us, 'wire', peer, 'wire')
  for (const [place, addresses] of [
    [us, here],
    [peer, there],
  ] as const) {
    await place.run('ip', ['addr', 'add', `${addresses.ipv4}/24`, 'dev', 'wire'])
    await place.run('ip', ['addr', 'add', `${addresses.ipv6}/64`, 'dev', 'wire', 'nodad'])
  }
  // The daemons on different wires reach each other through us.
  await us.run('sysctl', ['-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
  enterNamespace(us.netns)
  let seats = 0
  const speakers: Speaker[] = []
  const lines: LogLine[] = []
  const log: Log = {
    debug: (data, message) => void lines.push({ level: 'debug', message, data }),
    info: (data, message) => void lines.push({ level: 'info', message, data }),
    warn: (data, message) => void lines.push({ level: 'warn', message, data }),
    error: (data, message) => void lines.push({ level: 'error', message, data }),
    child: () => log,
  }
  return {
    lab,
    us,
    peer,
    log: lines,
    address: async (address, device) => {
      await us.run('ip', ['addr', 'add', address, 'dev', device])
    },
    seat: async (name) => {
      const number = String(++seats)
      const place = await lab.namespace(name)
      const device = `wire${number}`
      await connect(us, device, place, 'wire')
      const addresses = (host: string) => ({
        ipv4: `10.99.${number}.${host}`,
        ipv6: `fd00:99:0:${number}::${host}`,
      })
      const seat = { place, device, here: addresses('1'), there: addresses('2') }
      for (const [where, end, { ipv4, ipv6 }] of [
        [us, device, seat.here],
        [place, 'wire', seat.there],
      ] as const) {
        await where.run('ip', ['addr', 'add', `${ipv4}/24`, 'dev', end])
        await where.run('ip', ['addr', 'add', `${ipv6}/64`, 'dev', end, 'nodad'])
      }
      return { ...seat, folder: path.join(lab.folder, `${name}.files`) }
    },
    speaker: (options, modules = {}) => {
      const speaker = createSpeaker(
        { routerId: here.ipv4, listen: [':179'], ...options },
        { log, ...modules },
      )
      speakers.push(speaker)
      return speaker
    },
    close: async () => {
      await Promise.all(speakers.map((speaker) => speaker.stop()))
      lab.destroy()
    },
  }
}
