import { Metadata, Server, ServerCredentials, credentials, status } from '@grpc/grpc-js'
import t from 'tap'
import { Member } from '../../../src/store/etcd/member.ts'
import { systemClock } from '../../modules.ts'

/*
 * What etcd3 does on its own after a failed call must not happen: a call is sent once, its status arrives unchanged,
 * and the connection stays for the others. The server here refuses every transaction and holds every watch open.
 */

const buffers = {
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (value: Buffer) => value,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (value: Buffer) => value,
}

await t.test('a refused call is sent once, and disturbs nobody', async (t) => {
  let verdict: { code: status; details: string } = { code: status.UNKNOWN, details: '' }
  let received: Metadata[] = []
  const server = new Server()
  server.addService(
    { txn: { path: '/etcdserverpb.KV/Txn', requestStream: false, responseStream: false, ...buffers } },
    {
      txn: (call: { metadata: Metadata }, answer: (error: object) => void) => {
        received.push(call.metadata)
        answer(verdict)
      },
    },
  )
  server.addService(
    { watch: { path: '/etcdserverpb.Watch/Watch', requestStream: true, responseStream: true, ...buffers } },
    { watch: (stream: { on(event: 'data', listener: () => void): void }) => stream.on('data', () => {}) },
  )
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    )
  })
  const address = `127.0.0.1:${port}`
  const member = new Member(
    { clock: systemClock },
    { endpoint: { url: `http://${address}`, address }, credentials: credentials.createInsecure() },
  )
  t.teardown(() => {
    member.close()
    server.forceShutdown()
  })
  t.equal(await member.connect(2000), undefined)
  const watch = await member.openStream((etcd, options) => etcd.watchClient.watch(options), new Metadata())
  watch.write({ create_request: { key: Buffer.from('/a') } })

  const verdicts: [code: status, details: string][] = [
    [status.UNAUTHENTICATED, 'etcdserver: invalid auth token'],
    [status.PERMISSION_DENIED, 'etcdserver: permission denied'],
    [status.UNAVAILABLE, 'etcdserver: no leader'],
    [status.UNAVAILABLE, 'etcdserver: request timed out'],
    [status.RESOURCE_EXHAUSTED, 'etcdserver: too many requests'],
    [status.DEADLINE_EXCEEDED, 'context deadline exceeded'],
    [status.INTERNAL, 'boom'],
    [status.CANCELLED, 'cancelled'],
    [status.ABORTED, 'aborted'],
    [status.UNKNOWN, 'unknown'],
  ]
  for (const [code, details] of verdicts) {
    verdict = { code, details }
    received = []
    const metadata = new Metadata()
    metadata.set('token', 'secret')
    const answer = await member.call((etcd, options) => etcd.kv.txn({}, options), metadata, 2000)
    t.same(answer, { ok: false, code, text: details, timedOut: false })
    t.same(
      received.map((given) => given.get('token')),
      [['secret']],
      `${details}: sent once, with the token`,
    )
    t.equal(member.isReady(), true, `${details}: the connection stands`)
    t.equal(watch.status, undefined, `${details}: the watch goes on`)
  }
  watch.cancel('enough')
  await t.rejects(watch.responses[Symbol.asyncIterator]().next())
  t.same(watch.status, { code: status.CANCELLED, details: 'enough' })
})

await t.test('a member that is closed sends nothing', async (t) => {
  const endpoint = { url: 'http://127.0.0.1:9', address: '127.0.0.1:9' }
  const member = new Member({ clock: systemClock }, { endpoint, credentials: credentials.createInsecure() })
  member.close()
  t.equal(await member.connect(100), 'closed')
  const answer = await member.call((etcd, options) => etcd.kv.range({}, options), new Metadata(), 100)
  t.equal(answer.ok, false)
})
