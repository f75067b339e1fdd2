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
  const { handover, hold, left, protectedKeys } = await node(t)
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
  t.equal(protectedKeys.size, 0, 'a pending endpoint has no policy to wait for')
  await handover.identify('e1', who)
  t.equal(protectedKeys.size, 1, 'one that is known waits for its own')
  const [known] = handover.list()
  t.match(known?.metadata.labels, who.labels)
  t.same(known?.spec.profiles, ['web'])
  t.equal(known?.metadata.annotations?.[PENDING_ANNOTATION], undefined)
  t.equal(await handover.moved('e1', { netns, makesDefaultRoute: true }), 'eth0')
  t.match(handover.list('docker')[0]?.spec, { netns, containerInterface: 'eth0' })
  await handover.annotate('e1', { note: 'first' })
  t.match(handover.list('docker')[0], {
    metadata: {
      labels: who.labels,
      annotations: { note: 'first', 'drover.network/destinations': '10.0.0.0/24' },
    },
    spec: { netns, profiles: ['web'] },
  })
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
  await t.rejects(handover.annotate('e1', { note: 'none' }), { code: 'not-found' })
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

const reservation = { name: 'shop@web' }

t.test('addresses of a reservation, known from the beginning', async (t) => {
  const { handover, hold, left, kernel, allocator } = await node(t)
  const addressesOf = (id: string): readonly string[] =>
    handover.list().find(({ spec }) => spec.containerID === id)?.spec.ipNetworks ?? []
  const wanted = request('e1', [await hold('four'), await hold('six', 'ipv6')], { reservation })
  await handover.create(wanted)
  await handover.create(wanted)
  const first = addressesOf('e1')
  t.match(
    first,
    [/^10\..*\/32$/, /^fd00.*\/128$/, /^10\..*\/32$/, /^fd00.*\/128$/],
    'one of each family more',
  )
  t.equal(new Set(first).size, 4)
  t.same((await handover.offer('e1')).addresses, first.slice(0, 2), 'the runtime hears of its own only')
  await handover.moved('e1', { netns, makesDefaultRoute: true })
  const texts = first.map((network) => network.replace(/\/.*/, ''))
  t.same([...kernel.awaited.values()], [texts.slice(0, 2)], 'nor is it waited for the others')
  t.same([...kernel.wired.values()], [texts])
  await handover.identify('e1', { ...who, reservation: { name: 'another' } })
  t.same(addressesOf('e1'), first, 'what it was made with it keeps')
  t.match(await left(), { handles: 3, endpoints: 1, addresses: 4, findings: 0 })

  const waiting = await hold('later')
  await t.rejects(handover.create(request('e2', [waiting], { reservation })), {
    code: 'taken',
    message: /Reservation 'shop@web' is in use/,
  })
  t.match(
    await left(),
    { handles: 4, endpoints: 1, addresses: 5 },
    'the second is refused, and nothing is made',
  )
  await handover.remove('e1')
  t.match(await left(), { handles: 1, endpoints: 0, addresses: 3 }, 'the reservation stays')
  await handover.create(request('e2', [waiting], { reservation }))
  t.same(addressesOf('e2').slice(1).sort(), first.slice(2).sort(), 'and gives the same to the next')
  await handover.remove('e2')
  await allocator.releaseReservation('shop@web')
  t.same(await left(), nothing)
})

