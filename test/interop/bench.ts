/*
 * The table that an interoperability test sits at: this process's main thread in one namespace, a foreign daemon in
 * another, a wire between them. The speaker under test runs here, so that a test calls it directly.
 */
import { closeSync, openSync } from 'node:fs'
import koffi from 'koffi'
import { type Log } from '@network/net'
import { type Speaker, type SpeakerOptions, createSpeaker } from '@network/bgp'
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

export const here = { ipv4: '10.99.0.1', ipv6: 'fd00:99::1' } as const
export const there = { ipv4: '10.99.0.2', ipv6: 'fd00:99::2' } as const

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly data: object
}

export interface Bench {
  readonly lab: Lab
  readonly peer: Place
  readonly log: readonly LogLine[]
  /** A speaker on our side of the wire; ended with the bench. */
  speaker(options: Partial<SpeakerOptions> & { readonly asn: number }): Speaker
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
  enterNamespace(us.netns)
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
    peer,
    log: lines,
    speaker: (options) => {
      const speaker = createSpeaker({ routerId: here.ipv4, listen: [':179'], ...options }, { log })
      speakers.push(speaker)
      return speaker
    },
    close: async () => {
      await Promise.all(speakers.map((speaker) => speaker.stop()))
      lab.destroy()
    },
  }
}
