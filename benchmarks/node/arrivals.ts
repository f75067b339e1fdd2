/**
 * Runs within a node of the lab, or in a workload there. It reads addresses from standard input, one a line, and sends UDP to
 * a closed port of each, every millisecond, until the port's host refuses it: then a packet has arrived there, without a
 * program of ours in the workload. It answers `ADDRESS NANOSECONDS`, by the machine's monotonic clock.
 */
import { type Socket, createSocket } from 'node:dgram'
import { createInterface } from 'node:readline'

const closedPort = 9
const everyMs = 1

function onArrival(address: string, arrived: (at: bigint) => void): void {
  const open = (): void => {
    const socket: Socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    let timer: NodeJS.Timeout | undefined
    let over = false
    const end = (): boolean => {
      if (over) return false
      over = true
      clearInterval(timer)
      socket.close()
      return true
    }
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const at = process.hrtime.bigint()
      if (!end()) return
      if (error.code === 'ECONNREFUSED') arrived(at)
      // No route yet, or a router said so.
      else setTimeout(open, everyMs)
    })
    socket.connect(closedPort, address, () => {
      timer = setInterval(() => socket.send(''), everyMs)
      socket.send('')
    })
  }
  open()
}

createInterface({ input: process.stdin }).on('line', (address) => {
  onArrival(address, (at) => process.stdout.write(`${address} ${String(at)}\n`))
})
