/** Whoever serves DHCP on this host, or relays it: as far as the kernel tells. */
import { readFile } from 'node:fs/promises'
import type { Clock } from '@network/net'

/** Port 67 as /proc/net/udp has it. */
const SERVER_PORT = ':0043'
const LOOK_MS = 25
const LONGEST_MS = 1_000

/**
 * Resolves when what was sent to a server of this host has been read, or after a second. DHCPRELEASE has no answer (RFC 2131,
 * section 4.4.6), and a server forgets one whose interface is gone when it comes to it.
 */
export async function heardByServer(clock: Clock): Promise<void> {
  const end = clock.monotonic() + LONGEST_MS
  // Twice: what has left an interface may not have come to its socket, and what was read may not be judged yet.
  for (let quiet = 0; quiet < 2 && clock.monotonic() < end;) {
    await new Promise<void>((resolve) => void clock.setTimeout(resolve, LOOK_MS))
    quiet = waitsToBeRead(await readFile('/proc/net/udp', 'utf8')) ? 0 : quiet + 1
  }
}

/** Whether a socket of the server's port has something in its queue: proc(5), `tx_queue:rx_queue` of /proc/net/udp. */
export function waitsToBeRead(sockets: string): boolean {
  return sockets
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .some(([, local = '', , , queues = '']) => local.endsWith(SERVER_PORT) && !/:0+$/.test(queues))
}
