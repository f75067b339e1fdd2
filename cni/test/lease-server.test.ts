import { test } from 'tap'
import { heardByServer, waitsToBeRead } from '../src/lease-server.ts'

const table = (...rows: readonly string[]): string =>
  [
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops',
    ...rows.map(
      (row, index) =>
        `  ${String(index)}: ${row} 00:00000000 00000000     0        0 1234 2 0000000000000000 0`,
    ),
    '',
  ].join('\n')

test('what the queues of sockets say', (t) => {
  const cases: readonly (readonly [string, readonly string[], boolean])[] = [
    ['no socket', [], false],
    ['a server that has read everything', ['00000000:0043 00000000:0000 07 00000000:00000000'], false],
    ['a server that has not', ['00000000:0043 00000000:0000 07 00000000:00000300'], true],
    ['one that sends', ['00000000:0043 00000000:0000 07 00000300:00000000'], false],
    ['another port', ['0043A8C0:4300 00000000:0000 07 00000000:00000300'], false],
    [
      'the second of two',
      [
        '00000000:0035 00000000:0000 07 00000000:00000100',
        '0100580A:0043 00000000:0000 07 00000000:00000100',
      ],
      true,
    ],
  ]
  for (const [what, rows, expected] of cases) t.equal(waitsToBeRead(table(...rows)), expected, what)
  t.end()
})

test('it ends with and without a server', async (t) => {
  const begin = performance.now()
  await heardByServer({
    now: () => Date.now(),
    monotonic: () => performance.now(),
    setTimeout: (call, ms) => {
      const timer = setTimeout(call, ms)
      return { cancel: () => clearTimeout(timer) }
    },
  })
  t.ok(performance.now() - begin < 2_000)
})
