import { type Topic, allow, deny, hostEndpoint, intoWeb, named, policy, profile } from '../case.ts'
import { mapping } from './nat.ts'

const closed = policy('closed', { selector: named('client'), ingress: [deny] })
const quiet = profile('quiet', { egress: [allow] })

export const icmpErrors: Topic = {
  topic: 'ICMP errors about a flow',
  cases: [
    {
      name: 'they come back through a closed door, about flows that were allowed alone',
      resources: [closed],
      allowed: ['client:4000 > web udp 80'],
      denied: ['web > client icmp 3/3', 'web > client icmpv6 1/4'],
      then: [
        {
          tracked: {
            allowed: [
              'web > client unreachable about client:4000 > web udp 80',
              'web > client toobig about client:4000 > web udp 80',
            ],
            denied: [
              'web > client unreachable about client:4001 > web udp 80',
              'web > client unreachable about client:4000 > web tcp 80',
              'db > client toobig about client:4000 > db udp 80',
            ],
          },
        },
      ],
    },
    {
      name: 'a router on the way says that a packet is too big for it',
      workloads: { web: { profiles: ['quiet'] } },
      resources: [quiet],
      allowed: ['web:4000 > outside tcp 443', 'web:4000 > far udp 80'],
      denied: ['peer > web echo', 'outside > web tcp 4000'],
      then: [
        {
          tracked: {
            allowed: [
              'peer > web toobig about web:4000 > outside tcp 443',
              'peer > web toobig about web:4000 > far udp 80',
              'outside > web unreachable about web:4000 > outside tcp 443',
            ],
            denied: [
              'peer > web toobig about web:4001 > outside tcp 443',
              'peer > web toobig about web:4000 > away udp 80',
            ],
          },
        },
      ],
    },
    {
      name: 'a server tells its client, about what came from outside',
      workloads: { web: { profiles: ['served'] } },
      resources: [profile('served', { ingress: [allow] })],
      allowed: ['outside:4000 > web udp 80'],
      denied: ['web > outside udp 4000', 'web > outside icmp 3/3', 'web > outside icmpv6 1/4'],
      then: [
        {
          tracked: {
            allowed: ['web > outside unreachable about outside:4000 > web udp 80'],
            denied: ['web > outside unreachable about outside:4001 > web udp 80'],
          },
        },
      ],
    },
    {
      name: 'about flows that were denied nothing comes',
      resources: [closed, intoWeb(deny)],
      denied: ['client:4000 > web udp 80'],
      then: [{ tracked: { denied: ['web > client unreachable about client:4000 > web udp 80'] } }],
    },
    {
      name: 'to the host and from it, past its host endpoint',
      resources: [
        hostEndpoint(),
        policy('p', {
          selector: "host == 'yes'",
          ingress: [{ action: 'Allow', protocol: 'UDP', destination: { ports: [9] } }],
          egress: [{ action: 'Allow', protocol: 'UDP', destination: { ports: [80] } }],
        }),
      ],
      allowed: ['host:4000 > outside udp 80', 'outside:4000 > host udp 9'],
      denied: ['outside:80 > host udp 4001', 'peer > host echo', 'host > outside echo'],
      then: [
        {
          tracked: {
            allowed: [
              'peer > host toobig about host:4000 > outside udp 80',
              'host > outside unreachable about outside:4000 > host udp 9',
            ],
            denied: ['peer > host toobig about host:4002 > outside udp 80'],
          },
        },
      ],
    },
    {
      name: 'to a workload that is seen under the address of its node',
      workloads: { web: { profiles: ['quiet'] } },
      resources: [
        quiet,
        { kind: 'IPPool', name: 'ipv4', spec: { cidr: '10.65.0.0/16', natOutgoing: true } },
        { kind: 'IPPool', name: 'ipv6', spec: { cidr: 'fd65::/48', natOutgoing: true } },
      ],
      settings: { natPortRange: '61000-61000' },
      allowed: ['web:4000 > outside udp 80 from host ports 61000-61000'],
      then: [
        {
          tracked: {
            allowed: [
              'peer > host toobig about host:61000 > outside udp 80 at web',
              'outside > host unreachable about host:61000 > outside udp 80 at web',
            ],
          },
        },
      ],
    },
    {
      name: 'through a port of the host, both ways',
      workloads: { web: { portMappings: [mapping({ protocol: 'UDP' })] } },
      resources: [policy('p', { selector: named('web'), types: ['Ingress', 'Egress'], ingress: [allow] })],
      allowed: ['outside:4000 > host udp 8080 at web:80'],
      denied: ['web > outside udp 4001'],
      then: [
        {
          tracked: {
            allowed: [
              'web > outside unreachable about outside:4000 > web udp 80 from host',
              'peer > host toobig about host:8080 > outside udp 4000 at web',
            ],
          },
        },
      ],
    },
  ],
}
