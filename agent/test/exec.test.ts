import t from 'tap'
import { ExecError, checkExit, createExec } from '../src/exec.ts'
import { until } from './own-network.ts'

const exec = createExec()

t.test('a program runs to its end', async (t) => {
  t.same(await exec.run('cat', [], { input: 'a\nb' }), { exitCode: 0, stdout: 'a\nb', stderr: '' })
  t.match(await exec.run('sh', ['-c', 'echo no >&2; exit 3']), { exitCode: 3, stderr: 'no\n' })
  t.match(
    await exec.run('echo', ['$(id)', ';', '*']),
    { stdout: '$(id) ; *\n' },
    'arguments are not a shell line',
  )
  t.match(await exec.run('cat', []), { exitCode: 0, stdout: '' }, 'without input it reads an end')
  t.match(await exec.run('sh', ['-c', 'echo $LC_ALL']), { stdout: 'C\n' })
})

t.test('what went wrong says what to do', async (t) => {
  await t.rejects(exec.run('ipset-that-is-absent', []), {
    code: 'missing-tool',
    remedy: 'Install ipset-that-is-absent.',
  })
  await t.rejects(exec.run('sleep', ['5'], { timeoutMs: 50 }), {
    code: 'timeout',
    message: /sleep 5 was ended after 50 ms/,
  })
  await t.rejects(exec.run('yes', [], { maxOutput: 1000, timeoutMs: 2000 }), { code: 'output-too-large' })
  await t.rejects(exec.run('sh', ['-c', 'kill -9 $$']), { code: 'killed', message: /SIGKILL/ })
  const failed = { exitCode: 2, stdout: '', stderr: 'Cannot find device "x"\n' }
  t.throws(() => checkExit('ip', ['link', 'show', 'x'], failed), {
    code: 'failed',
    message: 'ip link show x ended with status 2: Cannot find device "x".',
  })
  t.same(checkExit('ip', [], { ...failed, exitCode: 0 }).exitCode, 0)
})

t.test('a missing tool names its Debian package', async (t) => {
  const absent = createExec({ path: '/nonexistent' })
  for (const [file, debian] of [
    ['ip', 'iproute2'],
    ['ipset', 'ipset'],
    ['iptables-restore', 'iptables'],
  ] as const) {
    await t.rejects(absent.run(file, []), {
      code: 'missing-tool',
      remedy: new RegExp(`apt-get install ${debian}$`),
    })
  }
  const { reason } = await absent.start('ip', ['monitor'], {
    stdout: () => undefined,
    stderr: () => undefined,
  }).ended
  t.match(reason, "'ip' was not found")
})

t.test('a program that keeps running', async (t) => {
  let text = ''
  const cat = exec.start('cat', [], { stdout: (part) => (text += part), stderr: () => undefined })
  t.ok(cat.write('one\n'))
  t.ok(await until(() => text === 'one\n', 2000))
  cat.end()
  t.match(await cat.ended, { exitCode: 0, reason: 'status 0' })
  t.notOk(cat.write('late'), 'writing after its end is no error')
  const sleeper = exec.start('sleep', ['30'], { stdout: () => undefined, stderr: () => undefined })
  sleeper.kill()
  t.match(await sleeper.ended, { reason: 'signal SIGTERM' })
})

t.test('an error is an ExecError', (t) => {
  t.ok(new ExecError('failed', 'x') instanceof Error)
  t.end()
})
