import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createEtcdStore, type EtcdStoreOptions } from '../../../src/store/etcd.ts'
import { StoreError } from '../../../src/store/store.ts'
import { silentLog, systemClock } from '../../modules.ts'

const folder = mkdtempSync(join(tmpdir(), 'drover-options-'))
t.teardown(() => rmSync(folder, { recursive: true }))
const missing = join(folder, 'missing.pem')
const notPem = join(folder, 'not.pem')
writeFileSync(notPem, 'hello')
const brokenPem = join(folder, 'broken.pem')
writeFileSync(brokenPem, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
const http = ['http://127.0.0.1:2379']
const https = ['https://127.0.0.1:2379']

const bad: { options: EtcdStoreOptions; names: string }[] = [
  { options: { endpoints: [] }, names: 'endpoint' },
  { options: { endpoints: [''] }, names: '""' },
  { options: { endpoints: ['127.0.0.1:2379'] }, names: '127.0.0.1:2379' },
  { options: { endpoints: ['localhost:2379'] }, names: 'localhost' },
  { options: { endpoints: ['ftp://127.0.0.1'] }, names: 'ftp' },
  { options: { endpoints: ['http://127.0.0.1:99999'] }, names: '99999' },
  { options: { endpoints: ['http://127.0.0.1:2379/v3'] }, names: '/v3' },
  { options: { endpoints: [...http, ...https] }, names: 'mix' },
  { options: { endpoints: http, deadlineMs: 0 }, names: '0 ms' },
  { options: { endpoints: http, deadlineMs: Number.NaN }, names: 'NaN' },
  { options: { endpoints: http, caFile: missing }, names: missing },
  { options: { endpoints: https, caFile: missing }, names: missing },
  { options: { endpoints: https, caFile: folder }, names: folder },
  { options: { endpoints: https, caFile: notPem }, names: notPem },
  { options: { endpoints: https, caFile: brokenPem }, names: brokenPem },
  { options: { endpoints: https, certFile: brokenPem }, names: 'keyFile' },
  { options: { endpoints: https, keyFile: brokenPem }, names: 'certFile' },
  { options: { endpoints: https, certFile: brokenPem, keyFile: notPem }, names: brokenPem },
  { options: { endpoints: http, username: 'node' }, names: 'password' },
  { options: { endpoints: http, password: 'secret' }, names: 'user name' },
]

for (const { options, names } of bad) {
  await t.test(JSON.stringify(options).replaceAll(folder, ''), (t) => {
    try {
      createEtcdStore({ clock: systemClock, log: silentLog }, options)
      t.fail('accepted')
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      t.equal(error.code, 'invalid-options')
      t.ok(error.message.includes(names), error.message)
      t.ok(error.remedy)
    }
    t.end()
  })
}

await t.test('a password in an endpoint is refused and not repeated', (t) => {
  try {
    createEtcdStore(
      { clock: systemClock, log: silentLog },
      { endpoints: ['http://node:secret@127.0.0.1:2379'] },
    )
    t.fail('accepted')
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    t.notMatch(error.message, 'secret')
  }
  t.end()
})

await t.test('good endpoints, with and without a port', async (t) => {
  for (const endpoint of [
    'http://127.0.0.1:2379',
    'http://etcd',
    'http://[::1]:2379/',
    'https://etcd.example:443',
  ]) {
    const store = createEtcdStore({ clock: systemClock, log: silentLog }, { endpoints: [endpoint] })
    t.ok(store)
    await store.close()
  }
})
