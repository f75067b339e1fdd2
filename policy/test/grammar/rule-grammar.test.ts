import { execFileSync } from 'node:child_process'
import { isDeepStrictEqual } from 'node:util'
import { type Rule, validateResource } from '@network/datastore/model'
import fc from 'fast-check'
import t from 'tap'
import { describeRuleFault, formatRule, formatRuleLine, parseRule } from '../../src/grammar/index.ts'

/** The words, the rule that they are, and the line that it is shown as where that differs from the words. */
const good: readonly (readonly [words: readonly string[], rule: Rule, line?: string])[] = [
  [['allow'], { action: 'Allow' }],
  [['deny', 'ipv6'], { action: 'Deny', ipVersion: 6 }],
  [['log', 'udp'], { action: 'Log', protocol: 'UDP' }],
  [['pass', 'protocol', '112'], { action: 'Pass', protocol: 112 }],
  [
    ['allow', 'icmp', 'type', '8', 'code', '0'],
    { action: 'Allow', protocol: 'ICMP', icmp: { type: 8, code: 0 } },
  ],
  [
    ['allow', 'icmpv6', 'type', '128', 'not', 'type', '1', 'code', '2'],
    { action: 'Allow', protocol: 'ICMPv6', icmp: { type: 128 }, notICMP: { type: 1, code: 2 } },
  ],
  [['deny', 'not', 'tcp'], { action: 'Deny', notProtocol: 'TCP' }],
  [
    ['allow', 'tcp', 'from', 'label', 'role=web', 'to', 'ports', '80,443'],
    {
      action: 'Allow',
      protocol: 'TCP',
      source: { selector: 'role == "web"' },
      destination: { ports: [80, 443] },
    },
  ],
  [
    [
      'allow',
      'tcp',
      'to',
      'ports',
      '80',
      'ports',
      'http,8000:8080',
      'from',
      'label',
      "has(a) && !(b == 'c')",
    ],
    {
      action: 'Allow',
      protocol: 'TCP',
      source: { selector: 'has(a) && !b == "c"' },
      destination: { ports: [80, 'http', '8000:8080'] },
    },
    `allow tcp from label 'has(a) && !b == "c"' to ports 80,http,8000:8080`,
  ],
  [
    ['deny', 'from', 'cidr', '10.0.0.0/8,192.0.2.1', 'not', 'cidr', '10.1.0.0/16', 'not', 'label', 'all()'],
    {
      action: 'Deny',
      source: { nets: ['10.0.0.0/8', '192.0.2.1/32'], notNets: ['10.1.0.0/16'], notSelector: 'all()' },
    },
    `deny from cidr 10.0.0.0/8,192.0.2.1/32 not cidr 10.1.0.0/16 not label 'all()'`,
  ],
  [
    ['allow', 'from', 'namespace', 'team=a', 'account', 'web,api', 'account-label', 'tier='],
    {
      action: 'Allow',
      source: {
        namespaceSelector: 'team == "a"',
        serviceAccounts: { names: ['web', 'api'], selector: 'tier == ""' },
      },
    },
  ],
  [
    ['allow', 'note', 'ticket=OPS-17', 'note', "why=it's = needed"],
    { action: 'Allow', metadata: { annotations: { ticket: 'OPS-17', why: "it's = needed" } } },
    `allow note ticket=OPS-17 note 'why=it'\\''s = needed'`,
  ],
]

t.test('words and the rule that they are', (t) => {
  for (const [words, rule, line] of good) {
    t.strictSame(parseRule(words), { ok: true, value: rule }, words.join(' '))
    t.equal(formatRuleLine(rule), line ?? words.join(' '))
  }
  t.end()
})

