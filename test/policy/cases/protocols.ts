import { type Topic, allow, deny, from, intoWeb, named, outOfWeb, policy, tcp } from '../case.ts'

const web = named('web')

export const icmp: Topic = {
  topic: 'ICMP',
  cases: [
    {
      name: 'ICMP of both versions, and nothing else',
      resources: [intoWeb({ action: 'Allow', protocol: 'ICMP' }, { action: 'Allow', protocol: 'ICMPv6' })],
      allowed: ['client > web echo', 'client > web icmp 13/0', 'client > web icmpv6 139/0', 'far > web echo'],
      denied: ['client > web tcp 80', 'client > web udp 1'],
    },
    {
      name: 'ICMP means IPv4',
      resources: [intoWeb({ action: 'Allow', protocol: 'ICMP' })],
      allowed: ['client > web echo ipv4'],
      denied: ['client > web echo ipv6'],
    },
    {
      name: 'ICMPv6 means IPv6',
      resources: [intoWeb({ action: 'Allow', protocol: 'ICMPv6' })],
      allowed: ['client > web echo ipv6'],
      denied: ['client > web echo ipv4'],
    },
    {
      name: 'one type',
      resources: [intoWeb({ action: 'Allow', protocol: 'ICMP', icmp: { type: 8 } })],
      allowed: ['client > web echo ipv4', 'client > web icmp 8/3'],
      denied: ['client > web icmp 13/0', 'client > web echo ipv6'],
    },
    {
      name: 'one type and code',
      resources: [intoWeb({ action: 'Allow', protocol: 'ICMP', icmp: { type: 8, code: 0 } })],
      allowed: ['client > web icmp 8/0'],
      denied: ['client > web icmp 8/1', 'client > web icmp 13/0'],
    },
    {
      name: 'one type of ICMPv6',
      resources: [intoWeb({ action: 'Allow', protocol: 'ICMPv6', icmp: { type: 128 } })],
      allowed: ['client > web icmpv6 128/0', 'client > web icmpv6 128/7'],
      denied: ['client > web icmpv6 139/0', 'client > web echo ipv4'],
    },
    {
      name: 'all but one type',
      resources: [
        intoWeb(
          { action: 'Allow', protocol: 'ICMP', notICMP: { type: 8 } },
          { action: 'Allow', protocol: 'ICMPv6', notICMP: { type: 128 } },
        ),
      ],
      allowed: ['client > web icmp 13/0', 'client > web icmpv6 139/0'],
      denied: ['client > web echo'],
    },
    {
      name: 'all but one type and code',
      resources: [intoWeb({ action: 'Allow', protocol: 'ICMP', notICMP: { type: 8, code: 0 } })],
      allowed: ['client > web icmp 8/1', 'client > web icmp 13/0'],
      denied: ['client > web icmp 8/0'],
    },
    {
      name: 'a type that is asked for and a code that is not wanted',
      resources: [
        intoWeb({ action: 'Allow', protocol: 'ICMP', icmp: { type: 8 }, notICMP: { type: 8, code: 4 } }),
      ],
      allowed: ['client > web icmp 8/0', 'client > web icmp 8/5'],
      denied: ['client > web icmp 8/4', 'client > web icmp 13/0'],
    },
    {
      name: 'ping is denied, the rest is allowed',
      resources: [
        intoWeb(
          { action: 'Deny', protocol: 'ICMP', icmp: { type: 8 } },
          { action: 'Deny', protocol: 'ICMPv6', icmp: { type: 128 } },
          allow,
        ),
      ],
      allowed: ['client > web tcp 80', 'client > web icmp 13/0', 'web > client echo'],
      denied: ['client > web echo', 'outside > web echo'],
    },
    {
      name: 'the protocol as a number',
      resources: [intoWeb({ action: 'Allow', protocol: 1 })],
      allowed: ['client > web echo ipv4', 'client > web icmp 13/0'],
      denied: ['client > web echo ipv6', 'client > web tcp 80'],
    },
    {
      name: 'on the way out, from a selector',
      resources: [
        outOfWeb(
          {
            action: 'Allow',
            protocol: 'ICMP',
            icmp: { type: 8 },
            destination: { selector: named('db', 'far') },
          },
          {
            action: 'Allow',
            protocol: 'ICMPv6',
            icmp: { type: 128 },
            destination: { selector: named('db', 'far') },
          },
        ),
      ],
      allowed: ['web > db echo', 'web > far echo'],
      denied: ['web > client echo', 'web > outside echo', 'web > db tcp 80'],
    },
  ],
}

