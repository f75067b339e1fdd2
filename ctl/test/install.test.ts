import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Test, test } from 'tap'
import type { EndpointReport } from '@network/agent/client'
import { createBench, fakeServer, temporaryFolder } from './fake-world.ts'

async function folders(t: Test) {
  const folder = await mkdtemp(path.join(tmpdir(), 'drover-install-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [bin, conf] = [path.join(folder, 'bin'), path.join(folder, 'conf')]
  return { folder, bin, conf, where: ['--bin', bin, '--conf', conf] }
}

for (const kind of ['binary', 'script'] as const) {
  test(`drover install cni --executable ${kind}`, async (t) => {
    const { bin, conf, where } = await folders(t)
    const bench = createBench()
    const done = await bench.run(['install', 'cni', ...where, '--executable', kind])
    t.equal(done.exitCode, 0, done.err)
    t.match(done.out, `The executable is a ${kind}.`)
    t.same((await readdir(bin)).sort(), ['drover', 'drover-ipam'], 'and nothing half made')
    t.same(await readdir(conf), ['10-drover.conflist'])
    for (const name of ['drover', 'drover-ipam'])
      t.equal((await stat(path.join(bin, name))).mode & 0o777, 0o755)
    const configuration = JSON.parse(await readFile(path.join(conf, '10-drover.conflist'), 'utf8')) as object
    t.match(configuration, { name: 'drover', plugins: [{ type: 'drover' }] })

    const again = await bench.run(['install', 'cni', ...where, '--executable', kind])
    t.equal(again.exitCode, 0, again.err)
    t.match(again.out, `kept ${conf}`)
    t.equal((await bench.run(['install', 'cni', ...where, '--uninstall'])).exitCode, 0)
    t.same([...(await readdir(bin)), ...(await readdir(conf))], [])
    t.equal((await bench.run(['install', 'cni', ...where, '--uninstall'])).exitCode, 0, 'again')
  })
}

test('a configuration that was changed is neither overwritten nor removed', async (t) => {
  const { conf, where } = await folders(t)
  const bench = createBench()
  await bench.run(['install', 'cni', ...where, '--executable', 'script'])
  const file = path.join(conf, '10-drover.conflist')
  await writeFile(file, '{"name":"mine"}')
  await bench.run(['install', 'cni', ...where, '--executable', 'script'])
  const done = await bench.run(['install', 'cni', ...where, '--uninstall'])
  t.match(done.out, `kept ${file}`)
  t.equal(await readFile(file, 'utf8'), '{"name":"mine"}')
})

test('what can not be', async (t) => {
  const { folder, where } = await folders(t)
  const bench = createBench()
  const quoted = await bench.run(['install', 'cni', ...where, '--socket', "/run/it's/agent.sock"])
  t.not(quoted.exitCode, 0)
  t.match(quoted.err, /it's.*remedy/s)
  await writeFile(path.join(folder, 'file'), '')
  t.not(
    (await bench.run(['install', 'cni', '--bin', path.join(folder, 'file', 'bin'), '--conf', folder]))
      .exitCode,
    0,
  )
  t.not((await bench.run(['install', 'cni', ...where, '--executable', 'magic'])).exitCode, 0)
})

test('drover ports', async (t) => {
  const endpoint: EndpointReport = {
    endpoint: 'k8s/prod.web/eth0-1',
    orchestrator: 'k8s',
    workload: 'prod.web',
    containerId: 'c',
    containerInterface: 'eth0',
    hostInterface: 'drv1',
    mac: '',
    addresses: ['10.65.0.5/32', 'fd65::5/128'],
    profiles: [],
    labels: {},
    portMappings: [
      { protocol: 'UDP', hostPort: 5353, port: 53, hostIP: '10.0.0.1' },
      { protocol: 'TCP', hostPort: 80, port: 8080 },
    ],
    state: 'route-missing',
  }
  const agent = await fakeServer(t, path.join(temporaryFolder(t), 'agent.sock'), () => ({ body: [endpoint] }))
  const bench = createBench({ socket: agent.socket })
  const shown = await bench.run(['ports'])
  t.equal(shown.exitCode, 0, shown.err)
  t.match(
    shown.out,
    /\* +80 +TCP +10\.65\.0\.5:8080 \[fd65::5\]:8080 +k8s\/prod\.web\/eth0-1 +route-missing\n10\.0\.0\.1 +5353 +UDP/,
  )
  const json = await bench.run(['ports', '-o', 'json'])
  t.match(JSON.parse(json.out), [{ hostPort: 80, problem: 'route-missing' }, { hostPort: 5353 }])
})
