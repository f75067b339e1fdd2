import { type Topic, allow, deny, from, hostEndpoint, named, policy, profile, tcp } from '../case.ts'

export const spoofedSource: Topic = {
  topic: 'spoofed sources',
  cases: [
    {
      name: "a workload sends from its own addresses alone: not from a neighbour's, not from a stranger's",
      settings: { endpointToHostAction: 'Accept' },
      allowed: ['web > db tcp 80', 'web > outside tcp 80', 'web > host tcp 80'],
      denied: [
        'web as client > db tcp 80',
        'web as 10.99.0.1 > db tcp 80',
        'web as fd99::1 > db tcp 80',
        'web as far > outside tcp 80',
        'web as outside > db echo',
        'web as client > host tcp 80',
        'web as host > db tcp 80',
      ],
    },
    {
      name: 'prefixes that it may send from besides',
      workloads: { web: { allowSpoofedSourcePrefixes: ['10.99.0.0/24', 'fd99::/64'] } },
      allowed: ['web as 10.99.0.1 > db tcp 80', 'web as fd99::1 > outside tcp 80', 'web > db tcp 80'],
      denied: [
        'web as 10.99.1.1 > db tcp 80',
        'web as fd99:0:0:1::1 > db tcp 80',
        'db as 10.99.0.1 > web tcp 80',
        'web as client > db tcp 80',
      ],
    },
    {
      name: 'a spoofed source gains nothing by policy',
      resources: [policy('p', { selector: named('db'), ingress: [from('Allow', 'client')] })],
      allowed: ['client > db tcp 80'],
      denied: ['web as client > db tcp 80', 'web > db tcp 80', 'stray as client > db tcp 80'],
    },
    {
      name: 'the permission is given and taken away',
      denied: ['web as 10.99.0.1 > db tcp 80'],
      then: [
        {
          workloads: { web: { allowSpoofedSourcePrefixes: ['10.99.0.0/24'] } },
          allowed: ['web as 10.99.0.1 > db tcp 81'],
        },
        { denied: ['web as 10.99.0.1 > db tcp 82'] },
      ],
    },
  ],
}

export const unknownInterfaces: Topic = {
  topic: 'interfaces that no endpoint has',
  cases: [
    {
      name: 'an interface of ours that nobody knows is closed both ways',
      settings: { endpointToHostAction: 'Accept' },
      denied: [
        'stray > web tcp 80',
        'stray > host tcp 80',
        'stray > outside tcp 80',
        'client > stray tcp 80',
        'outside > stray tcp 80',
      ],
      allowed: ['client > web tcp 80'],
    },
    {
      name: 'an endpoint goes and comes again',
      allowed: ['client > db tcp 80', 'client > db2 tcp 80'],
      then: [
        {
          workloads: { db: 'gone' },
          allowed: ['client > db2 tcp 81', 'web > client tcp 81'],
          denied: ['client > db tcp 81', 'db > client tcp 81', 'db > outside tcp 81', 'outside > db tcp 81'],
        },
        { allowed: ['client > db tcp 82', 'db > client tcp 82'] },
      ],
    },
    {
      name: 'the last endpoint goes',
      workloads: { web: 'gone', db: 'gone', db2: 'gone', client: 'gone' },
      allowed: ['peer > host tcp 80', 'host > outside tcp 80'],
      denied: ['client > web tcp 80', 'outside > web tcp 80', 'web > outside tcp 80'],
    },
  ],
}

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
      resources: [...natPools, policy('p', { selector: named('web'), egress: [tcp('Allow', 443)] })],
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
  ],
}

