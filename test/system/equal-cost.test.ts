import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { test } from 'tap'
import { startBird } from '../interop/peers/bird.ts'
import { Lab, buildCluster, rack, until } from '../lab/index.ts'

const prefix = '10.65.250.0/24'
const password = 'as agreed'

test('two switches with one prefix: both next hops are in the kernel, and one alone when the other goes', async (t) => {
  const lab = new Lab('ecmp')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, { nodes: 1 })
  const [node] = cluster.nodes
  const routers = await Promise.all(
    [21, 22].map(async (number) => {
      const place = await lab.namespace(`router${String(number)}`)
      await cluster.switch.plug(place, number)
      const folder = path.join(lab.folder, `router${String(number)}`)
      mkdirSync(folder, { recursive: true })
      const address = rack.ipv4.address(number)
      const session = {
        name: 'node',
        local: address,
        neighbor: rack.ipv4.address(1),
        neighborAs: rack.nodeAs,
        families: ['ipv4'] as const,
        password,
      }
      const bird = await startBird(place, folder, {
        asn: 65_100,
        routerId: address,
        sessions: [session],
        routes: [prefix],
      })
      return { address, bird }
    }),
  )
  await cluster.apply(
    routers
      .map(
        ({ address }, i) => `
apiVersion: drover.network/v1
kind: BGPPeer
metadata: { name: router${String(i)} }
spec: { peerIP: "${address}", asNumber: 65100, password: ${password} }
---`,
      )
      .join(''),
  )
  interface Route {
    gateway?: string
    nexthops?: { gateway: string }[]
  }
  const nextHops = async (): Promise<string[]> => {
    const text = (await node!.place.run('ip', ['-j', 'route', 'show', 'exact', prefix, 'proto', '98'])).stdout
    const [route] = JSON.parse(text || '[]') as Route[]
    return [...(route?.nexthops ?? []), route ?? {}].flatMap(({ gateway }) => gateway ?? []).sort()
  }
  const both = routers.map(({ address }) => address).sort()
  await until('both next hops are in the kernel', async () => (await nextHops()).join() === both.join(), {
    timeoutMs: 30_000,
  })
  t.same(await nextHops(), both, 'over sessions with an MD5 password')
  await routers[1]!.bird.stop()
  await until('the one that is left', async () => (await nextHops()).join() === both[0], {
    timeoutMs: 30_000,
  })
  t.same(await nextHops(), [both[0]])
  await routers[0]!.bird.stop()
})
