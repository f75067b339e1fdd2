import t from 'tap'
import { createHostSockets } from '../../src/netlink/host-socket.ts'
import type { NetlinkSocket } from '../../src/netlink/socket.ts'

function sockets() {
  const made: { closed: boolean; fails: boolean }[] = []
  const open = createHostSockets((): NetlinkSocket => {
    const state = { closed: false, fails: false }
    made.push(state)
    return {
      exchange: () => (state.fails ? Promise.reject(new Error('lost')) : Promise.resolve([])),
      dump: () => Promise.resolve({ ok: true, messages: [] }),
      close: () => {
        state.closed = true
      },
    }
  })
  return { made, open }
}
const dump = { type: 18, flags: 0x300, body: new Uint8Array(16) }

t.test('one after another use one socket, at once each has its own', async (t) => {
  const { made, open } = sockets()
  for (let i = 0; i < 3; i++) {
    const socket = open()
    await socket.exchange([])
    socket.close()
    socket.close()
  }
  t.same(made, [{ closed: false, fails: false }])
  const [a, b] = [open(), open()]
  t.equal(made.length, 2)
  a.close()
  b.close()
  const again = [open(), open(), open()]
  t.equal(made.length, 3, 'no socket is given twice')
  for (const socket of again) socket.close()
})

t.test('one on which an exchange failed is closed, and another one opened', async (t) => {
  const { made, open } = sockets()
  const socket = open()
  const [state] = made
  if (state !== undefined) state.fails = true
  await t.rejects(socket.exchange([]), { message: 'lost' })
  socket.close()
  t.equal(state?.closed, true)
  open().close()
  t.equal(made.length, 2)
})

t.test('only a few are kept, and one that was closed answers nothing', async (t) => {
  const { made, open } = sockets()
  const one = open()
  for (const socket of [one, ...Array.from({ length: 9 }, open)]) socket.close()
  t.equal(made.length, 10)
  t.equal(made.filter(({ closed }) => !closed).length, 4)
  await t.rejects(one.dump(dump), TypeError)
})
