import { chmodSync, copyFileSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { test } from 'tap'
import { Lab, buildCluster, droverProgram, reaches, until } from '../lab/index.ts'

test('a Docker container without a network of its own is attached by name', async (t) => {
  const lab = new Lab('docker')
  t.teardown(() => lab.destroy())
  const cluster = await buildCluster(lab, { nodes: 2 })
  const [one, two] = cluster.nodes
  const folder = path.join(lab.folder, 'docker')
  const socket = path.join(folder, 'docker.sock')
  mkdirSync(folder, { recursive: true })
  const dockerd = one!.place.start('dockerd', 'dockerd', [
    `--host=unix://${socket}`,
    `--data-root=${folder}/data`,
    `--exec-root=${folder}/exec`,
    `--pidfile=${folder}/docker.pid`,
    '--bridge=none',
    '--iptables=false',
  ])
  t.teardown(() => dockerd.stop())
  const env = { DOCKER_HOST: `unix://${socket}` }
  const docker = async (...words: string[]): Promise<string> =>
    (await one!.place.run('docker', words, { env, timeoutMs: 60_000 })).stdout
  await until(
    'dockerd answers',
    async () => (await one!.place.attempt('docker', ['version'], { env })).exitCode === 0,
    { timeoutMs: 60_000, intervalMs: 200 },
  )

  const root = path.join(folder, 'root')
  mkdirSync(path.join(root, 'bin'), { recursive: true })
  copyFileSync('/bin/busybox', path.join(root, 'bin', 'busybox'))
  chmodSync(path.join(root, 'bin', 'busybox'), 0o755)
  await one!.place.run('tar', ['-C', root, '-cf', path.join(folder, 'image.tar'), '.'])
  await docker('import', path.join(folder, 'image.tar'), 'busybox:local')
  await docker(
    'run',
    '-d',
    '--name',
    'web1',
    '--network',
    'none',
    'busybox:local',
    '/bin/busybox',
    'sleep',
    '600',
  )

  const program = (...words: string[]) =>
    one!.place.attempt(process.execPath, [droverProgram, ...words], {
      env: { ...env, DROVER_ETCD_ENDPOINTS: cluster.etcd.endpoint },
    })
  const attached = await program('attach', '--docker', 'web1', '--ip', '10.65.77.7', '-o', 'json')
  t.equal(attached.exitCode, 0, attached.stderr)
  const inside = await docker('exec', 'web1', '/bin/busybox', 'ip', 'addr', 'show', 'eth0')
  t.match(inside, 'inet 10.65.77.7/32')

  const far = await two!.attach('far')
  t.ok(await until('it is reached from the other node', () => reaches(far.place, '10.65.77.7', 1)))
  t.ok(await until('and from outside', () => reaches(cluster.outside, '10.65.77.7', 1)))
  const listed = JSON.parse(await one!.drover('get', 'endpoints', '-o', 'json')) as {
    items: { spec: { orchestrator: string; workload: string } }[]
  }
  t.ok(listed.items.some(({ spec }) => spec.orchestrator === 'docker' && spec.workload === 'web1'))

  t.equal((await program('detach', '--docker', 'web1')).exitCode, 0)
  t.notMatch(await docker('exec', 'web1', '/bin/busybox', 'ip', 'addr'), 'eth0')
  const unknown = await program('attach', '--docker', 'nobody')
  t.equal(unknown.exitCode, 3)
  t.match(unknown.stderr, /nobody/)
  await docker('rm', '-f', 'web1')
})
