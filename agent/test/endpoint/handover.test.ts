import { PENDING_ANNOTATION } from '@network/datastore/model'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { HandoverRequest } from '../../src/client/handover.ts'
import { type Death, netns, node, nothing } from './node.ts'

const request = (
  id: string,
  handles: readonly string[],
  more: Partial<HandoverRequest> = {},
): HandoverRequest => ({
  id,
  orchestrator: 'docker',
  workload: id,
  endpoint: 'web',
  handles,
  network: 'web',
  ...more,
})
const who = {
  labels: { role: 'shop' },
  annotations: { 'drover.network/container-id': 'c' },
  profiles: ['web'],
}

t.test('from an address that waits to nothing', async (t) => {
  const { handover, hold, left } = await node(t)
  const handles = [await hold('four'), await hold('six', 'ipv6')]
  const mapping = { protocol: 'TCP', hostPort: 8080, port: 80 } as const
  const wanted = request('e1', handles, {
    portMappings: [mapping],
    defaultRoute: false,
    destinations: ['10.0.0.0/24'],
  })
  const { mac } = await handover.create(wanted)
  t.match(await left(), { handles: 2, endpoints: 1, addresses: 2, visible: 1 })
  const [pending] = handover.list('docker')
  t.match(pending, {
    metadata: { annotations: { [PENDING_ANNOTATION]: 'true', 'drover.network/destinations': '10.0.0.0/24' } },
    spec: { mac, handle: 'four', profiles: [], portMappings: [mapping], mtuBytes: 1500 },
  })
  t.match(pending?.spec.ipNetworks, [/^10\.0\.0\.\d+\/32$/, /^fd00::.*\/128$/])
  t.same(await handover.create(wanted), { mac }, 'again: the same answer')

  const offer = await handover.offer('e1')
  t.match(offer, { interfaceName: /^ofd/, mac, addresses: pending?.spec.ipNetworks })
  t.same(await handover.offer('e1'), offer)
  await handover.identify('e1', who)
  const [known] = handover.list()
  t.match(known?.metadata.labels, who.labels)
  t.same(known?.spec.profiles, ['web'])
  t.equal(known?.metadata.annotations?.[PENDING_ANNOTATION], undefined)
  t.equal(await handover.moved('e1', { netns, makesDefaultRoute: true }), 'eth0')
  t.match(handover.list('docker')[0]?.spec, { netns, containerInterface: 'eth0' })
  t.same(handover.list('cni'), [])
  t.equal((await left()).findings, 0)

  await handover.remove('e1')
  t.same(await left(), nothing)
  await handover.remove('e1')
  t.same(await left(), nothing, 'again: nothing happens')
})

t.test('what can not be', async (t) => {
  const { handover, hold, left, attach } = await node(t)
  await t.rejects(handover.create(request('e1', ['none'])), { code: 'not-found' })
  await t.rejects(handover.offer('e1'), { code: 'not-found' })
  await t.rejects(handover.identify('e1', who), { code: 'not-found' })
  await t.rejects(handover.moved('e1', { netns, makesDefaultRoute: true }), { code: 'not-found' })
  const handle = await hold('h')
  await handover.create(request('e1', [handle]))
  await t.rejects(
    handover.create(request('e2', [handle])),
    { code: 'taken' },
    'an address of another endpoint',
  )
  const other = await hold('other')
  await t.rejects(handover.create({ ...request('e3', [other]), workload: 'e1' }), { code: 'taken' })
  await t.rejects(handover.identify('e1', { ...who, labels: { 'not a label': 'x' } }), {
    code: 'invalid-request',
  })
  const attached = await attach({
    ...{ netns, containerId: 'c9', interfaceName: 'eth0' },
    orchestrator: 'cli',
    workload: 'w',
    endpoint: 'eth0',
  })
  t.ok(attached.addresses.length > 0)
  await t.rejects(
    handover.create(request('e4', ['c9:eth0:n1'])),
    { code: 'taken' },
    'an address of an attach',
  )
  t.match(await left(), { endpoints: 2, findings: 1 }, 'the address that nobody took is what the audit finds')
})

t.test('the kernel refuses', async (t) => {
  const { handover, hold, kernel, programmed, left } = await node(t)
  await handover.create(request('e1', [await hold('h')]))
  kernel.state.refuse = true
  await t.rejects(handover.offer('e1'), { code: 'kernel' })
  kernel.state.refuse = false
  programmed.refuse = true
  await t.rejects(handover.offer('e1'), { code: 'kernel' })
  programmed.refuse = false
  t.match(await handover.offer('e1'), { interfaceName: /^ofd/ })
  await handover.remove('e1')
  t.same(await left(), nothing)
})

t.test('an answer that was lost, a store that is away', async (t) => {
  const { handover, hold, faults, left, releases } = await node(t)
  const handles = [await hold('four'), await hold('six', 'ipv6')]
  faults.loseAnswer = true
  const { mac } = await handover.create(request('e1', handles))
  t.equal(handover.list('docker')[0]?.spec.mac, mac, 'it was carried out')
  await handover.offer('e1')
  faults.away = true
  await handover.remove('e1')
  t.match(await left().catch(() => undefined), undefined)
  t.same(handover.list('docker'), [], 'it counts no more')
  faults.away = false
  releases.replay()
  for (let tries = 0; tries < 100 && (await left()).handles > 0; tries++) await sleep(20)
  t.same(await left(), nothing, 'and is given back when the store is there')
})

t.test('an agent that dies at any step leaves what the next one removes', async (t) => {
  let steps = 0
  for (let died = true; died; steps++) {
    const death: Death = { stepsLeft: steps }
    const first = await node(t, { death })
    const life = (async () => {
      const handles = [await first.hold('four'), await first.hold('six', 'ipv6')]
      await first.handover.create(request('e1', handles))
      await first.handover.offer('e1')
      await first.handover.identify('e1', who)
      await first.handover.moved('e1', { netns, makesDefaultRoute: true })
    })()
    const outcome = { lived: false }
    void life.then(
      () => (outcome.lived = true),
      // What a dead agent was at runs into its deadlines, and nobody is there to hear of it.
      () => undefined,
    )
    while (!outcome.lived && death.stepsLeft >= 0) await sleep(2)
    died = !outcome.lived
    const next = await node(t, { earlier: first })
    await next.handover.remove('e1')
    await next.audit.run({ fix: true })
    t.same(await next.left(), nothing, `after ${String(steps)} steps`)
  }
  t.ok(steps > 20, `${String(steps)} steps`)
})