const bad: readonly (readonly [words: string, fault: string])[] = [
  ['', 'At the end (after word 0): a rule begins with what it does. Allowed here: allow, deny, pass, log.'],
  [
    'alow tcp',
    "At word 1, 'alow': a rule begins with what it does. Did you mean 'allow'? Allowed here: allow, deny, pass, log.",
  ],
  [
    'allow tpc',
    "At word 2, 'tpc': it has no meaning here. Did you mean 'tcp'? Allowed here: ipv4, ipv6, tcp, udp, sctp, udplite, icmp, icmpv6, protocol, not, from, to, note.",
  ],
  ['allow tcp udp', "At word 3, 'udp': it has no meaning here. Allowed here: not, from, to, note."],
  [
    'allow tcp type 8',
    "At word 3, 'type': only icmp and icmpv6 have types. Allowed here: not, from, to, note.",
  ],
  ['allow icmp type', 'At the end (after word 3): an ICMP type from 0 to 254 is expected.'],
  ['allow icmp type 255', "At word 4, '255': an ICMP type from 0 to 254 is expected."],
  ['allow protocol tcp', "At word 3, 'tcp': a protocol number from 1 to 255 is expected."],
  ['allow protocol 0', "At word 3, '0': a protocol number from 1 to 255 is expected."],
  [
    'allow from',
    "At the end (after word 2): it is not said what follows 'from'. Allowed here: cidr, label, namespace, account, account-label, ports, not.",
  ],
  [
    'allow tcp from prots 80',
    "At word 4, 'prots': it is not said what follows 'from'. Did you mean 'ports'? Allowed here: cidr, label, namespace, account, account-label, ports, not.",
  ],
  [
    'allow from cidr 10.0.0.0/8 10.1.0.0/16',
    "At word 5, '10.1.0.0/16': it has no meaning here. Allowed here: cidr, label, namespace, account, account-label, ports, not, to, note.",
  ],
  ['allow from cidr 10.0.0.0/8 from cidr 10.0.0.0/8', "At word 5, 'from': there is one 'from' in a rule."],
  [
    'allow from not namespace a=b',
    "At word 4, 'namespace': it can't follow 'not' here. Allowed here: cidr, label, ports.",
  ],
  [
    'allow from cidr 10.0.0.1/8',
    "At word 4, '10.0.0.1/8': it has host bits set, the network is 10.0.0.0/8; expected a prefix such as 10.0.0.0/16, or an address.",
  ],
  [
    'allow from cidr 10.0.0.0/8,',
    "At word 4, '10.0.0.0/8,': a prefix such as 10.0.0.0/16, or several with commas between them is expected after 'cidr'.",
  ],
  [
    'allow from label role',
    "At word 4, 'role': the selector after 'label' can't be read: the end where a comparison (==, !=, in, not in, contains, starts with, ends with) was expected after the label 'role' (column 5); write role=web, or a selector in quotes.",
  ],
  [
    'allow from label a=b label c=d',
    "At word 6, 'c=d': 'label' is given twice; join the two selectors by &&.",
  ],
  ['allow to ports 80', "At word 4, '80': ports need tcp, udp, sctp or udplite in front of from and to."],
  [
    'allow icmp to ports 80',
    "At word 5, '80': ports need tcp, udp, sctp or udplite in front of from and to.",
  ],
  [
    'allow tcp to ports 70000',
    "At word 5, '70000': expected a port 1-65535, a range such as 8000:8080, or the name of a port.",
  ],
  [
    'allow tcp to ports 90:80',
    "At word 5, '90:80': expected a port 1-65535, a range such as 8000:8080, or the name of a port.",
  ],
  ['allow ipv4 icmpv6', "At word 2, 'ipv4': expected 6, because the protocol is ICMPv6."],
  [
    'allow ipv6 from cidr 10.0.0.0/8',
    "At word 5, '10.0.0.0/8': expected an IPv6 prefix, because ipVersion is 6.",
  ],
  ['allow note ticket', "At word 3, 'ticket': a note is KEY=VALUE, such as 'note ticket=OPS-17'."],
  [
    'allow not',
    'At the end (after word 2): a protocol is expected after not. Allowed here: tcp, udp, sctp, udplite, icmp, icmpv6, protocol.',
  ],
  ['allow constructor', "At word 2, 'constructor': it has no meaning here."],
]

t.test('faults name the word, its place and what is allowed', (t) => {
  for (const [text, expected] of bad) {
    const parsed = parseRule(text === '' ? [] : text.split(' '))
    t.equal(parsed.ok, false, text)
    if (!parsed.ok) t.equal(describeRuleFault(parsed.error).slice(0, expected.length), expected)
  }
  t.end()
})

