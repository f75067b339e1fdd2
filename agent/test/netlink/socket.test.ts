import t from 'tap'
import { type NetlinkCalls, type Received } from '../../src/netlink/libc.ts'
import { type Message, type Request, decodeMessages, encodeMessage } from '../../src/netlink/codec/message.ts'
import { openNetlink } from '../../src/netlink/socket.ts'

type Reply = Partial<Message> | Uint8Array | { code: string } | 'from a stranger' | 'too long'

const request: Request = { type: 18, flags: 0, body: new Uint8Array(16) }
const dump: Request = { type: 18, flags: 0x300, body: new Uint8Array(16) }

function verdict(errno: number): Uint8Array {
  const body = new Uint8Array(20)
  new DataView(body.buffer).setInt32(0, -errno, true)
  return body
}

/** A kernel that answers what the test says; a message takes the sequence of the request at `sequence` if it is negative. */
function kernel(replies: (sent: readonly Message[]) => readonly Reply[]): NetlinkCalls & { closed: number } {
  let queue: Reply[] = []
  function take(buffer: Uint8Array): Received {
    const reply = queue.shift()
    if (reply === undefined) return { ok: false, code: 'EAGAIN' }
    if (reply === 'from a stranger') return { ok: true, length: 16, fromKernel: false }
    if (reply === 'too long') return { ok: true, length: buffer.length + 1, fromKernel: true }
    if ('code' in reply && !(reply instanceof Uint8Array)) return { ok: false, code: reply.code }
    const bytes =
      reply instanceof Uint8Array
        ? reply
        : encodeMessage({
            type: 2,
            flags: 0x100,
            sequence: 0,
            port: 0,
            body: verdict(0),
            ...reply,
          })
    buffer.set(bytes)
    return { ok: true, length: bytes.length, fromKernel: true }
  }
  const calls = {
    closed: 0,
    open: () => ({ ok: true as const, file: 9 }),
    send(_: number, bytes: Uint8Array) {
      const sent = decodeMessages(bytes)
      if (!sent.ok) throw new Error('the socket sent nonsense')
      queue = [...replies(sent.value)]
      return true
    },
    sendLater: (file: number, bytes: Uint8Array) => Promise.resolve(calls.send(file, bytes)),
    receive: (_: number, buffer: Uint8Array) => take(buffer),
    receiveLater: (_: number, buffer: Uint8Array) => Promise.resolve(take(buffer)),
    close: () => {
      calls.closed++
    },
    monotonic: () => 0,
    describe: (errno: number) => ({ code: `E${String(errno)}`, words: `error ${String(errno)}` }),
  }
  return calls
}

void t.test('answers find their requests by sequence alone', async (t) => {
  const socket = openNetlink(
    kernel((sent) => [
      { sequence: 77, body: verdict(1) },
      'from a stranger',
      { code: 'EINTR' },
      { sequence: sent[1]!.sequence, body: verdict(17) },
      { sequence: sent[1]!.sequence, body: verdict(0) },
      { sequence: sent[0]!.sequence, type: 16, body: new Uint8Array([1, 2, 3, 4]) },
      { sequence: sent[0]!.sequence },
    ]),
  )
  t.match(await socket.exchange([request, request]), [
    { ok: true, messages: [{ body: new Uint8Array([1, 2, 3, 4]) }] },
    { ok: false, code: 'E17', words: 'error 17' },
  ])
})

void t.test('what can not be an answer ends the call and not the process', async (t) => {
  const own = (sent: readonly Message[]): number => sent[0]!.sequence
  const cases: [what: string, code: string, replies: (sent: readonly Message[]) => readonly Reply[]][] = [
    ['silence', 'netlink-lost', () => []],
    ['an overflow, then silence', 'netlink-lost', () => [{ code: 'ENOBUFS' }]],
    ['an error of the socket', 'netlink-lost', () => [{ code: 'EBADF' }]],
    ['an overrun message', 'netlink-lost', (sent) => [{ type: 4, sequence: own(sent) }]],
    ['only strangers', 'netlink-lost', () => Array<Reply>(5000).fill('from a stranger')],
    ['only empty datagrams', 'netlink-lost', () => Array<Reply>(5000).fill(new Uint8Array(0))],
    ['half a header', 'netlink-malformed', () => [new Uint8Array(7)]],
    ['a length of zero', 'netlink-malformed', () => [new Uint8Array(16)]],
    ['a datagram longer than the buffer', 'netlink-malformed', () => ['too long']],
    ['a short verdict', 'netlink-malformed', (sent) => [{ sequence: own(sent), body: new Uint8Array(3) }]],
  ]
  for (const [what, code, replies] of cases) {
    await t.rejects(openNetlink(kernel(replies)).exchange([request]), { code }, what)
  }
  await t.rejects(openNetlink({ ...kernel(() => []), send: () => false }).exchange([request]), {
    code: 'netlink-not-sent',
  })
  t.throws(() => openNetlink({ ...kernel(() => []), open: () => ({ ok: false, code: 'EMFILE' }) }), {
    code: 'netlink-unavailable',
  })
})

void t.test('an overflow that lost nothing of ours is no failure', async (t) => {
  const socket = openNetlink(kernel((sent) => [{ code: 'ENOBUFS' }, { sequence: sent[0]!.sequence }]))
  t.match(await socket.exchange([request]), [{ ok: true }])
})

void t.test('a dump comes in parts, and again if the kernel changed meanwhile', async (t) => {
  let asked = 0
  const parts = (sent: readonly Message[], flags: number): Reply[] => {
    const { sequence } = sent[0]!
    return [
      { sequence, type: 16, flags: 2, body: new Uint8Array([asked, 0, 0, 0]) },
      { sequence, type: 16, flags: 2 | flags, body: new Uint8Array([asked, 1, 0, 0]) },
      { sequence, type: 3, flags: 2, body: new Uint8Array(4) },
    ]
  }
  const unsteady = openNetlink(kernel((sent) => parts(sent, ++asked < 3 ? 0x10 : 0)))
  t.match(await unsteady.dump(dump), { ok: true, messages: [{ body: { 0: 3 } }, { body: { 0: 3, 1: 1 } }] })
  t.equal(asked, 3)
  await t.rejects(openNetlink(kernel((sent) => parts(sent, 0x10))).dump(dump), { code: 'netlink-unsteady' })
  const refused = openNetlink(kernel((sent) => [{ sequence: sent[0]!.sequence, body: verdict(95) }]))
  t.match(await refused.dump(dump), { ok: false, code: 'E95' })
})

void t.test('a socket is closed once, after the call under way', async (t) => {
  const calls = kernel((sent) => [{ sequence: sent[0]!.sequence }])
  const socket = openNetlink(calls)
  const answer = socket.exchange([request], { later: true })
  socket.close()
  socket.close()
  t.match(await answer, [{ ok: true }])
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(calls.closed, 1)
  await t.rejects(socket.exchange([request]), TypeError)
})
