import { encodeAttributes } from '../codec/attribute-block.ts'
import { type CodecContext } from '../codec/context.ts'
import { ipv4Unicast } from '../codec/iana.ts'
import { beginAnnounce, beginWithdraw, finishAnnounce, finishWithdraw } from '../codec/update-writer.ts'
import { putU32 } from '../codec/writer.ts'

/** What a peer says of its routes: that they are there, that their attributes have changed, that they are gone. */
export type Step = 'announce' | 'change' | 'withdraw'

export const steps: readonly Step[] = ['announce', 'change', 'withdraw']

const octetsPerMessage = 128
/** Of the community: real ones are numbers beyond 31 bits too, which the compiler must have seen. */
const communityAsn = 64512

/** The routes of one of the peers that a process warms up with, as UPDATEs. */
export interface MadeUpRoutes {
  /** Counted from 0; each has prefixes of its own. */
  readonly peer: number
  readonly prefixes: number
  readonly prefixesPerMessage: number
  /** 24: three octets · 25 to 32: four, the last of them in part. */
  readonly prefixLength: number
  readonly nextHop: Uint8Array
  /** AS path, without prepending for the peer: each message has another one. */
  readonly asns: readonly number[]
  readonly context: CodecContext
}

/** The UPDATEs of a step, back to back. */
export function madeUpUpdates(routes: MadeUpRoutes, step: Step): Uint8Array {
  const { peer, prefixes, prefixesPerMessage, prefixLength, nextHop } = routes
  const octets = (prefixLength + 7) >>> 3
  const bytes = new Uint8Array(Math.ceil(prefixes / prefixesPerMessage) * octetsPerMessage)
  const putPrefixes = (from: number, start: number): number => {
    let at = start
    for (let i = from; i < Math.min(from + prefixesPerMessage, prefixes); i++) {
      bytes[at] = prefixLength
      putU32(bytes, at + 1, (0x0a000000 + (peer * prefixes + i) * 256) >>> 0)
      at += 1 + octets
    }
    return at
  }
  let at = 0
  for (let from = 0; from < prefixes; from += prefixesPerMessage) {
    const start = at
    if (step === 'withdraw') {
      at = putPrefixes(from, beginWithdraw(bytes, start, ipv4Unicast))
      at = finishWithdraw(bytes, start, at, ipv4Unicast)
    } else {
      const block = attributeBlock(routes, from, step === 'change' ? 1 : 0)
      at = putPrefixes(from, beginAnnounce(bytes, start, ipv4Unicast, block, nextHop))
      at = finishAnnounce(bytes, start, at, ipv4Unicast, block, nextHop)
    }
  }
  return bytes.subarray(0, at)
}

function attributeBlock({ asns, context }: MadeUpRoutes, from: number, version: number): Uint8Array {
  return encodeAttributes(
    {
      origin: 'igp',
      asPath: [{ type: 'sequence', asns: [...asns, 100 + from] }],
      ...(context.peerType === 'internal' ? { localPref: 100 } : {}),
      communities: [communityAsn * 0x10000 + version],
    },
    context,
  )
}