t.test('addresses of a reservation that is known with the identity', async (t) => {
  const { handover, hold, left, kernel, allocator } = await node(t)
  const find = (id: string) => handover.list().find(({ spec }) => spec.containerID === id)
  for (const id of ['e1', 'e2', 'e3']) {
    await handover.create(request(id, [await hold(`four-${id}`)]))
    await handover.offer(id)
  }
  await handover.identify('e1', { ...who, reservation })
  const networks = find('e1')?.spec.ipNetworks ?? []
  t.equal(networks.length, 2)
  t.match(find('e1')?.metadata, {
    labels: who.labels,
    annotations: {
      'drover.network/reservation': 'shop@web',
      'drover.network/reserved-addresses': networks[1]?.replace('/32', ''),
    },
  })
  await handover.identify('e1', { ...who, reservation })
  t.same(find('e1')?.spec.ipNetworks, networks, 'again: the same')
  await handover.moved('e1', { netns, makesDefaultRoute: true })
  t.same(
    [...kernel.wired.values()].find((addresses) => addresses.length === 2),
    networks.map((network) => network.replace('/32', '')),
    'what the runtime knows nothing of comes into the workload',
  )

  await handover.moved('e2', { netns, makesDefaultRoute: true })
  await handover.identify('e2', { ...who, reservation })
  t.match(find('e2'), {
    metadata: {
      labels: who.labels,
      annotations: { 'drover.network/reservation-refused': /Reservation 'shop@web' is in use by .*e1/ },
    },
    spec: { profiles: ['web'], ipNetworks: [/./] },
  })
  t.equal(find('e2')?.spec.ipNetworks.length, 1, 'it runs without')
  await handover.remove('e1')
  await handover.identify('e2', { ...who, reservation })
  t.same(
    find('e2')?.spec.ipNetworks.slice(1),
    networks.slice(1),
    'identified again it gets what is free by then',
  )
  t.notOk('drover.network/reservation-refused' in (find('e2')?.metadata.annotations ?? {}))
  t.equal([...kernel.wired.values()].filter((addresses) => addresses.length === 2).length, 1, 'at once')

  await handover.identify('e3', { ...who, reservation: { name: 'not a name' } })
  t.match(find('e3')?.metadata.annotations, {
    'drover.network/reservation-refused': /'not a name' can't be the name of a reservation/,
  })
  t.equal((await left()).findings, 0)
  for (const id of ['e2', 'e3']) await handover.remove(id)
  await allocator.releaseReservation('shop@web')
  t.same(await left(), nothing)
})

const lives = {
  'an endpoint': {},
  'an endpoint with a reservation': { atCreation: { reservation } },
  'an endpoint whose reservation comes with its identity': { withIdentity: { reservation } },
} as const satisfies Record<string, { atCreation?: object; withIdentity?: object }>

for (const [what, more] of Object.entries<{ atCreation?: object; withIdentity?: object }>(lives)) {
  t.test(
    `an agent that dies at any step leaves what the next one completes or removes: ${what}`,
    async (t) => {
      const isReserved = Object.keys(more).length > 0
      let steps = 0
      for (let died = true; died; steps++) {
        const death: Death = { stepsLeft: steps }
        const first = await node(t, { death })
        const identity = { ...who, ...more.withIdentity }
        const life = (async () => {
          const handles = [await first.hold('four'), await first.hold('six', 'ipv6')]
          await first.handover.create(request('e1', handles, more.atCreation))
          await first.handover.offer('e1')
          await first.handover.identify('e1', identity)
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
        if (next.handover.list().length > 0) {
          await next.handover.offer('e1')
          await next.handover.identify('e1', identity)
          await next.handover.moved('e1', { netns, makesDefaultRoute: true })
          const addresses = next.handover
            .list()[0]
            ?.spec.ipNetworks.map((network) => network.replace(/\/.*/, ''))
          t.equal(addresses?.length, isReserved ? 4 : 2)
          t.same([...next.kernel.wired.values()], [addresses], `complete after ${String(steps)} steps`)
          t.match(await next.left(), { endpoints: 1, findings: 0 })
        }
        await next.handover.remove('e1')
        await next.audit.run({ fix: true })
        // Nobody has it any more: it is given back without a question.
        if (isReserved) await next.allocator.releaseReservation('shop@web').catch(ifMissing)
        t.same(await next.left(), nothing, `after ${String(steps)} steps`)
      }
      t.ok(steps > 20, `${String(steps)} steps`)
    },
  )
}

t.test('an agent that dies while it removes an endpoint keeps nobody from its reservation', async (t) => {
  let steps = 0
  for (let died = true; died; steps++) {
    const death: Death = { stepsLeft: Infinity }
    const first = await node(t, { death })
    await first.handover.create(request('e1', [await first.hold('four')], { reservation }))
    await first.handover.offer('e1')
    death.stepsLeft = steps
    const outcome = { lived: false }
    void first.handover.remove('e1').then(
      () => (outcome.lived = true),
      () => undefined,
    )
    while (!outcome.lived && death.stepsLeft >= 0) await sleep(2)
    died = !outcome.lived
    const next = await node(t, { earlier: first })
    const [kept] = await next.allocator.reservations()
    const isThere = next.handover.list().length > 0
    t.equal(
      kept?.heldBy !== undefined,
      isThere,
      `held as long as the endpoint is there: ${String(steps)} steps`,
    )
    await next.handover.remove('e1')
    await next.allocator.releaseReservation('shop@web')
    await next.audit.run({ fix: true })
    t.same(await next.left(), nothing)
  }
  t.ok(steps > 5, `${String(steps)} steps`)
})

function ifMissing(error: unknown): void {
  if ((error as { code?: unknown }).code !== 'not-found') throw error
}