const oneOf = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const selector = oneOf(
  'all()',
  "role == 'web'",
  'role == ""',
  `note == "it's"`,
  `quote == '"'`,
  "a in {'b', 'c'} && !has(d) || !(has(e) || f != 'g h')",
  "kubernetes.io/name starts with '$(x)`y`\\\\'",
)
const nets = fc.array(oneOf('10.0.0.0/8', '192.0.2.1', 'fd00::/16', '::/0', '0.0.0.0/0'), {
  minLength: 1,
  maxLength: 3,
})
const ports = fc.array(oneOf<number | string>(80, 0, 65535, 'http', 'p.1_x', '1:2', '8000:8080'), {
  minLength: 1,
  maxLength: 3,
})
const side = (withPorts: boolean): fc.Arbitrary<object> =>
  fc.record(
    {
      nets,
      notNets: nets,
      selector,
      notSelector: selector,
      namespaceSelector: selector,
      serviceAccounts: fc.record(
        { names: fc.array(oneOf('web', 'a.b-c'), { minLength: 1, maxLength: 2 }), selector },
        { requiredKeys: [] },
      ),
      ...(withPorts ? { ports, notPorts: ports } : {}),
    },
    { requiredKeys: [] },
  )
const icmp = fc.record({ type: fc.nat(254), code: fc.nat(255) }, { requiredKeys: ['type'] })
const anyProtocol = oneOf<string | number>(
  'TCP',
  'UDP',
  'ICMP',
  'ICMPv6',
  'SCTP',
  'UDPLite',
  1,
  6,
  58,
  112,
  255,
)
const common = {
  notProtocol: anyProtocol,
  metadata: fc.record({
    annotations: fc.dictionary(oneOf('ticket', 'a/b.c'), fc.string({ maxLength: 12 }), { maxKeys: 2 }),
  }),
}
const action = oneOf('Allow', 'Deny', 'Pass', 'Log')
const ruleInput: fc.Arbitrary<object> = fc.oneof(
  fc.record(
    {
      action,
      protocol: oneOf<string | number>('TCP', 'UDP', 'SCTP', 'UDPLite', 6, 17),
      source: side(true),
      destination: side(true),
      ...common,
    },
    { requiredKeys: ['action', 'protocol'] },
  ),
  fc.record(
    {
      action,
      protocol: oneOf<string | number>('ICMP', 'ICMPv6', 1, 58),
      icmp,
      notICMP: icmp,
      source: side(false),
      destination: side(false),
      ...common,
    },
    { requiredKeys: ['action', 'protocol'] },
  ),
  fc.record(
    { action, ipVersion: oneOf(4, 6), protocol: anyProtocol, ...common },
    { requiredKeys: ['action'] },
  ),
)

/** Rules as the store keeps them. */
const rule: fc.Arbitrary<Rule> = ruleInput
  .map((given) =>
    validateResource({
      apiVersion: 'drover.network/v1',
      kind: 'Profile',
      metadata: { name: 'p' },
      spec: { ingress: [given] },
    }),
  )
  .filter((validated) => validated.ok)
  .map((validated) => {
    const [first] = (validated.value.spec as { ingress: Rule[] }).ingress
    if (first === undefined) throw new Error('a rule was given')
    return first
  })

t.test('every rule is written as words that read as the rule', (t) => {
  let fields = 0
  fc.assert(
    fc.property(rule, (given) => {
      fields = Math.max(fields, formatRule(given).length)
      return isDeepStrictEqual(parseRule(formatRule(given)), { ok: true, value: given })
    }),
    { numRuns: 2000 },
  )
  t.ok(fields > 20, `rules of up to ${String(fields)} words`)
  t.end()
})

t.test('a line goes through the shell and comes back as the words', (t) => {
  const samples = fc.sample(rule, 300)
  const script = samples.map((given) => `printf '%s\\0' ${formatRuleLine(given)}; printf '\\1'`).join('\n')
  const output = execFileSync('sh', ['-s'], { input: script, encoding: 'utf8' })
  const lines = output.split('\u0001').slice(0, -1)
  t.equal(lines.length, samples.length)
  samples.forEach((given, index) => {
    t.same(lines[index]?.split('\0').slice(0, -1), formatRule(given))
  })
  t.end()
})

t.test('any words give a rule or a fault at one of them', (t) => {
  const word = oneOf(
    ...['allow', 'log', 'ipv4', 'tcp', 'icmp', 'type', 'code', '8', 'protocol', 'not', 'from', 'to'],
    ...['cidr', '10.0.0.0/8', 'label', 'a=b', 'has(a)', 'ports', '80,x', 'namespace', 'account', 'note', ''],
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), (rest) => {
      const words = ['allow', ...rest]
      const parsed = parseRule(words)
      if (!parsed.ok) return parsed.error.word >= 1 && parsed.error.word <= words.length + 1
      return isDeepStrictEqual(parseRule(formatRule(parsed.value)), parsed)
    }),
    { numRuns: 5000 },
  )
  t.pass('every property held')
  t.end()
})
