/*
 * A neighbour that announces a table over and over, as a program of its own: `table-feeder.ts OUR_ADDRESS AS ROUTES SECONDS`.
 * It dials, sends whole tables with other attributes each time until the seconds have passed, says how many on standard
 * output, and keeps the session until it is ended.
 */
import net from 'node:net'
import {
  encodeAttributes,
  encodeKeepalive,
  encodeOpen,
  encodeUpdate,
  ipv4Unicast,
  makeOpen,
  nlriRun,
  plainContext,
} from '@network/bgp/codec'
import { address } from '@network/net'

/** Prefixes with the same attributes, as in the tables of the Internet. */
const perSet = 6
const [host = '', asText = '', routesText = '', secondsText = ''] = process.argv.slice(2)
const asn = Number(asText)
const routes = Number(routesText)

const socket = net.connect({ host, port: 179, noDelay: true })
const send = (bytes: Uint8Array): Promise<unknown> => new Promise((resolve) => socket.write(bytes, resolve))
await new Promise((resolve) => socket.once('connect', resolve))
const own = socket.localAddress ?? ''
const nextHop = Uint8Array.from(own.split('.').map(Number))

/** One table; `round` is in its communities. */
function table(round: number): Buffer {
  const messages: Uint8Array[] = []
  for (let at = 0; at < routes; at += perSet) {
    const prefixes = Array.from({ length: Math.min(perSet, routes - at) }, (_, i) => ({
      prefix: {
        address: { family: 'ipv4', w0: 0x14000000 + (at + i) * 256, w1: 0, w2: 0, w3: 0 },
        length: 24,
      },
    })) satisfies Parameters<typeof nlriRun>[1]
    const attributes = encodeAttributes(
      {
        origin: 'igp',
        asPath: [{ type: 'sequence', asns: [asn, 1 + (at % 60_000)] }],
        nextHop: address(own),
        communities: [(asn << 16) | round],
      },
      plainContext,
    )
    messages.push(
      encodeUpdate({ announced: [nlriRun(ipv4Unicast, prefixes, nextHop)], attributes }, plainContext),
    )
  }
  return Buffer.concat(messages)
}

const capabilities = [
  { kind: 'multiprotocol', afiSafi: ipv4Unicast },
  { kind: 'as4', asn },
] as const
await send(encodeOpen(makeOpen({ asn, routerId: 0x0a636363, holdTimeSeconds: 90, capabilities })))
await send(encodeKeepalive())
socket.resume()
setInterval(() => void send(encodeKeepalive()), 5000)

const tables = [table(0), table(1), table(2)]
const began = performance.now()
let rounds = 0
while (performance.now() - began < Number(secondsText) * 1000)
  await send(tables[rounds++ % tables.length] ?? Buffer.of())
process.stdout.write(`sent ${String(rounds)} tables\n`)
