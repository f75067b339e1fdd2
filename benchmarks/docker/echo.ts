/**
 * Runs within a namespace: answers every octet over TCP, or sends them one by one and prints the round trips in JSON, in
 * microseconds, ascending.
 */
import { connect, createServer } from 'node:net'

const [, , role = '', address = '', port = '0', rounds = '0'] = process.argv

if (role === 'serve') {
  createServer({ noDelay: true }, (socket) => socket.on('error', () => undefined).pipe(socket)).listen(
    Number(port),
    () => process.stdout.write('listening\n'),
  )
} else {
  const socket = connect({ host: address, port: Number(port), noDelay: true })
  const times: number[] = []
  let began = 0n
  const send = (): void => {
    began = process.hrtime.bigint()
    socket.write('.')
  }
  socket.on('connect', send)
  socket.on('data', () => {
    times.push(Number(process.hrtime.bigint() - began) / 1000)
    if (times.length < Number(rounds)) {
      send()
      return
    }
    socket.destroy()
    // The first ones meet code that is not compiled and neighbours that are not known.
    process.stdout.write(JSON.stringify(times.slice(Number(rounds) / 5).sort((a, b) => a - b)))
  })
  socket.on('error', (error) => {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  })
}
