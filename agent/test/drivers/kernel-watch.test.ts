import fc from 'fast-check'
import t from 'tap'
import { parseMonitorLine } from '../../src/drivers/kernel-watch.ts'

t.test('lines of ip monitor', (t) => {
  const cases: [line: string, event: unknown][] = [
    [
      '[ROUTE]Deleted 10.8.0.1 dev drvwork proto 98 scope 253 ',
      { object: 'route', deleted: true, destination: '10.8.0.1/32', ours: true },
    ],
    [
      '[ROUTE]6 10.8.0.0/16 proto 98 ',
      { object: 'route', deleted: false, destination: '10.8.0.0/16', ours: true },
    ],
    [
      '[ROUTE]default via 192.0.2.1 dev uplink proto 3 ',
      { object: 'route', destination: '0.0.0.0/0', ours: false },
    ],
    [
      '[ROUTE]Deleted default via fe80::1 dev d0 proto 98 metric 1024 pref medium',
      { object: 'route', destination: '::/0', ours: true },
    ],
    ['[ROUTE]Deleted 2 10.0.0.5 dev d0 table 255 proto 2 scope 254 src 10.0.0.5 ', undefined],
    [
      '[LINK]2: d1@d0: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN',
      { object: 'link', deleted: false, device: 'd1', up: false },
    ],
    [
      '[LINK]2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500',
      { object: 'link', device: 'eth0', up: true },
    ],
    [
      '[LINK]Deleted 3: d0@NONE: <BROADCAST,MULTICAST> mtu 1500',
      { object: 'link', deleted: true, device: 'd0' },
    ],
    [
      '[ADDR]Deleted 3: d0    inet 10.0.0.5/32 scope 0 d0',
      { object: 'address', deleted: true, device: 'd0' },
    ],
    [
      '[NETCONF]inet drvwork forwarding off ',
      { object: 'setting', device: 'drvwork', setting: 'forwarding', value: 'off' },
    ],
    [
      '[NETCONF]inet6 drvwork proxy_neigh on ',
      { object: 'setting', device: 'drvwork', setting: 'proxy_neigh', value: 'on' },
    ],
    ['[NETCONF]Deleted inet d0 ', undefined],
    ['', undefined],
    ['[NETCONF]', undefined],
    ['[ROUTE]', undefined],
    ['[LINK]', undefined],
    ['noise', undefined],
  ]
  for (const [line, event] of cases) {
    if (event === undefined) t.equal(parseMonitorLine(line), undefined, line)
    else t.match(parseMonitorLine(line), event, line)
  }
  t.end()
})

t.test('whatever a line says, it is taken apart or passed over', (t) => {
  fc.assert(
    fc.property(fc.constantFrom('ROUTE', 'LINK', 'ADDR', 'NETCONF'), fc.string(), (label, text) => {
      const event = parseMonitorLine(`[${label}]${text}`)
      return event === undefined || event.object !== 'lost'
    }),
    { numRuns: 500 },
  )
  t.end()
})
