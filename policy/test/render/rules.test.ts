import type { Family } from '@network/net'
import t from 'tap'
import type { ActiveRule, ActiveSide } from '../../src/calc/active.ts'
import { LiteralSets } from '../../src/render/literal-sets.ts'
import { marksOf } from '../../src/render/marks.ts'
import { renderRules } from '../../src/render/rules.ts'

const marks = marksOf(0xffff0000)
const allow = '-j MARK --set-xmark 0x10000/0x10000'
const leave = '-m mark --mark 0x10000/0x10000 -j RETURN'

interface Case {
  readonly rule: Partial<Omit<ActiveRule, 'source' | 'destination'>> & {
    source?: ActiveSide
    destination?: ActiveSide
  }
  readonly ipv4: readonly string[]
  readonly ipv6: readonly string[]
  /** Sets that the rules bring along in IPv4. */
  readonly sets?: readonly (readonly string[])[]
}

const ports = (count: number) => Array.from({ length: count }, (_, i) => ({ from: 2 * i + 1, to: 2 * i + 1 }))
const both = (...lines: string[]) => ({ ipv4: lines, ipv6: lines })

/** What rules become; `N` stands for the name of a set that the rule brings along. */
const cases: Readonly<Record<string, Case>> = {
  'no condition': { rule: {}, ...both(allow, leave) },
  deny: { rule: { action: 'Deny' }, ...both('-j DROP') },
  pass: {
    rule: { action: 'Pass' },
    ...both('-j MARK --set-xmark 0x20000/0x20000', '-m mark --mark 0x20000/0x20000 -j RETURN'),
  },
  log: { rule: { action: 'Log' }, ...both('-j LOG --log-prefix drv web 0:  --log-level 5') },
  'one IP version': { rule: { action: 'Deny', ipVersion: 6 }, ipv4: [], ipv6: ['-j DROP'] },
  'ICMP is of IPv4': {
    rule: { action: 'Deny', protocol: 1, icmp: { type: 8, code: 0 } },
    ipv4: ['-p icmp -m icmp --icmp-type 8/0 -j DROP'],
    ipv6: [],
  },
  'ICMPv6 is of IPv6': {
    rule: { action: 'Deny', protocol: 58, notICMP: { type: 128 } },
    ipv4: [],
    ipv6: ['-p ipv6-icmp -m icmp6 ! --icmpv6-type 128 -j DROP'],
  },
  'a protocol by number, and none': {
    rule: { action: 'Deny', notProtocol: 47 },
    ...both('! -p 47 -j DROP'),
  },
  'a protocol that is none at once matches nothing': {
    rule: { action: 'Deny', protocol: 6, notProtocol: 6 },
    ...both(),
  },
  'one network': {
    rule: { action: 'Deny', source: { nets: ['10.0.0.0/8'] } },
    ipv4: ['-s 10.0.0.0/8 -j DROP'],
    ipv6: [],
  },
  'networks of both families': {
    rule: { action: 'Deny', destination: { nets: ['10.0.0.0/8', 'fd00::/8'] } },
    ipv4: ['-d 10.0.0.0/8 -j DROP'],
    ipv6: ['-d fd00::/8 -j DROP'],
  },
  'several networks': {
    rule: { action: 'Deny', source: { nets: ['10.0.0.0/8', '192.0.2.0/24'] } },
    ipv4: ['-m set --match-set N src -j DROP'],
    ipv6: [],
    sets: [['10.0.0.0/8', '192.0.2.0/24']],
  },
  'a whole family is no condition': {
    rule: { action: 'Deny', source: { nets: ['0.0.0.0/0', '10.0.0.0/8'] } },
    ipv4: ['-j DROP'],
    ipv6: [],
  },
  'outside of a network; the other family has no such condition': {
    rule: { action: 'Deny', source: { notNets: ['10.0.0.0/8'] } },
    ipv4: ['! -s 10.0.0.0/8 -j DROP'],
    ipv6: ['-j DROP'],
  },
  'outside of all': { rule: { action: 'Deny', source: { notNets: ['::/0'] } }, ipv4: ['-j DROP'], ipv6: [] },
  'in one network and outside of another: one rule takes one address': {
    rule: { action: 'Deny', source: { nets: ['10.0.0.0/8'], notNets: ['10.1.0.0/16'] } },
    ipv4: ['-s 10.0.0.0/8 -m set ! --match-set N src -j DROP'],
    ipv6: [],
    sets: [['10.1.0.0/16']],
  },
  'sets and negated sets': {
    rule: { action: 'Deny', source: { sets: ['a', 'b'] }, destination: { notSets: ['c'] } },
    ipv4: [
      '-m set --match-set drv-4s-a src -m set --match-set drv-4s-b src -m set ! --match-set drv-4s-c dst -j DROP',
    ],
    ipv6: [
      '-m set --match-set drv-6s-a src -m set --match-set drv-6s-b src -m set ! --match-set drv-6s-c dst -j DROP',
    ],
  },
  'one port': {
    rule: { action: 'Deny', protocol: 6, destination: { ports: [{ from: 80, to: 90 }] } },
    ...both('-p tcp -m tcp --dport 80:90 -j DROP'),
  },
  'UDPLite has no match of its own': {
    rule: { action: 'Deny', protocol: 136, destination: { ports: [{ from: 80, to: 80 }] } },
    ...both('-p udplite -m multiport --dports 80 -j DROP'),
  },
  'fifteen ports': {
    rule: { action: 'Deny', protocol: 17, source: { ports: ports(15) } },
    ...both('-p udp -m multiport --sports 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29 -j DROP'),
  },
  'more of TCP are a set': {
    rule: { action: 'Deny', protocol: 6, source: { ports: ports(16) } },
    ...both('-p tcp -m set --match-set N src -j DROP'),
    sets: [
      ports(16)
        .map(({ from }) => String(from))
        .sort(),
    ],
  },
  'no port of many': {
    rule: { action: 'Deny', protocol: 6, destination: { notPorts: ports(16) } },
    ...both(
      '-p tcp -m multiport ! --dports 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29 -m multiport ! --dports 31 -j DROP',
    ),
  },
  'a number or a name': {
    rule: { protocol: 6, destination: { ports: [{ from: 80, to: 80 }], portSets: ['p'] } },
    ipv4: [`-p tcp -m tcp --dport 80 ${allow}`, `-p tcp -m set --match-set drv-4s-p dst,dst ${allow}`, leave],
    ipv6: [`-p tcp -m tcp --dport 80 ${allow}`, `-p tcp -m set --match-set drv-6s-p dst,dst ${allow}`, leave],
  },
  'alternatives on both sides go by the scratch mark': {
    rule: {
      ...{ action: 'Deny', protocol: 6, ipVersion: 4 },
      source: { portSets: ['p', 'q'] },
      destination: { ports: [{ from: 80, to: 80 }], portSets: ['r'] },
    },
    ipv4: [
      '-j MARK --set-xmark 0x0/0x40000',
      '-p tcp -m set --match-set drv-4s-p src,src -j MARK --set-xmark 0x40000/0x40000',
      '-p tcp -m set --match-set drv-4s-q src,src -j MARK --set-xmark 0x40000/0x40000',
      '-p tcp -m tcp --dport 80 -m mark --mark 0x40000/0x40000 -j DROP',
      '-p tcp -m set --match-set drv-4s-r dst,dst -m mark --mark 0x40000/0x40000 -j DROP',
    ],
    ipv6: [],
  },
  'a line in the log is written once': {
    rule: { action: 'Log', ipVersion: 4, protocol: 6, source: { portSets: ['p', 'q'] } },
    ipv4: [
      '-j MARK --set-xmark 0x0/0x40000',
      '-p tcp -m set --match-set drv-4s-p src,src -j MARK --set-xmark 0x40000/0x40000',
      '-p tcp -m set --match-set drv-4s-q src,src -j MARK --set-xmark 0x40000/0x40000',
      '-m mark --mark 0x40000/0x40000 -j LOG --log-prefix drv web 0:  --log-level 5',
    ],
    ipv6: [],
  },
}

