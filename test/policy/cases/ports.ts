import type { EndpointPort } from '@network/datastore/model'
import { type Topic, allow, from, intoWeb, named, outOfWeb, policy, tcp } from '../case.ts'

const http: EndpointPort = { name: 'http', protocol: 'TCP', port: 8080 }
const dns: EndpointPort = { name: 'dns', protocol: 'UDP', port: 53 }

export const namedPorts: Topic = {
  topic: 'named ports',
  cases: [
    {
      name: 'a port by its name at the destination',
      workloads: { web: { ports: [http] } },
      resources: [intoWeb(tcp('Allow', 'http'))],
      allowed: ['client > web tcp 8080', 'outside > web tcp 8080'],
      denied: ['client > web tcp 80', 'client > web udp 8080', 'client > web sctp 8080'],
    },
    {
      name: 'one name, another number at each endpoint',
      workloads: { web: { ports: [http] }, db: { ports: [{ name: 'http', protocol: 'TCP', port: 80 }] } },
      resources: [policy('p', { selector: named('web', 'db'), ingress: [tcp('Allow', 'http')] })],
      allowed: ['client > web tcp 8080', 'client > db tcp 80'],
      denied: ['client > web tcp 80', 'client > db tcp 8080'],
    },
    {
      name: 'an endpoint without a port of that name has none',
      workloads: { web: { ports: [dns] } },
      resources: [intoWeb(tcp('Allow', 'http'))],
      denied: ['client > web tcp 8080', 'client > web udp 53'],
    },
    {
      name: "a port of that name and of another protocol doesn't count",
      workloads: { web: { ports: [{ name: 'dns', protocol: 'TCP', port: 53 }] } },
      resources: [intoWeb({ action: 'Allow', protocol: 'UDP', destination: { ports: ['dns'] } })],
      denied: ['client > web udp 53', 'client > web tcp 53'],
    },
    {
      name: 'names and numbers and ranges in one list: one of them is enough',
      workloads: { web: { ports: [http] } },
      resources: [intoWeb(tcp('Allow', 'http', 443, '9000:9002'))],
      allowed: [
        'client > web tcp 8080',
        'client > web tcp 443',
        'client > web tcp 9000',
        'client > web tcp 9002',
      ],
      denied: ['client > web tcp 9003', 'client > web tcp 8999', 'client > web udp 443'],
    },
    {
      name: 'a port by its name at the source',
      workloads: { client: { ports: [http] } },
      resources: [intoWeb({ action: 'Allow', protocol: 'TCP', source: { ports: ['http'] } })],
      allowed: ['client:8080 > web tcp 80'],
      denied: ['client:8081 > web tcp 80', 'db:8080 > web tcp 80'],
    },
    {
      name: 'all but a port by its name',
      workloads: { web: { ports: [http] } },
      resources: [intoWeb({ action: 'Allow', protocol: 'TCP', destination: { notPorts: ['http', 22] } })],
      allowed: ['client > web tcp 80'],
      denied: ['client > web tcp 8080', 'client > web tcp 22', 'client > web udp 80'],
    },
    {
      name: 'a port by its name on another node, on the way out',
      workloads: { far: { ports: [http] }, away: { ports: [{ name: 'http', protocol: 'TCP', port: 81 }] } },
      resources: [outOfWeb(tcp('Allow', 'http'))],
      allowed: ['web > far tcp 8080', 'web > away tcp 81'],
      denied: ['web > far tcp 81', 'web > away tcp 8080', 'web > outside tcp 8080'],
    },
    {
      name: 'a selector beside the name narrows it',
      workloads: { far: { ports: [http] }, away: { ports: [http] }, db: { ports: [http] } },
      resources: [
        outOfWeb({
          action: 'Allow',
          protocol: 'TCP',
          destination: { selector: named('far', 'db2'), ports: ['http', 22] },
        }),
      ],
      allowed: ['web > far tcp 8080', 'web > far tcp 22', 'web > db2 tcp 22'],
      denied: ['web > away tcp 8080', 'web > db tcp 8080', 'web > db2 tcp 8080', 'web > db tcp 22'],
    },
    {
      name: 'ports of UDP and SCTP by their names',
      workloads: { web: { ports: [dns, { name: 'sig', protocol: 'SCTP', port: 3868 }] } },
      resources: [
        intoWeb(
          { action: 'Allow', protocol: 'UDP', destination: { ports: ['dns'] } },
          { action: 'Allow', protocol: 'SCTP', destination: { ports: ['sig'] } },
        ),
      ],
      allowed: ['client > web udp 53', 'client > web sctp 3868'],
      denied: ['client > web tcp 53', 'client > web udp 3868', 'client > web sctp 53'],
    },
    {
      name: 'one name for several ports of an endpoint',
      workloads: { web: { ports: [http, { name: 'http', protocol: 'TCP', port: 8081 }] } },
      resources: [intoWeb(tcp('Allow', 'http'))],
      allowed: ['client > web tcp 8080', 'client > web tcp 8081'],
      denied: ['client > web tcp 8082'],
    },
    {
      name: 'an endpoint moves its port',
      workloads: { web: { ports: [http] } },
      resources: [intoWeb(tcp('Allow', 'http'))],
      allowed: ['client > web tcp 8080'],
      denied: ['client > web tcp 9090'],
      then: [
        {
          workloads: { web: { ports: [{ name: 'http', protocol: 'TCP', port: 9090 }] } },
          resources: [intoWeb(tcp('Allow', 'http'))],
          allowed: ['db > web tcp 9090'],
          denied: ['db > web tcp 8080'],
        },
      ],
    },
    {
      name: 'a network set has no named ports',
      resources: [
        {
          kind: 'GlobalNetworkSet',
          name: 'world',
          labels: { world: 'yes' },
          spec: { nets: ['10.251.0.0/16', 'fd00:251::/64'] },
        },
        outOfWeb({
          action: 'Allow',
          protocol: 'TCP',
          destination: { selector: "world == 'yes'", ports: ['http'] },
        }),
      ],
      denied: ['web > outside tcp 80', 'web > outside tcp 8080'],
    },
  ],
}

