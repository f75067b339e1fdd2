/** Runs outside of the rack: prints each line that arrives by a connection, with the time at which it did, in ms. */
import { createServer } from 'node:net'

const [, , port = '0'] = process.argv
createServer((socket) => {
  socket.on('error', () => undefined)
  const at = performance.timeOrigin + performance.now()
  socket.on('data', (chunk) => {
    socket.end()
    process.stdout.write(`${chunk.toString().trim()} ${String(at)}\n`)
  })
}).listen(Number(port), () => process.stdout.write('listening\n'))
