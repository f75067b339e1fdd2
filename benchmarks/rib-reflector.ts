/**
 * A reflector's RIB alone: N clients announce a few prefixes each, everything is decided, and every client pulls all
 * that the others said. No sockets: this is the floor under the time of the whole speaker.
 * Usage: node --import=tsx --conditions=@network/source benchmarks/rib-reflector.ts [clients] [prefixes each]
 */
import { addressToBytes, ipv4 } from '@network/net'
import { type Update, encodeAttributes, ipv4Unicast, nlriRun, plainContext } from '@network/bgp/codec'
import { createRib } from '../bgp/src/rib/create-rib.ts'

const clients = Number(process.argv[2] ?? 500)
const each = Number(process.argv[3] ?? 10)
const internal = { ...plainContext, peerType: 'internal' } as const
const octets = (address: number): Uint8Array => addressToBytes(ipv4(address))

const block = encodeAttributes({ origin: 'igp', asPath: [], localPref: 100 }, internal)
const updates = Array.from({ length: clients }, (_, client): Update => {
  const entries = Array.from({ length: each }, (__, i) => ({
    prefix: { address: ipv4(0x0a000000 + (client * each + i) * 64), length: 26 },
  }))
  return {
    type: 'update',
    withdrawn: [],
    announced: [nlriRun(ipv4Unicast, entries, octets(0xc0a80000 + client + 1))],
    attributes: block,
    endOfRib: undefined,
    faults: [],
  }
})
const withdrawals = updates.map((update): Update => {
  const withdrawn = update.announced.map((run) => ({ ...run, nextHop: undefined }))
  return { ...update, withdrawn, announced: [], attributes: undefined }
})

const rib = createRib({ asn: 64512, routerId: 0x0a0000fe })
const clock = (): number => performance.now()
const peers = updates.map((_, client) => {
  const peer = rib.addPeer({ name: `client ${client}`, routeReflectorClient: true })
  rib.peerUp(peer, {
    peerType: 'internal',
    peerAsn: 64512,
    peerRouterId: 0x0b000000 + client,
    families: [ipv4Unicast],
    receive: internal,
    send: internal,
    peerAddress: octets(0xc0a80000 + client + 1),
    local: { ipv4: octets(0xc0a8ffff) },
  })
  return peer
})

function pullAll(): { bytes: number; pieces: number } {
  let bytes = 0
  let pieces = 0
  for (const peer of peers) {
    for (let piece = rib.pull(peer, 65536); piece !== undefined; piece = rib.pull(peer, 65536)) {
      bytes += piece.length
      pieces++
    }
  }
  return { bytes, pieces }
}

function phase(name: string, messages: readonly Update[]): void {
  const start = clock()
  messages.forEach((update, i) => rib.receive(peers[i] ?? 0, update))
  const received = clock()
  while (rib.work(4, clock));
  const decided = clock()
  const { bytes, pieces } = pullAll()
  const end = clock()
  console.log(
    `${name}: receive ${(received - start).toFixed(1)} ms, decide ${(decided - received).toFixed(1)} ms, ` +
      `pull ${(end - decided).toFixed(1)} ms: ${(bytes / 1e6).toFixed(1)} MB in ${pieces} pieces`,
  )
}

pullAll()
const heapBefore = process.memoryUsage()
phase('announce', updates)
const heap = process.memoryUsage()
console.log(
  `heap +${((heap.heapUsed - heapBefore.heapUsed) / 1e6).toFixed(1)} MB, ` +
    `buffers +${((heap.arrayBuffers - heapBefore.arrayBuffers) / 1e6).toFixed(1)} MB, ` +
    `rib says ${(rib.memory().bytes / 1e6).toFixed(1)} MB`,
)
phase('withdraw', withdrawals)
phase('announce again', updates)
console.log(rib.memory())

/** As sockets give it: a few clients' updates per turn of the event loop, then everybody pulls. */
function trickle(messages: readonly Update[], perTurn: number): void {
  const start = clock()
  let bytes = 0
  let pieces = 0
  for (let at = 0; at < messages.length; at += perTurn) {
    messages.slice(at, at + perTurn).forEach((update, i) => rib.receive(peers[at + i] ?? 0, update))
    while (rib.work(4, clock));
    const pulled = pullAll()
    bytes += pulled.bytes
    pieces += pulled.pieces
  }
  console.log(
    `${perTurn} updates per turn: ${(clock() - start).toFixed(1)} ms: ${(bytes / 1e6).toFixed(1)} MB in ${pieces} pieces`,
  )
}

trickle(withdrawals, 20)
trickle(updates, 20)