for (const [name, { rule, sets, ...expected }] of Object.entries(cases)) {
  t.test(name, (t) => {
    for (const family of ['ipv4', 'ipv6'] as const satisfies Family[]) {
      const literals = new LiteralSets()
      const full: ActiveRule = { position: 0, action: 'Allow', source: {}, destination: {}, ...rule }
      const lines = renderRules(
        [full],
        { kind: 'policy', id: 'GlobalNetworkPolicy/web', direction: 'inbound' },
        { family, marks, denyLogGroup: undefined, literals },
      ).map(({ args }) => args.map((arg) => (literals.wanted.has(arg) ? 'N' : arg)).join(' '))
      t.same(lines, expected[family], family)
      if (family === 'ipv4')
        t.same(
          [...literals.wanted.values()].map(({ members }) => members),
          sets ?? [],
        )
    }
    t.end()
  })
}

t.test('what is denied is told to NFLOG with the words of who denies, cut where the kernel would', (t) => {
  const id = `NetworkPolicy/${'n'.repeat(80)}/web`
  const [told, dropped] = renderRules(
    [{ position: 3, action: 'Deny', protocol: 6, source: {}, destination: {} }],
    { kind: 'policy', id, direction: 'inbound' },
    { family: 'ipv4', marks, denyLogGroup: 7, literals: new LiteralSets() },
  )
  t.same(told?.args.slice(0, 7), ['-p', 'tcp', '-j', 'NFLOG', '--nflog-group', '7', '--nflog-prefix'])
  t.equal(told?.args[7]?.length, 63)
  t.same(dropped?.args, ['-p', 'tcp', '-j', 'DROP'])
  t.end()
})
