import { spawnSync } from 'node:child_process'
import t from 'tap'
import { createEtcdStore } from '../../src/store/etcd.ts'
import { requireProgram, startEtcd } from '../etcd-process.ts'
import { silentLog, systemClock } from '../modules.ts'
import { runCompliance } from './compliance.ts'

await t.test('compliance', async (t) => {
  requireProgram('etcdctl', 'etcd-client', 'version')
  const cluster = await startEtcd()
  const store = createEtcdStore({ clock: systemClock, log: silentLog }, { endpoints: cluster.endpoints })
  t.teardown(async () => {
    await store.close()
    await cluster.remove()
  })
  await runCompliance(t, {
    store,
    compact(revision) {
      etcdctl(cluster.endpoints, 'compact', String(revision))
      return Promise.resolve()
    },
  })
})

function etcdctl(endpoints: string[], ...args: string[]): void {
  const { status, stderr } = spawnSync('etcdctl', ['--endpoints', endpoints.join(','), ...args], {
    env: { ...process.env, ETCDCTL_API: '3' },
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`etcdctl ${args.join(' ')}: ${stderr}`)
}
