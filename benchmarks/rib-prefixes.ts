/**
 * Two full tables through the RIB: each of two peers announces the same prefixes, about six to an attribute set as
 * in real tables, and a third one pulls the best. Prints times, the longest step of work(), and memory.
 * Usage: node --expose-gc --import=tsx --conditions=@network/source benchmarks/rib-prefixes.ts [prefixes]
 */
import { addressToBytes, ipv4 } from '@network/net'
import { encodeAttributes, ipv4Unicast, nlriRun, plainContext } from '@network/bgp/codec'
import { createRib } from '../bgp/src/rib/create-rib.ts'
import { PrefixTable } from '../bgp/src/rib/prefix-table.ts'

const count = Number(process.argv[2] ?? 500_000)
const perSet = 6
const clock = (): number => performance.now()
const octets = (address: number): Uint8Array => addressToBytes(ipv4(address))
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

function tableAlone(): void {
  const million = 1_000_000
  const nlri = new Uint8Array(million * 4)
  for (let i = 0; i < million; i++) {
    const value = 0x01000000 + i * 256
    nlri.set([24, value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255], i * 4)
  }
  const table = new PrefixTable(ipv4Unicast)
  let longest = 0
  const start = clock()
  let mark = start
  for (let at = 0, i = 0; at < nlri.length; i++) {
    at = table.read(nlri, at)
    table.intern()
    if ((i & 255) === 0) {
      const now = clock()
      longest = Math.max(longest, now - mark)
      mark = now
    }
  }
  console.log(
    `a million prefixes into the table: ${(clock() - start).toFixed(0)} ms, longest step ${longest.toFixed(1)} ms, ` +
      `${(table.bytes / million).toFixed(1)} B each`,
  )
}

/** Updates of a table, made before the clock starts; each holds the prefixes of one attribute set. */
function updatesOf(
  asn: number,
  nextHop: number,
): { attributes: Uint8Array; bytes: Uint8Array; nextHop: Uint8Array }[] {
  return Array.from({ length: Math.ceil(count / perSet) }, (_, i) => {
    const entries = Array.from({ length: Math.min(perSet, count - i * perSet) }, (__, j) => ({
      prefix: { address: ipv4(0x01000000 + (i * perSet + j) * 256), length: 24 },
    }))
    const asns = [asn, 100 + (i % 5000), 20000 + (i % 7919), 40000 + i]
    const attributes = encodeAttributes(
      { origin: 'igp', asPath: [{ type: 'sequence', asns }], communities: [(asn << 16) | (i & 0xffff)] },
      plainContext,
    )
    return { attributes, bytes: nlriRun(ipv4Unicast, entries).bytes, nextHop: octets(nextHop) }
  })
}

tableAlone()
const tables = [updatesOf(65001, 0xc0000201), updatesOf(65002, 0xc0000202)]
const rib = createRib({ asn: 64512, routerId: 0x0a0000fe })
const peers = [65001, 65002, 65003].map((asn, i) => {
  const peer = rib.addPeer({ name: `AS ${asn}` })
  rib.peerUp(peer, {
    peerType: 'external',
    peerAsn: asn,
    peerRouterId: i + 1,
    families: [ipv4Unicast],
    receive: plainContext,
    send: plainContext,
    peerAddress: octets(0xc0000201 + i),
    local: { ipv4: octets(0xc00002fe) },
  })
  return peer
})
globalThis.gc?.()
const before = process.memoryUsage()
const start = clock()
let longest = 0
let pulled = 0
let inReceive = 0
let inWork = 0
let inPull = 0
const timed = <T>(run: () => T): [T, number] => {
  const from = clock()
  const value = run()
  const spent = clock() - from
  longest = Math.max(longest, spent)
  return [value, spent]
}
tables.forEach((updates, from) => {
  updates.forEach(({ attributes, bytes, nextHop }, i) => {
    const run = { afiSafi: ipv4Unicast, bytes, count: perSet, addPath: false, nextHop }
    inReceive += timed(() =>
      rib.receive(peers[from] ?? 0, {
        type: 'update',
        withdrawn: [],
        announced: [run],
        attributes,
        endOfRib: undefined,
        faults: [],
      }),
    )[1]
    if (i % 500 !== 499 && i !== updates.length - 1) return
    for (let more = true; more;) {
      const [busy, spent] = timed(() => rib.work(4, clock))
      inWork += spent
      more = busy
    }
    for (const peer of peers) {
      for (;;) {
        const [piece, spent] = timed(() => rib.pull(peer, 65536))
        inPull += spent
        if (piece === undefined) break
        pulled += piece.length
      }
    }
  })
})
const total = clock() - start
globalThis.gc?.()
const after = process.memoryUsage()
console.log(
  `2 × ${count} prefixes: ${total.toFixed(0)} ms (receive ${inReceive.toFixed(0)}, decide ${inWork.toFixed(0)}, ` +
    `pull ${inPull.toFixed(0)}), longest step ${longest.toFixed(1)} ms, ${megabytes(pulled)} sent`,
)
console.log(
  `memory: heap +${megabytes(after.heapUsed - before.heapUsed)}, buffers +${megabytes(after.arrayBuffers - before.arrayBuffers)}, ` +
    `rib says ${megabytes(rib.memory().bytes)}`,
)
console.log(rib.memory())
