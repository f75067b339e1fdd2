import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { createEtcdStore, type EtcdStoreOptions } from '../../../src/store/etcd.ts'
import { type Store } from '../../../src/store/store.ts'
import { requireProgram, startEtcd } from '../../etcd-process.ts'
import { silentLog, systemClock } from '../../modules.ts'
import { collect, failsWith, put } from '../store-calls.ts'

function connect(options: EtcdStoreOptions): Store {
  return createEtcdStore({ clock: systemClock, log: silentLog }, { deadlineMs: 3000, ...options })
}

interface Authority {
  caFile: string
  /** Issues a certificate for a name, valid for 127.0.0.1 unless another address is given. */
  issue(name: string, address?: string): { certFile: string; keyFile: string }
}

function createAuthority(folder: string, name: string): Authority {
  const openssl = (...args: string[]): void => {
    const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`)
  }
  const caFile = join(folder, `${name}.crt`)
  const caKey = join(folder, `${name}.key`)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...newKey, '-keyout', caKey, '-out', caFile, '-subj', `/CN=${name}`, '-days', '2')
  return {
    caFile,
    issue(subject, address = '127.0.0.1') {
      const stem = join(folder, `${name}-${subject}`)
      const [certFile, keyFile, request, extensions] = ['crt', 'key', 'csr', 'ext'].map(
        (end) => `${stem}.${end}`,
      )
      writeFileSync(extensions!, `subjectAltName=IP:${address}\n`)
      openssl('req', ...newKey, '-keyout', keyFile!, '-out', request!, '-subj', `/CN=${subject}`)
      openssl(
        ...['x509', '-req', '-in', request!, '-CA', caFile, '-CAkey', caKey, '-CAcreateserial'],
        ...['-out', certFile!, '-days', '2', '-extfile', extensions!],
      )
      return { certFile: certFile!, keyFile: keyFile! }
    },
  }
}

await t.test('TLS', async (t) => {
  requireProgram('openssl', 'openssl', 'version')
  const folder = mkdtempSync(join(tmpdir(), 'drover-tls-'))
  const authority = createAuthority(folder, 'authority')
  const stranger = createAuthority(folder, 'stranger')
  const server = authority.issue('etcd')
  const client = authority.issue('node-1')
  const foreign = stranger.issue('node-1')
  const { caFile } = authority
  const cluster = await startEtcd({ tls: { caFile, ...server, requireClientCertificate: true } })
  const elsewhere = await startEtcd({
    tls: { caFile, ...authority.issue('elsewhere', '127.0.0.2'), requireClientCertificate: false },
  })
  t.teardown(async () => {
    await cluster.remove()
    await elsewhere.remove()
    rmSync(folder, { recursive: true })
  })
  const { endpoints } = cluster

  await t.test('with the right certificates all works', async (t) => {
    const store = connect({ endpoints, caFile, ...client })
    const start = await put(store, '/tls', 'v')
    t.equal((await store.get('/tls'))?.value, 'v')
    const changes = collect(store.watch('/', { fromRevision: start - 1 }), () => true)
    t.equal((await changes).length, 1)
    await (await store.lease(5)).revoke()
    await store.close()
  })

  const refused: Record<string, EtcdStoreOptions> = {
    'no client certificate': { endpoints, caFile },
    'a client certificate of a stranger': { endpoints, caFile, ...foreign },
    'an authority that did not sign the member': { endpoints, caFile: stranger.caFile, ...client },
    'no authority given': { endpoints, ...client },
    'a certificate for another address': { endpoints: elsewhere.endpoints, caFile },
  }
  for (const [name, options] of Object.entries(refused)) {
    await t.test(`${name}: refused as such`, async (t) => {
      const store = connect(options)
      const begin = performance.now()
      const error = await failsWith(t, store.get('/tls'), 'certificate')
      t.match(error.message, options.endpoints[0]!)
      t.ok(error.remedy)
      t.ok(performance.now() - begin < 2500, 'without waiting for the deadline')
      await failsWith(
        t,
        collect(store.watch('/', { fromRevision: 1 }), () => false),
        'certificate',
      )
      await store.close()
    })
  }

  await t.test('http spoken to a TLS endpoint fails within the deadline', async (t) => {
    const store = connect({ endpoints: endpoints.map((endpoint) => endpoint.replace('https', 'http')) })
    await failsWith(t, store.get('/tls'), 'unreachable')
    await store.close()
  })
})

await t.test('user, password and role', async (t) => {
  requireProgram('etcdctl', 'etcd-client', 'version')
  const cluster = await startEtcd({ flags: ['--auth-token-ttl', '1'] })
  t.teardown(() => cluster.remove())
  const { endpoints } = cluster
  const etcdctl = (...args: string[]): void => {
    const { status, stderr } = spawnSync('etcdctl', ['--endpoints', endpoints.join(','), ...args], {
      env: { ...process.env, ETCDCTL_API: '3' },
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`etcdctl ${args.join(' ')}: ${stderr}`)
  }

  await t.test('a login that nobody asks for does no harm', async (t) => {
    const store = connect({ endpoints, username: 'root', password: 'x' })
    await put(store, '/free', 'v')
    t.equal((await store.get('/free'))?.value, 'v')
    await store.close()
  })

  etcdctl('user', 'add', 'root:rootpw')
  etcdctl('user', 'grant-role', 'root', 'root')
  etcdctl('user', 'add', 'node:nodepw')
  etcdctl('role', 'add', 'own')
  etcdctl('role', 'grant-permission', 'own', 'readwrite', '/own/', '--prefix=true')
  etcdctl('user', 'grant-role', 'node', 'own')
  etcdctl('auth', 'enable')

  await t.test('wrong or missing login', async (t) => {
    for (const login of [
      {},
      { username: 'node', password: 'no' },
      { username: 'nobody', password: 'nodepw' },
    ]) {
      const store = connect({ endpoints, ...login })
      const error = await failsWith(t, store.get('/own/a'), 'authentication')
      t.ok(error.remedy)
      t.notMatch(error.message, 'nodepw')
      await failsWith(t, put(store, '/own/a', 'v'), 'authentication')
      await store.close()
    }
  })

  await t.test('a role confines, also after the token has expired', async (t) => {
    const store = connect({ endpoints, username: 'node', password: 'nodepw' })
    const start = await put(store, '/own/a', 'v')
    const denied = async (): Promise<void> => {
      await failsWith(t, store.get('/foreign/a'), 'permission')
      await failsWith(t, put(store, '/foreign/a', 'v'), 'permission')
      await failsWith(
        t,
        store.transact({ when: [], then: [{ put: '/own/b', value: '' }, { delete: '/foreign/a' }] }),
        'permission',
      )
      await failsWith(
        t,
        collect(store.watch('/foreign/', { fromRevision: start }), () => false),
        'permission',
      )
    }
    await denied()
    t.equal(await store.get('/own/b'), undefined)
    await sleep(3500)
    t.equal((await store.get('/own/a'))?.value, 'v')
    await sleep(3500)
    await put(store, '/own/a', 'w')
    await sleep(3500)
    const batches = collect(store.watch('/own/', { fromRevision: start }), (changes) => changes.length > 0)
    t.equal((await batches).length, 1)
    await denied()
    await store.close()
  })
})
