import { test } from 'tap'
import { type LabProcess, Lab, connect, droverProgram, reaches, until } from '../lab/index.ts'

test('one machine: the agent brings its own etcd, and attach gives addresses', async (t) => {
  const lab = new Lab('solo')
  t.teardown(() => lab.destroy())
  const host = await lab.host('solo')
  const neighbour = await lab.namespace('neighbour')
  await connect(host, 'eth0', neighbour, 'eth0')
  await host.run('ip', ['addr', 'add', '10.250.0.1/24', 'dev', 'eth0'])
  await neighbour.run('ip', ['addr', 'add', '10.250.0.2/24', 'dev', 'eth0'])
  await neighbour.run('ip', ['route', 'add', '10.65.0.0/16', 'via', '10.250.0.1'])

  const drover = (words: string[], input?: string) =>
    host.attempt(process.execPath, [droverProgram, ...words], input === undefined ? {} : { input })
  const start = async (): Promise<LabProcess> => {
    const agent = host.start('agent', process.execPath, [
      droverProgram,
      'agent',
      '--embedded-etcd',
      '--node-name',
      'solo',
    ])
    await until(
      'the agent is ready',
      async () => {
        if (!agent.running()) throw new Error(agent.log().slice(-2000))
        return (await drover(['node', 'status'])).exitCode === 0
      },
      { timeoutMs: 60_000, intervalMs: 250 },
    )
    return agent
  }
  const etcds = async (): Promise<string[]> => {
    const pids = (await host.run('ip', ['netns', 'pids', `drvlab-${lab.id}-solo`])).stdout.split('\n')
    const names = await Promise.all(
      pids
        .filter((pid) => pid !== '')
        .map(async (pid) => (await host.attempt('cat', [`/proc/${pid}/comm`])).stdout),
    )
    return names.filter((name) => name === 'etcd')
  }

  const first = await start()
  const pool =
    'apiVersion: drover.network/v1\nkind: IPPool\nmetadata: { name: containers }\nspec: { cidr: 10.65.0.0/16 }\n'
  t.equal((await drover(['apply', '-f', '-'], pool)).exitCode, 0)
  const web = await lab.namespace('web')
  const attached = await until('an attach works', async () => {
    const done = await drover([
      'attach',
      '--netns',
      web.netns,
      '--id',
      'web',
      '--ip',
      '10.65.0.80',
      '-o',
      'json',
    ])
    return done.exitCode === 0 && done
  })
  t.match(attached.stdout, '10.65.0.80/32')
  t.ok(await reaches(host, '10.65.0.80'), 'from the machine itself')
  t.ok(await until('from its neighbour', () => reaches(neighbour, '10.65.0.80', 1)), 'from its neighbour')

  first.signal('SIGKILL')
  await first.ended
  t.ok(await reaches(neighbour, '10.65.0.80'), 'with the agent killed')
  const second = await start()
  t.equal((await etcds()).length, 1, 'one etcd, no orphan')
  t.ok(await reaches(neighbour, '10.65.0.80'), 'with the agent back')
  t.match((await drover(['get', 'endpoints'])).stdout, '10.65.0.80/32', 'what was stored is there')

  t.equal((await drover(['detach', '--netns', web.netns, '--id', 'web'])).exitCode, 0)
  t.notOk(await reaches(neighbour, '10.65.0.80', 1))
  t.match((await drover(['ipam', 'check'])).stdout, 'nothing is wrong')
  await second.stop()
  t.equal((await etcds()).length, 0, 'etcd ends with the agent')
})
