import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { createAllocator, createEtcdStore, createResources } from '@network/datastore'
import { draftResource } from '@network/datastore/model'
import { test } from 'tap'
import { startEtcd } from '../../datastore/test/etcd-process.ts'
import { silentLog, systemClock } from '../../datastore/test/modules.ts'

const nodes = 50
const processes = 5
const perNode = 200

interface Played {
  addresses: Record<string, string>
  kills: number
}

/** Plays some nodes in a process that is killed with -9 again and again before it may finish. */
async function play(endpoint: string, first: number, count: number, kills: number): Promise<Played> {
  const script = path.join(import.meta.dirname, 'allocation-race', 'nodes.ts')
  for (let killed = 0; ; killed++) {
    const child = spawn(
      process.execPath,
      [...process.execArgv, script, endpoint, String(first), String(count), String(perNode)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const mayLive = killed >= kills
    const timer = mayLive ? undefined : setTimeout(() => child.kill('SIGKILL'), 800 + Math.random() * 1800)
    const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve))
    clearTimeout(timer)
    if (exitCode === 0)
      return { ...(JSON.parse(said) as { addresses: Record<string, string> }), kills: killed }
    if (mayLive) throw new Error(`the process of node ${String(first)} ended with ${String(exitCode)}`)
  }
}

test('50 nodes race for 10,000 addresses on a real etcd, and their processes are killed with -9 meanwhile', async (t) => {
  const etcd = await startEtcd()
  t.teardown(() => etcd.remove())
  const [endpoint = ''] = etcd.endpoints
  const store = createEtcdStore({ clock: systemClock, log: silentLog }, { endpoints: [endpoint] })
  t.teardown(() => store.close())
  const resources = createResources({ store, clock: systemClock, uuid: randomUUID })
  // 10,240 addresses: in the end nodes borrow from one another's blocks.
  await resources.apply([
    draftResource('IPPool', 'p', { cidr: '10.0.0.0/19' }),
    draftResource('IPPool', 'q', { cidr: '10.1.0.0/21' }),
  ])

  const share = nodes / processes
  const played = await Promise.all(
    Array.from({ length: processes }, (_unused, i) => play(endpoint, i * share, share, 3)),
  )
  const kills = played.reduce((sum, each) => sum + each.kills, 0)
  t.ok(kills >= processes, `${String(kills)} processes were killed`)
  const addresses = played.flatMap((each) => Object.values(each.addresses))
  t.equal(addresses.length, nodes * perNode)
  t.equal(new Set(addresses).size, nodes * perNode, 'every address once')

  const allocator = createAllocator(
    { store, clock: systemClock, random: Math.random, log: silentLog },
    { node: 'auditor' },
  )
  const report = await allocator.audit()
  t.equal(report.checked.endpoints, nodes * perNode)
  await allocator.repair(report, { immediate: true })
  const after = await allocator.audit()
  t.same(after.findings, [], 'nothing is leaked after the audit')
  t.equal(after.checked.addresses, nodes * perNode)
  await allocator.close()
})
