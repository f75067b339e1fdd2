import { type Topic, allow, hostEndpoint, intoWeb, outOfWeb, profile, tcp } from '../case.ts'

const natPools = [
  { kind: 'IPPool', name: 'ipv4', spec: { cidr: '10.65.0.0/16', natOutgoing: true } },
  { kind: 'IPPool', name: 'ipv6', spec: { cidr: 'fd65::/48', natOutgoing: true } },
] as const

export const natOutgoing: Topic = {
  topic: 'NAT outgoing',
  cases: [
    {
      name: 'without it a workload is seen under its own address',
      allowed: ['web > outside tcp 80 from web', 'web > peer udp 1 from web'],
    },
    {
      name: 'towards the world a workload of such a pool is seen under the address of its node',
      resources: natPools,
      allowed: [
        'web > outside tcp 80 from host',
        'web > peer udp 80 from host',
        'db > outside sctp 9 from host',
        'db > outside echo from host',
      ],
    },
    {
      name: 'between workloads nothing is translated, on one node and across nodes',
      resources: natPools,
      allowed: ['web > db tcp 80 from web', 'web > far tcp 80 from web', 'far > web tcp 80 from far'],
    },
    {
      name: 'towards a pool that has none nothing is translated',
      resources: [
        ...natPools,
        { kind: 'IPPool', name: 'other4', spec: { cidr: '10.251.0.0/16' } },
        { kind: 'IPPool', name: 'other6', spec: { cidr: 'fd00:251::/64' } },
      ],
      allowed: ['web > outside tcp 80 from web', 'web > peer tcp 80 from host'],
    },
    {
      name: 'one family alone',
      resources: [{ kind: 'IPPool', name: 'ipv4', spec: { cidr: '10.65.0.0/16', natOutgoing: true } }],
      allowed: ['web > outside tcp 80 from host ipv4', 'web > outside tcp 80 from web ipv6'],
    },
    {
      name: 'what comes in and what the host sends is not translated',
      resources: natPools,
      allowed: [
        'outside > web tcp 80 from outside',
        'host > outside tcp 80 from host',
        'host > web tcp 80 from host',
      ],
    },
    {
      name: "policy sees the workload's own address",
      resources: [...natPools, outOfWeb(tcp('Allow', 443))],
      allowed: ['web > outside tcp 443 from host', 'db > outside tcp 80 from host'],
      denied: ['web > outside tcp 80'],
    },
    {
      name: 'it is turned on and off',
      allowed: ['web > outside tcp 80 from web'],
      then: [
        { resources: natPools, allowed: ['web > outside tcp 81 from host'] },
        { allowed: ['web > outside tcp 82 from web'] },
      ],
    },
    {
      name: 'under an address that was chosen',
      resources: natPools,
      settings: { natOutgoingAddress: '10.250.0.77' },
      allowed: [
        'web > outside tcp 80 from 10.250.0.77 ipv4',
        'web > peer udp 80 from 10.250.0.77 ipv4',
        'db > outside echo from 10.250.0.77 ipv4',
        // The other family has none and takes the node's.
        'web > outside tcp 80 from host ipv6',
        'web > db tcp 80 from web',
        'host > outside tcp 80 from host',
      ],
    },
    {
      name: 'under a chosen address of IPv6',
      resources: natPools,
      settings: { natOutgoingAddress: 'fd00:250::77' },
      allowed: [
        'web > outside tcp 80 from fd00:250::77 ipv6',
        'db > outside sctp 9 from fd00:250::77 ipv6',
        'web > outside tcp 80 from host ipv4',
      ],
    },
    {
      name: 'from a range of ports',
      resources: natPools,
      settings: { natPortRange: '61000-61019' },
      allowed: [
        'web > outside tcp 80 from host ports 61000-61019',
        'db > outside udp 80 from host ports 61000-61019',
        'web > peer sctp 9 from host ports 61000-61019',
        // What has no ports is translated all the same.
        'web > outside echo from host',
        'web > db tcp 80 from web',
      ],
    },
    {
      name: 'from a chosen address and a range of ports',
      resources: natPools,
      settings: { natOutgoingAddress: 'fd00:250::77', natPortRange: '61000:61019' },
      allowed: [
        'web > outside tcp 80 from fd00:250::77 ports 61000-61019 ipv6',
        'web > outside udp 53 from host ports 61000-61019 ipv4',
        'web > outside echo from fd00:250::77 ipv6',
      ],
    },
    {
      name: 'two workloads that ask from one port are both translated',
      resources: natPools,
      settings: { natPortRange: '61000-61019' },
      allowed: [
        'web:4000 > outside udp 80 from host ports 61000-61019',
        'db:4000 > outside udp 80 from host ports 61000-61019',
      ],
    },
    {
      name: 'answers find the workload, at the one port that the range has',
      workloads: { web: { profiles: ['quiet'] } },
      resources: [...natPools, profile('quiet', { egress: [allow] })],
      settings: { natPortRange: '61000-61000' },
      allowed: ['web:4000 > outside udp 80 from host ports 61000-61000'],
      denied: ['outside > web udp 4000'],
      then: [{ tracked: { allowed: ['outside:80 > host udp 61000 at web:4000'] } }],
    },
    {
      name: 'address and range come and go',
      resources: natPools,
      allowed: ['web > outside tcp 80 from host'],
      then: [
        {
          resources: natPools,
          settings: { natOutgoingAddress: '10.250.0.77', natPortRange: '61000-61019' },
          allowed: ['web > outside tcp 81 from 10.250.0.77 ports 61000-61019 ipv4'],
        },
        { resources: natPools, allowed: ['web > outside tcp 82 from host'] },
      ],
    },
  ],
}