/** Single ports: one place of fifteen each. */
const singles = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, n) => first + 2 * n)

export const portLists: Topic = {
  topic: 'lists of ports',
  cases: [
    {
      name: 'a number, a range, both ends included',
      resources: [intoWeb(tcp('Allow', 80, '1000:1010'))],
      allowed: [
        'client > web tcp 80',
        'client > web tcp 1000',
        'client > web tcp 1005',
        'client > web tcp 1010',
      ],
      denied: ['client > web tcp 79', 'client > web tcp 81', 'client > web tcp 999', 'client > web tcp 1011'],
    },
    {
      name: 'fifteen ports, as many as one match takes',
      resources: [intoWeb(tcp('Allow', ...singles(1000, 15)))],
      allowed: ['client > web tcp 1000', 'client > web tcp 1028'],
      denied: ['client > web tcp 1001', 'client > web tcp 1030'],
    },
    {
      name: 'sixteen ports',
      resources: [intoWeb(tcp('Allow', ...singles(1000, 16)))],
      allowed: ['client > web tcp 1000', 'client > web tcp 1028', 'client > web tcp 1030'],
      denied: ['client > web tcp 1001', 'client > web tcp 1032'],
    },
    {
      name: 'fifty ports and ranges',
      resources: [
        intoWeb(
          tcp(
            'Allow',
            ...singles(1000, 30),
            ...singles(3000, 20).map((n) => `${String(n * 2)}:${String(n * 2 + 1)}`),
          ),
        ),
      ],
      allowed: [
        'client > web tcp 1058',
        'client > web tcp 6000',
        'client > web tcp 6001',
        'client > web tcp 6077',
      ],
      denied: [
        'client > web tcp 1059',
        'client > web tcp 6002',
        'client > web tcp 6078',
        'client > web udp 1058',
      ],
    },
    {
      name: 'all but forty ports',
      resources: [
        intoWeb({ action: 'Allow', protocol: 'TCP', destination: { notPorts: singles(1000, 40) } }),
      ],
      allowed: ['client > web tcp 1001', 'client > web tcp 999', 'client > web tcp 1080'],
      denied: ['client > web tcp 1000', 'client > web tcp 1030', 'client > web tcp 1078'],
    },
    {
      name: 'many ports on both sides: each must hold',
      resources: [
        intoWeb({
          action: 'Allow',
          protocol: 'UDP',
          source: { ports: singles(20_000, 20) },
          destination: { ports: singles(1000, 20) },
        }),
      ],
      allowed: ['client:20038 > web udp 1038', 'client:20000 > web udp 1000'],
      denied: ['client:20039 > web udp 1038', 'client:20038 > web udp 1039', 'client:1038 > web udp 20038'],
    },
    {
      name: 'many ports that are denied and the rest that is allowed',
      resources: [intoWeb(tcp('Deny', ...singles(1000, 33)), allow)],
      allowed: ['client > web tcp 1001', 'client > web udp 1000', 'client > web tcp 1066'],
      denied: ['client > web tcp 1000', 'client > web tcp 1064'],
    },
    {
      name: 'ports of the source and a selector',
      resources: [
        intoWeb({
          action: 'Allow',
          protocol: 'TCP',
          source: { selector: named('client'), ports: ['1024:65535'] },
        }),
      ],
      allowed: ['client:1024 > web tcp 80', 'client:65535 > web tcp 80'],
      denied: ['client:1023 > web tcp 80', 'db:2000 > web tcp 80'],
    },
    {
      name: 'ports that are in the list and not in the other',
      resources: [
        intoWeb({
          action: 'Allow',
          protocol: 'TCP',
          destination: { ports: ['8000:8100'], notPorts: [8050, '8090:8095'] },
        }),
      ],
      allowed: ['client > web tcp 8000', 'client > web tcp 8089', 'client > web tcp 8100'],
      denied: [
        'client > web tcp 8050',
        'client > web tcp 8090',
        'client > web tcp 8095',
        'client > web tcp 8101',
      ],
    },
    {
      name: 'port 65535 and port 1',
      resources: [intoWeb(tcp('Allow', 65_535, 1))],
      allowed: ['client > web tcp 65535', 'client > web tcp 1'],
      denied: ['client > web tcp 65534', 'client > web tcp 2'],
    },
    {
      name: 'a rule for one client among many ports',
      resources: [
        intoWeb(
          { ...from('Allow', 'client'), protocol: 'TCP', destination: { ports: singles(2000, 31) } },
          tcp('Allow', 443),
        ),
      ],
      allowed: ['client > web tcp 2060', 'db > web tcp 443'],
      denied: ['db > web tcp 2060', 'client > web tcp 2061'],
    },
  ],
}