const mapping = (extra: object = {}) => ({ protocol: 'TCP', hostPort: 8080, port: 80, ...extra }) as const

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
      resources: [policy('p', { selector: named('web'), ingress: [tcp('Allow', 80)] })],
      allowed: ['outside > host tcp 8080 at web:80'],
      denied: ['outside > host tcp 8081 at web:81'],
    },
    {
      name: 'policy judges the client as it is',
      workloads: { web: { portMappings: [mapping()] } },
      resources: [
        policy('p', {
          selector: named('web'),
          ingress: [{ action: 'Allow', source: { nets: ['10.250.0.2', 'fd00:250::2'] } }],
        }),
      ],
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

export const establishedFlows: Topic = {
  topic: 'established flows',
  cases: [
    {
      name: 'answers of UDP come through a closed door, new flows do not',
      resources: [policy('p', { selector: named('client'), ingress: [deny] })],
      allowed: ['client:4000 > web udp 80'],
      denied: ['web:80 > client udp 4001'],
      then: [
        {
          tracked: {
            allowed: ['web:80 > client udp 4000'],
            denied: ['web:81 > client udp 4000', 'db:80 > client udp 4000'],
          },
        },
      ],
    },
    {
      name: 'the answers of a TCP handshake',
      resources: [policy('p', { selector: named('client'), ingress: [deny] })],
      allowed: ['client:4000 > web tcp 80'],
      denied: ['web:80 > client tcp 4001'],
      then: [
        { tracked: { allowed: ['web:80 > client tcp 4000 synack'] } },
        { tracked: { allowed: ['client:4000 > web tcp 80 ack'] } },
      ],
    },
    {
      name: 'an answer to a question that nobody asked is dropped, also where everything is allowed',
      tracked: {
        denied: [
          'web:80 > client tcp 4000 synack',
          'outside:80 > web tcp 4000 synack',
          'web:80 > outside tcp 4000 synack',
        ],
      },
    },
    {
      name: 'answers across nodes and to the host',
      workloads: { web: { profiles: ['quiet'] } },
      resources: [profile('quiet', { egress: [allow] })],
      allowed: ['web:4000 > far udp 80', 'web:4000 > outside udp 80', 'host:4000 > web udp 80'],
      denied: ['far > web udp 4000', 'outside > web udp 4000'],
      then: [
        {
          workloads: { web: { profiles: ['quiet'] } },
          resources: [profile('quiet', { egress: [allow] })],
          tracked: {
            allowed: ['far:80 > web udp 4000', 'outside:80 > web udp 4000', 'web:80 > host udp 4000'],
            denied: ['away:80 > web udp 4000'],
          },
        },
      ],
    },
    {
      name: 'answers to what the host asked pass its host endpoint',
      resources: [
        hostEndpoint(),
        policy('p', {
          selector: "host == 'yes'",
          egress: [tcp('Allow', 80), { action: 'Allow', protocol: 'UDP' }],
        }),
      ],
      allowed: ['host:4000 > outside udp 80'],
      denied: ['outside:80 > host udp 4001'],
      then: [
        { tracked: { allowed: ['outside:80 > host udp 4000'], denied: ['outside:81 > host udp 4000'] } },
      ],
    },
    {
      name: 'answers come back through a port mapping under the address that was asked',
      workloads: { web: { portMappings: [mapping({ protocol: 'UDP' })] } },
      resources: [policy('p', { selector: named('web'), types: ['Ingress', 'Egress'], ingress: [allow] })],
      allowed: ['outside:4000 > host udp 8080 at web:80'],
      denied: ['web > outside udp 4001'],
      then: [{ tracked: { allowed: ['web:80 > outside udp 4000 from host'] } }],
    },
  ],
}

export const logging: Topic = {
  topic: 'log',
  cases: [
    {
      name: 'log goes on to the next rule',
      resources: [
        policy('p', {
          selector: named('web'),
          ingress: [{ action: 'Log' }, from('Allow', 'client'), { action: 'Log' }],
        }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'log alone decides nothing',
      resources: [
        policy('p', {
          selector: named('web'),
          ingress: [{ action: 'Log', protocol: 'TCP', destination: { ports: [80] } }],
        }),
      ],
      denied: ['client > web tcp 80', 'client > web tcp 81'],
    },
    {
      name: 'log in a profile',
      workloads: { web: { profiles: ['logged', 'open'] } },
      resources: [
        profile('logged', { ingress: [{ action: 'Log' }, tcp('Deny', 81)], egress: [{ action: 'Log' }] }),
      ],
      allowed: ['client > web tcp 80', 'web > client tcp 80'],
      denied: ['client > web tcp 81'],
    },
  ],
}