export const mapping = (extra: object = {}) =>
  ({ protocol: 'TCP', hostPort: 8080, port: 80, ...extra }) as const

export const portMappings: Topic = {
  topic: 'port mappings',
  cases: [
    {
      name: 'a port of the host leads to a workload',
      workloads: { web: { portMappings: [mapping()] } },
      allowed: [
        'outside > host tcp 8080 at web:80 from outside',
        'peer > host tcp 8080 at web:80',
        'outside > web tcp 80',
      ],
    },
    {
      name: 'other ports and protocols stay of the host',
      workloads: { web: { portMappings: [mapping()] } },
      allowed: ['outside > host tcp 8081', 'outside > host udp 8080', 'outside > host tcp 80'],
    },
    {
      name: 'UDP and SCTP',
      workloads: {
        web: { portMappings: [mapping({ protocol: 'UDP', hostPort: 53, port: 5353 })] },
        db: { portMappings: [mapping({ protocol: 'SCTP', hostPort: 3868, port: 3869 })] },
      },
      allowed: ['outside > host udp 53 at web:5353', 'outside > host sctp 3868 at db:3869'],
    },
    {
      name: "policy judges the workload's port",
      workloads: { web: { portMappings: [mapping(), mapping({ hostPort: 8081, port: 81 })] } },
      resources: [intoWeb(tcp('Allow', 80))],
      allowed: ['outside > host tcp 8080 at web:80'],
      denied: ['outside > host tcp 8081 at web:81'],
    },
    {
      name: 'policy judges the client as it is',
      workloads: { web: { portMappings: [mapping()] } },
      resources: [intoWeb({ action: 'Allow', source: { nets: ['10.250.0.2', 'fd00:250::2'] } })],
      allowed: ['peer > host tcp 8080 at web:80'],
      denied: ['outside > host tcp 8080 at web:80'],
    },
    {
      name: 'one address of the host alone',
      workloads: {
        web: { portMappings: [mapping({ hostIP: '10.250.0.1' })] },
        db: { portMappings: [mapping({ hostPort: 9090, hostIP: '10.250.0.77' })] },
      },
      allowed: [
        'outside > host tcp 8080 at web:80 ipv4',
        'outside > host tcp 8080 ipv6',
        'outside > host tcp 9090',
      ],
    },
    {
      name: 'from a workload of the same node',
      workloads: { web: { portMappings: [mapping()] } },
      allowed: ['client > host tcp 8080 at web:80'],
      denied: ['client > host tcp 8081'],
    },
    {
      name: 'a host endpoint does not ask what is translated away from it',
      workloads: { web: { portMappings: [mapping()] } },
      resources: [hostEndpoint()],
      allowed: ['outside > host tcp 8080 at web:80'],
      denied: ['outside > host tcp 8081'],
    },
    {
      name: 'a mapping comes, moves and goes',
      allowed: ['outside > host tcp 8080'],
      then: [
        { workloads: { web: { portMappings: [mapping()] } }, allowed: ['peer > host tcp 8080 at web:80'] },
        {
          workloads: { db: { portMappings: [mapping({ port: 81 })] } },
          allowed: ['outside:7001 > host tcp 8080 at db:81'],
        },
        { allowed: ['outside:7002 > host tcp 8080'] },
      ],
    },
  ],
}
