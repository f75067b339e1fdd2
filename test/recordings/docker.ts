/**
 * Replays recorded calls of dockerd at the Docker plugin: files `docker*.jsonl` of one call a line (`call`, `request`,
 * `status`, `response` as dockerd and another plugin had them), against the real face over a store in memory. Pools,
 * addresses and address spaces that the other plugin gave out are replaced by those that ours gives out for the same
 * question. Each answer must have the shape that dockerd understood from the other; what the other refused on purpose
 * ours may do or refuse, in the field that the protocol reads.
 */
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { createDockerFace } from '@network/docker'
import { addPool, createTestNode, pluginSocket } from '../../docker/test/node.ts'

type Fields = Record<string, unknown>

interface Recorded {
  readonly scenario: string
  readonly call: string
  readonly status: number
  readonly request: Fields | null
  readonly response: unknown
}

const [, , folder = '.'] = process.argv
let failed = 0
for (const name of readdirSync(folder).filter((file) => /^docker.*\.jsonl$/.test(file))) {
  const calls = readFileSync(path.join(folder, name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Recorded)
  const { faults, refusals, left } = await replay(calls)
  for (const fault of faults) console.log(fault)
  for (const [words, count] of refusals) console.log(`refused ${String(count)} ×: ${words}`)
  console.log(
    `${name}: ${String(calls.length)} calls, ${String(faults.length)} not as expected, ${String(left)} addresses are left to the audit`,
  )
  failed += faults.length
}
process.exitCode = failed === 0 ? 0 : 1

async function replay(calls: readonly Recorded[]) {
  const node = createTestNode()
  await addPool(node, 'four', '10.65.0.0/16')
  await addPool(node, 'six', 'fd65::/48')
  await createDockerFace().start(node.services)
  const managedSocket = [...node.served.keys()].find((socket) => socket !== pluginSocket)
  const scopes = { local: node.served.get(pluginSocket), global: node.served.get(managedSocket ?? '') }
  let { local: answer } = scopes
  const faults: string[] = []
  const refusals = new Map<string, number>()
  const given = new Map<string, string>()
  /** What ours refused: whatever follows of it is refused too. */
  const refused = new Set<string>()
  for (const [index, { scenario, call, status, request, response }] of calls.entries()) {
    const body = request === null ? '' : asOurs(call, request, given)
    // A dockerd that was told another scope is one that talks to the managed plugin.
    if (isFields(response) && (response['Scope'] === 'local' || response['Scope'] === 'global'))
      answer = scopes[response['Scope']]
    if (answer === undefined) throw new Error('the face does not listen')
    const { status: ourStatus, body: text } = await answer({
      method: 'POST',
      path: `/${call}`,
      query: new URLSearchParams(),
      headers: {},
      body: Buffer.from(body),
    })
    const ours = (ourStatus === 200 ? JSON.parse(String(text)) : {}) as Fields
    const at = `call ${String(index + 1)}, ${call} (${scenario})`
    const field = call.startsWith('Ipam') ? 'Error' : 'Err'
    const theirs = isFields(response) ? response : {}
    const worked = status === 200 && !('Err' in theirs) && !('Error' in theirs)
    const words = ours[field]
    if (typeof words === 'string') {
      refusals.set(words, (refusals.get(words) ?? 0) + 1)
      const follows = [...refused].some((id) => body.includes(id))
      if (worked && !follows && !mayRefuse(words)) faults.push(`${at}: refused: ${words}`)
      if (call.endsWith('CreateNetwork')) refused.add(String(request?.['NetworkID']))
      if (call.endsWith('CreateEndpoint')) refused.add(String(request?.['EndpointID']))
      continue
    }
    if (ourStatus !== 200) faults.push(`${at}: status ${String(ourStatus)}`)
    else if (worked) {
      const missing = missingIn(call, theirs, ours)
      if (missing.length > 0) faults.push(`${at}: lacks ${missing.join(', ')}: ${String(text)}`)
    }
    remember(call, theirs, ours, given)
  }
  node.end()
  return { faults, refusals, left: await addressesLeft(node) }
}

/**
 * What ours refuses and the other did not: networks whose addresses are another driver's, subnets given twice, and what is
 * still in use by endpoints of a dockerd that was killed, which only the audit removes.
 */
function mayRefuse(words: string): boolean {
  return /another driver|overlaps with|are attached to it|already allocated/.test(words)
}

/** dockerd names what it was given: the pool, and the address without or with a length. */
function remember(call: string, theirs: Fields, ours: Fields, given: Map<string, string>): void {
  const fields = { 'IpamDriver.RequestPool': ['PoolID', 'Pool'], 'IpamDriver.RequestAddress': ['Address'] }[
    call
  ]
  for (const field of fields ?? []) {
    const [before, after] = [theirs[field], ours[field]]
    if (typeof before !== 'string' || typeof after !== 'string') continue
    given.set(before, after)
    if (field === 'Address') given.set(before.replace(/\/.*/, ''), after.replace(/\/.*/, ''))
  }
}

function asOurs(call: string, request: Fields, given: ReadonlyMap<string, string>): string {
  return JSON.stringify(request, (key, value: unknown) => {
    // Options of the other plugin say nothing to ours, which refuses what it does not know.
    if (key === 'com.docker.network.generic') return {}
    if (key === 'Options' && isFields(value) && !('RequestAddressType' in value))
      return Object.fromEntries(Object.entries(value).filter(([name]) => name.startsWith('com.docker.')))
    if (typeof value !== 'string' || (key === 'Pool' && call === 'IpamDriver.RequestPool')) return value
    return (
      given.get(value) ?? value.replace('FakeLocal', 'drover-local').replace('FakeGlobal', 'drover-global')
    )
  })
}

/** How an interface gets its routes is each plugin's own choice: a gateway, or none and no bridge in its place. */
function missingIn(call: string, theirs: Fields, ours: Fields): string[] {
  if (call === 'NetworkDriver.Join') {
    const route = 'Gateway' in ours || 'GatewayIPv6' in ours || ours['DisableGatewayService'] === true
    return [...('InterfaceName' in ours ? [] : ['InterfaceName']), ...(route ? [] : ['Gateway'])]
  }
  return Object.keys(theirs).filter((key) => !(key in ours))
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Addresses that are held, and that no endpoint has. */
async function addressesLeft(node: ReturnType<typeof createTestNode>): Promise<number> {
  const { pools } = await node.allocator.show()
  const held = pools.reduce((sum, { inUse }) => sum + Number(inUse), 0)
  return held - node.handover.list().reduce((sum, { spec }) => sum + spec.ipNetworks.length, 0)
}