export const protocols: Topic = {
  topic: 'SCTP and other protocols',
  cases: [
    {
      name: 'SCTP',
      resources: [intoWeb({ action: 'Allow', protocol: 'SCTP' })],
      allowed: ['client > web sctp 9', 'far > web sctp 65000'],
      denied: ['client > web tcp 9', 'client > web udp 9', 'client > web echo'],
    },
    {
      name: 'ports of SCTP',
      resources: [
        intoWeb({ action: 'Allow', protocol: 'SCTP', destination: { ports: [3868, '5000:5010'] } }),
      ],
      allowed: ['client > web sctp 3868', 'client > web sctp 5010'],
      denied: ['client > web sctp 3869', 'client > web sctp 5011', 'client > web tcp 3868'],
    },
    {
      name: 'more than fifteen ports of SCTP',
      resources: [
        intoWeb({
          action: 'Allow',
          protocol: 'SCTP',
          destination: { ports: Array.from({ length: 20 }, (_, n) => 100 + 2 * n) },
        }),
      ],
      allowed: ['client > web sctp 100', 'client > web sctp 138'],
      denied: ['client > web sctp 101', 'client > web sctp 140'],
    },
    {
      name: 'source ports of SCTP that are not wanted',
      resources: [intoWeb({ action: 'Allow', protocol: 'SCTP', source: { notPorts: [4000] } })],
      allowed: ['client:4001 > web sctp 9'],
      denied: ['client:4000 > web sctp 9'],
    },
    {
      name: 'UDPLite and its ports',
      resources: [intoWeb({ action: 'Allow', protocol: 'UDPLite', destination: { ports: [9, '20:30'] } })],
      allowed: ['client > web udplite 9', 'client > web udplite 25'],
      denied: ['client > web udplite 31', 'client > web udp 9'],
    },
    {
      name: 'a protocol by its number',
      resources: [intoWeb({ action: 'Allow', protocol: 99 })],
      allowed: ['client > web protocol 99'],
      denied: ['client > web tcp 80', 'client > web protocol 103'],
    },
    {
      name: 'numbers mean the same as names',
      resources: [
        intoWeb(
          { action: 'Allow', protocol: 6, destination: { ports: [80] } },
          { action: 'Allow', protocol: 17, destination: { ports: [53] } },
          { action: 'Allow', protocol: 132 },
        ),
      ],
      allowed: ['client > web tcp 80', 'client > web udp 53', 'client > web sctp 1'],
      denied: ['client > web tcp 53', 'client > web udp 80', 'client > web udplite 80'],
    },
    {
      name: 'all but one protocol',
      resources: [intoWeb({ action: 'Allow', notProtocol: 'TCP' })],
      allowed: [
        'client > web udp 80',
        'client > web sctp 80',
        'client > web echo',
        'client > web protocol 99',
      ],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'all but one protocol by its number',
      resources: [intoWeb({ action: 'Allow', notProtocol: 99 })],
      allowed: ['client > web udp 80', 'client > web tcp 80'],
      denied: ['client > web protocol 99'],
    },
    {
      name: 'UDP is not TCP',
      resources: [intoWeb({ ...from('Allow', 'client'), protocol: 'UDP' }, tcp('Allow', 1), deny)],
      allowed: ['client > web udp 80', 'db > web tcp 1'],
      denied: ['client > web tcp 80', 'db > web udp 80', 'db > web tcp 2'],
    },
    {
      name: 'IP version 4 alone, and version 6 alone',
      resources: [
        policy('v4', { selector: web, ingress: [{ action: 'Allow', ipVersion: 4 }] }),
        policy('v6', { selector: named('db'), ingress: [{ action: 'Allow', ipVersion: 6 }] }),
      ],
      allowed: ['client > web tcp 80 ipv4', 'client > db tcp 80 ipv6', 'client > db echo ipv6'],
      denied: ['client > web tcp 80 ipv6', 'client > db tcp 80 ipv4', 'client > db echo ipv4'],
    },
  ],
}
