import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { dumpLinks } from '../../src/netlink/codec/link.ts'
import { namespaceCalls, netlinkCalls } from '../../src/netlink/libc.ts'
import { inNamespace } from '../../src/netlink/namespace.ts'
import { openNetlink } from '../../src/netlink/socket.ts'
import { addNamespace, inOwnNetwork, inside, removeNamespace } from '../own-network.ts'

type ErrorMatch = { readonly code: string; readonly message?: RegExp } | { readonly name: string }

const here = (): string => readlinkSync('/proc/thread-self/ns/net')

function thrownBy(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}

await inOwnNetwork(import.meta.url, async (t) => {
  const path = addNamespace('visit')
  t.teardown(() => removeNamespace('visit'))
  const file = openSync(path, 'r')
  t.teardown(() => closeSync(file))
  const home = here()

  await t.test('a visit sees the namespace, and its sockets stay there', async (t) => {
    await inside('visit', 'ip', ['link', 'add', 'drvdp-v', 'type', 'bridge'])
    t.not(inNamespace(file, here), home)
    t.match(
      inNamespace(file, () => readFileSync('/proc/thread-self/net/dev', 'utf8')),
      'drvdp-v',
    )
    const socket = inNamespace(file, () => openNetlink())
    t.equal(here(), home)
    const links = await socket.dump(dumpLinks())
    socket.close()
    t.ok(links.ok && links.messages.some(({ body }) => Buffer.from(body).includes('drvdp-v')))
    t.notMatch(readFileSync('/proc/thread-self/net/dev', 'utf8'), 'drvdp-v')
  })

  await t.test('the way home is found after every failure', (t) => {
    const uts = openSync('/proc/self/ns/uts', 'r')
    const ordinary = openSync('/etc/hostname', 'r')
    const failures: [what: string, run: () => unknown, expected: ErrorMatch][] = [
      [
        'a namespace of another kind',
        () => inNamespace(uts, here),
        { code: 'namespace-refused', message: /EINVAL/ },
      ],
      ['a file', () => inNamespace(ordinary, here), { code: 'namespace-refused', message: /EINVAL/ }],
      ['no file', () => inNamespace(9999, here), { code: 'namespace-refused', message: /EBADF/ }],
      ['an error inside', () => inNamespace(file, () => readFileSync('/nowhere')), { code: 'ENOENT' }],
      ['a promise', () => inNamespace(file, () => Promise.resolve(1)), { name: 'TypeError' }],
      [
        'a promise that fails',
        () => inNamespace(file, () => Promise.reject(new Error('x'))),
        { name: 'TypeError' },
      ],
      [
        'no socket',
        () =>
          inNamespace(file, () =>
            openNetlink({ ...netlinkCalls, open: () => ({ ok: false, code: 'EMFILE' }) }),
          ),
        { code: 'netlink-unavailable' },
      ],
    ]
    /** Namespaces and sockets that this process holds open. */
    const files = (): string[] =>
      readdirSync('/proc/self/fd')
        .map((fd) => {
          try {
            return readlinkSync(`/proc/self/fd/${fd}`)
          } catch {
            return ''
          }
        })
        .filter((target) => /^(net|socket):/.test(target))
        .sort()
    const before = files()
    for (const [what, run, expected] of failures) {
      t.match(thrownBy(run), expected, what)
      t.equal(here(), home, `${what}: at home`)
    }
    t.same(files(), before, 'no namespace and no socket stays open')
    closeSync(uts)
    closeSync(ordinary)
    t.end()
  })

  await t.test('the process ends if the way home is closed', (t) => {
    let calls = 0
    const setns = (f: number): string | undefined => (++calls === 2 ? 'EPERM' : namespaceCalls.setns(f))
    let reason = ''
    const abandon = (why: string): never => {
      reason = why
      throw new Error('ended')
    }
    const own = openSync('/proc/thread-self/ns/net', 'r')
    t.throws(() => inNamespace(file, here, { setns, abandon }), { message: 'ended' })
    namespaceCalls.setns(own)
    closeSync(own)
    t.equal(reason, 'EPERM')
    const program =
      `import { openSync } from 'node:fs'; import { inNamespace } from ${JSON.stringify(new URL('../../src/netlink/namespace.ts', import.meta.url).href)};` +
      `let calls = 0; process.on('exit', () => console.log('exit handler ran'));` +
      `inNamespace(openSync(${JSON.stringify(path)}, 'r'), () => 1, { setns: () => (++calls === 2 ? 'EPERM' : undefined) });` +
      `console.log('went on')`
    const ended = spawnSync(process.execPath, [...process.execArgv, '--input-type=module', '-e', program], {
      encoding: 'utf8',
    })
    t.equal(ended.signal, 'SIGABRT')
    t.equal(ended.stdout, '', 'and nothing more is done')
    t.match(ended.stderr, 'network namespace')
    t.end()
  })
})
