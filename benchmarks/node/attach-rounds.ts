/**
 * Runs within a node of the lab and times each way to attach, in turns, so that whatever else the machine does
 * meets all of them alike: the agent by its socket, the plugins that Debian brings, and the parts of an attach alone.
 */
import { spawn } from 'node:child_process'
import { createAgentClient } from '@network/agent/client'
import { createEtcdStore } from '@network/datastore'
import { silentLog as log, systemClock as clock } from '@network/net/system'
import { hostInterfaceName } from '../../agent/src/endpoint/interface-name.ts'
import { createWire } from '../../agent/src/endpoint/wiring.ts'
import { createExec } from '../../agent/src/exec.ts'
import { Series, type Timings } from './timings.ts'

export interface RoundsTask {
  socket: string
  etcd: string
  program: string
  pluginFolder: string
  /** Where host-local keeps its addresses. */
  pluginData: string
  namespaces: string[]
  rounds: number
  atOnce: number
}

export const questions = [
  'transaction',
  'wire',
  'unwire',
  'attach',
  'detach',
  'attach-dual',
  'detach-dual',
  'command-attach',
  'command-detach',
  'plugin-add',
  'plugin-del',
  'attach-at-once',
  'detach-at-once',
  'plugin-add-at-once',
  'plugin-del-at-once',
] as const
export type Question = (typeof questions)[number]

export interface RoundsOutcome {
  timings: Record<Question, Timings>
  /** Keys and bytes that one attach writes. */
  written: { keys: number; bytes: number }
}

/** From the start of a program to its exit. */
function execute(
  file: string,
  args: readonly string[],
  options: { env?: Record<string, string>; input?: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: { ...process.env, ...options.env }, stdio: 'pipe' })
    const said: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`${file} exited ${String(code)}: ${Buffer.concat(said).toString()}`))
    })
    child.stdin.end(options.input ?? '')
  })
}

async function measure(task: RoundsTask): Promise<RoundsOutcome> {
  const client = createAgentClient({ socketPath: task.socket })
  const store = createEtcdStore({ clock, log }, { endpoints: [task.etcd] })
  const wire = createWire({ exec: createExec(), clock, log }, { prefix: 'bnc' })
  const series = new Map(questions.map((question) => [question, new Series()]))
  const of = (question: Question): Series => {
    const found = series.get(question)
    if (found === undefined) throw new Error(`no series ${question}`)
    return found
  }
  const each = (work: (netns: string, id: string, index: number) => Promise<unknown>, round: string) =>
    task.namespaces.map((netns, index) => () => work(netns, `${round}-${String(index)}`, index))

  const attach = (families?: ('ipv4' | 'ipv6')[]) => (netns: string, containerId: string) =>
    client.attach({
      netns,
      containerId,
      interfaceName: 'eth0',
      orchestrator: 'bench',
      workload: containerId,
      endpoint: 'eth0',
      ...(families === undefined ? {} : { families }),
    })
  const detach = (netns: string, containerId: string) =>
    client.detach({ netns, containerId, interfaceName: 'eth0' })
  const plugin = (command: 'ADD' | 'DEL') => (netns: string, containerId: string) =>
    execute(`${task.pluginFolder}/ptp`, [], {
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: containerId,
        CNI_NETNS: netns,
        CNI_IFNAME: 'eth0',
        CNI_PATH: task.pluginFolder,
      },
      input: JSON.stringify({
        cniVersion: '1.0.0',
        name: 'bench',
        type: 'ptp',
        ipam: { type: 'host-local', ranges: [[{ subnet: '10.99.0.0/16' }]], dataDir: task.pluginData },
      }),
    })
  const command = (word: 'attach' | 'detach') => (netns: string, containerId: string) =>
    execute(process.execPath, [task.program, word, '--netns', netns, '--id', containerId], {})
  const wireName = (id: string): string => hostInterfaceName([id, 'eth0'], { prefix: 'bnc' })

  /** What one attach writes, found by its revision. */
  const shape = async (): Promise<number[]> => {
    const [netns = ''] = task.namespaces
    await attach(['ipv4'])(netns, 'shape-0')
    await attach(['ipv4'])(task.namespaces[1] ?? '', 'shape-1')
    const { items } = await store.list('')
    const last = Math.max(...items.map(({ modRevision }) => modRevision))
    const lengths = items.filter(({ modRevision }) => modRevision === last).map(({ value }) => value.length)
    await detach(netns, 'shape-0')
    await detach(task.namespaces[1] ?? '', 'shape-1')
    return lengths
  }
  const lengths = await shape()
  let bareRevision = 0
  const transaction = async (_netns: string, id: string): Promise<void> => {
    const [block = 0, ...others] = lengths.sort((a, b) => b - a)
    const key = '/bench/block'
    const done = await store.transact({
      when: [
        bareRevision === 0 ? { key, is: 'absent' } : { key, is: 'at', modRevision: bareRevision },
        ...others.map((_, i) => ({ key: `/bench/${id}/${String(i)}`, is: 'absent' as const })),
      ],
      then: [
        { put: key, value: 'x'.repeat(block) },
        ...others.map((length, i) => ({ put: `/bench/${id}/${String(i)}`, value: 'x'.repeat(length) })),
      ],
    })
    if (!done.committed) throw new Error('a bare transaction was refused')
    bareRevision = done.revision
  }

  for (let number = 0; number < task.rounds; number++) {
    const round = `r${String(number)}`
    await of('transaction').run(each(transaction, round))
    await of('wire').run(
      each(
        (netns, id, index) =>
          wire.wireWorkload({
            netns,
            interfaceName: 'eth0',
            hostInterfaceName: wireName(id),
            addresses: [`10.98.${String(number)}.${String(index + 1)}`],
            mtuBytes: 1500,
          }),
        round,
      ),
    )
    await of('unwire').run(
      each((netns, id) => wire.unwire({ hostInterfaceName: wireName(id), netns }), round),
    )
    await of('attach').run(each(attach(['ipv4']), `s${round}`))
    await of('detach').run(each(detach, `s${round}`))
    await of('plugin-add').run(each(plugin('ADD'), `s${round}`))
    await of('plugin-del').run(each(plugin('DEL'), `s${round}`))
    await of('attach-at-once').run(each(attach(['ipv4']), `c${round}`), task.atOnce)
    await of('detach-at-once').run(each(detach, `c${round}`), task.atOnce)
    await of('plugin-add-at-once').run(each(plugin('ADD'), `c${round}`), task.atOnce)
    await of('plugin-del-at-once').run(each(plugin('DEL'), `c${round}`), task.atOnce)
    await of('attach-dual').run(each(attach(), `d${round}`))
    await of('detach-dual').run(each(detach, `d${round}`))
    const few = (tasks: readonly (() => Promise<unknown>)[]) => tasks.slice(0, 3)
    await of('command-attach').run(few(each(command('attach'), `x${round}`)))
    await of('command-detach').run(few(each(command('detach'), `x${round}`)))
  }
  wire.close()
  await store.close()
  return {
    timings: Object.fromEntries(
      questions.map((question) => [question, of(question).timings()]),
    ) as RoundsOutcome['timings'],
    written: { keys: lengths.length, bytes: lengths.reduce((sum, length) => sum + length, 0) },
  }
}

process.stdout.write(JSON.stringify(await measure(JSON.parse(process.argv[2] ?? '{}') as RoundsTask)))
