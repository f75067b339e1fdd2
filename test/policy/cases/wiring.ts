import { type Topic, allow, deny, from, hostEndpoint, intoWeb, named, policy, profile, tcp } from '../case.ts'
import { mapping } from './nat.ts'

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
      resources: [intoWeb({ action: 'Log' }, from('Allow', 'client'), { action: 'Log' })],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'log alone decides nothing',
      resources: [intoWeb({ action: 'Log', protocol: 'TCP', destination: { ports: [80] } })],
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
    {
      name: 'what is denied is told to listeners, and denied',
      workloads: { db: { profiles: ['half'] } },
      settings: { denyLogGroup: 7 },
      resources: [
        intoWeb(from('Deny', 'db'), tcp('Allow', 80), { action: 'Pass', protocol: 'UDP' }),
        profile('half', { ingress: [tcp('Deny', 81), tcp('Allow', '80:90')], egress: [allow] }),
      ],
      allowed: ['client > web tcp 80', 'client > web udp 9', 'client > db tcp 80'],
      denied: [
        'db > web tcp 80',
        'client > web tcp 81',
        'client > db tcp 81',
        'client > db udp 9',
        'outside > web tcp 81',
      ],
    },
    {
      name: 'a rule logs what the next one denies',
      resources: [intoWeb({ ...from('Log', 'db'), protocol: 'TCP' }, from('Deny', 'db'), allow)],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80', 'db > web udp 80'],
    },
    {
      name: 'a rule of several alternatives logs and goes on',
      workloads: { db: { ports: [{ name: 'http', protocol: 'TCP', port: 8080 }] } },
      resources: [
        policy('p', {
          selector: named('db'),
          ingress: [
            { action: 'Log', protocol: 'TCP', destination: { ports: [80, 'http'] } },
            tcp('Deny', 'http'),
            tcp('Allow', '80:90'),
          ],
        }),
      ],
      allowed: ['client > db tcp 80', 'client > db tcp 81'],
      denied: ['client > db tcp 8080', 'client > db tcp 91'],
    },
    {
      name: 'host endpoints tell what they deny',
      settings: { denyLogGroup: 7 },
      resources: [
        hostEndpoint(),
        policy('p', { selector: "host == 'yes'", ingress: [tcp('Deny', 81), tcp('Allow', '80:90')] }),
      ],
      allowed: ['peer > host tcp 80', 'peer > web tcp 81'],
      denied: ['peer > host tcp 81', 'peer > host udp 80', 'host > peer tcp 80'],
    },
  ],
}
