/**
 * Replays recorded calls of container runtimes at the plugin: `npm run recordings -- DIR`, where DIR holds files
 * `*-cni.jsonl` of one call a line (`env`, `stdin`, `status`, `stdout` as a runtime and another plugin had them). Each
 * call is made of the real executable against a real agent, with its namespaces made anew and the recorded name of the
 * plugin replaced; what ours answers must have the shape that the runtime understood from the other.
 */
import { mkdirSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { Lab, type LabNode, buildCluster, noTraces, remains } from '@network/test/lab'

interface Recorded {
  env: Record<string, string>
  stdin: Record<string, unknown>
  status: number
  stdout: unknown
}

const [, , folder] = process.argv
if (folder === undefined) {
  process.stderr.write('error: No folder of recordings is named.\nremedy: npm run recordings -- DIR\n')
  process.exit(2)
}
const files = readdirSync(folder).filter((name) => name.endsWith('-cni.jsonl'))
if (files.length === 0) {
  process.stderr.write(`error: ${folder} holds no file *-cni.jsonl.\nremedy: Name a folder of recordings.\n`)
  process.exit(2)
}

const lab = new Lab('recordings')
let failures = 0
let calls = 0
try {
  const cluster = await buildCluster(lab, { nodes: 1 })
  const [node] = cluster.nodes
  if (node === undefined) throw new Error('the cluster has no node')
  const bin = path.join(lab.folder, 'bin')
  mkdirSync(bin)
  await node.drover('install', 'cni', '--bin', bin, '--conf', path.join(lab.folder, 'conf'))
  for (const name of files) {
    const lines = readFileSync(path.join(folder, name), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
    const before = { calls, failures }
    await replay(
      node,
      path.join(bin, 'drover'),
      lines.map((line) => JSON.parse(line) as Recorded),
    )
    console.log(
      `${name}: ${String(calls - before.calls)} calls, ${String(failures - before.failures)} not as expected`,
    )
  }
  const left = await remains(cluster.etcd, node)
  const same = JSON.stringify(left) === JSON.stringify(noTraces)
  console.log(same ? 'nothing is left behind' : `left behind: ${JSON.stringify(left)}`)
  if (!same) failures++
} finally {
  lab.destroy()
}
process.exitCode = failures === 0 ? 0 : 1

/** Recorded ranges of addresses and the like are the other plugin's: what remains is what the runtime itself says. */
function asOurs(stdin: Record<string, unknown>, address: string): Record<string, unknown> {
  const { ipam: _, prevResult: __, ...rest } = stdin
  // The other plugin did not heed this annotation, and several pods at once had the same.
  const text = JSON.stringify({ ...rest, type: 'drover' }).replace(
    /("cni\.projectcalico\.org\/ipAddrs":)"(?:[^"\\]|\\.)*"/,
    (_whole, name: string) => `${name}${JSON.stringify(JSON.stringify([address]))}`,
  )
  return JSON.parse(text) as Record<string, unknown>
}

async function replay(node: LabNode, plugin: string, recorded: readonly Recorded[]): Promise<void> {
  const namespaces = new Map<string, string>()
  const results = new Map<string, unknown>()
  const attached = new Map<string, Recorded>()
  for (const call of recorded) {
    const {
      CNI_COMMAND: command = '',
      CNI_CONTAINERID: id = '',
      CNI_IFNAME: ifname = '',
      CNI_NETNS: netns = '',
    } = call.env
    const key = `${id}:${ifname}`
    if (netns.startsWith('/') && !namespaces.has(netns)) {
      const made = `${lab.id}-${String(namespaces.size)}-${String(calls)}`
      namespaces.set(netns, (await lab.namespace(made)).netns)
    }
    const args = (call.env['CNI_ARGS'] ?? '').replace(/10\.7[789]\./g, '10.65.')
    const number = [...new Set(recorded.map(({ env }) => env['CNI_CONTAINERID']))].indexOf(id)
    const stdin = asOurs(call.stdin, `10.65.100.${String(number)}`)
    const prevResult = 'prevResult' in call.stdin ? results.get(key) : undefined
    const done = await node.place.attempt(plugin, [], {
      env: {
        ...call.env,
        CNI_ARGS: args,
        CNI_NETNS: namespaces.get(netns) ?? netns,
        CNI_PATH: '/usr/lib/cni',
      },
      input: JSON.stringify(prevResult === undefined ? stdin : { ...stdin, prevResult }),
    })
    calls++
    const answer = done.stdout === '' ? '' : (JSON.parse(done.stdout) as unknown)
    if (command === 'ADD' && done.exitCode === 0) {
      results.set(key, answer)
      attached.set(key, call)
    }
    if (command === 'DEL') attached.delete(key)
    // What the other plugin refused by accident (its test failed on purpose) ours may well do.
    const worked =
      call.status === 0 && !(typeof call.stdout === 'object' && call.stdout !== null && 'code' in call.stdout)
    const expected = worked ? 0 : done.exitCode
    const difference =
      done.exitCode !== expected
        ? done.stdout
        : worked
          ? shapeDifference(command, call.stdout, answer)
          : undefined
    if (difference === undefined) continue
    failures++
    console.log(`${command} ${key.slice(0, 12)}: ${difference}`)
  }
  for (const [key, call] of attached) {
    const [id = '', ifname = ''] = key.split(':')
    await node.place.run(plugin, [], {
      env: {
        ...call.env,
        CNI_COMMAND: 'DEL',
        CNI_CONTAINERID: id,
        CNI_IFNAME: ifname,
        CNI_NETNS: '',
        CNI_PATH: '/x',
      },
      input: JSON.stringify(asOurs(call.stdin, '10.65.100.255')),
    })
  }
}

/** Keys that the runtime was given by the other plugin and not by ours. */
function shapeDifference(command: string, recorded: unknown, ours: unknown): string | undefined {
  if (command === 'DEL') return ours === '' ? undefined : `answered ${JSON.stringify(ours)}`
  if (command !== 'ADD' || typeof recorded !== 'object' || recorded === null) return undefined
  const missing = paths(recorded).filter((each) => !paths(ours).includes(each))
  return missing.length === 0 ? undefined : `lacks ${missing.join(', ')}`
}

/** Places of a value, with list positions left out: `ips[].address`. */
function paths(value: unknown, at = ''): string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap((each) => paths(each, `${at}[]`)))]
  if (typeof value !== 'object' || value === null) return [at]
  return Object.entries(value).flatMap(([key, field]) => paths(field, at === '' ? key : `${at}.${key}`))
}
