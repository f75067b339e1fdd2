/**
 * A process that plays several nodes: each assigns an address for each of its workloads, until all have one. Asked for
 * again with the same handle, an assign answers what it holds; so this process can be killed and started anew at will.
 * Prints one line of JSON, `{ "addresses": { handle: address } }`, and exits 0 when it is done.
 */
import { createAllocator, createEtcdStore } from '@network/datastore'
import { draftResource, encodeResource, endpointKey, endpointName } from '@network/datastore/model'
import { silentLog as log, systemClock as clock } from '@network/net/system'

const [endpoint = '', first = '0', count = '1', perNode = '1'] = process.argv.slice(2)

const store = createEtcdStore({ clock, log }, { endpoints: [endpoint], deadlineMs: 30_000 })
const addresses: Record<string, string> = {}

async function playNode(node: string): Promise<void> {
  const allocator = createAllocator({ store, clock, random: Math.random, log }, { node, deadlineMs: 60_000 })
  const assign = async (index: number): Promise<void> => {
    const handle = `${node}-w${String(index)}:eth0:${node}`
    const owner = { node, orchestrator: 'race', workload: `w${String(index)}`, endpoint: 'eth0' }
    const assignment = await allocator.assign({
      handle,
      owner,
      ipv4: 1,
      alongside: (assigned) => {
        const resource = draftResource('WorkloadEndpoint', endpointName(owner), {
          ...owner,
          handle,
          ipNetworks: assigned.addresses.map(({ address }) => `${address}/32`),
          profiles: [],
        })
        const key = endpointKey(owner)
        return { when: [{ key, is: 'absent' }], then: [{ put: key, value: encodeResource(resource) }] }
      },
    })
    addresses[handle] = assignment.addresses[0]?.address ?? ''
  }
  // A few at once, as a runtime that starts many containers asks.
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < Number(perNode)) await assign(next++)
  }
  await Promise.all([lane(), lane(), lane(), lane()])
  await allocator.close()
}

await Promise.all(
  Array.from({ length: Number(count) }, (_unused, i) => playNode(`node-${String(Number(first) + i)}`)),
)
await store.close()
process.stdout.write(`${JSON.stringify({ addresses })}\n`)
