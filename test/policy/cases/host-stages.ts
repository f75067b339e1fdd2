/** Policies of a host endpoint beside its ordinary ones: untracked, before translation, and for what passes through. */
import type { Rule } from '@network/datastore/model'
import {
  type Draft,
  type Topic,
  allow,
  deny,
  hostEndpoint,
  pass,
  policy,
  profile,
  tcp,
  tier,
} from '../case.ts'
import { host, peerNets, fromPeer, unaffected } from './hosts.ts'

const raw = (spec: object): Draft =>
  policy('raw', { selector: host, doNotTrack: true, applyOnForward: true, ...spec })

export const doNotTrack: Topic = {
  topic: 'doNotTrack',
  cases: [
    {
      name: 'what it allows in needs no other policy, and is not tracked: answers need a rule of their own',
      resources: [
        hostEndpoint(),
        raw({ ingress: [{ action: 'Allow', protocol: 'UDP', destination: { ports: [5000] } }] }),
      ],
      allowed: ['peer:4000 > host udp 5000'],
      denied: ['peer > host udp 5001', 'host:5000 > outside udp 4000'],
      then: [{ tracked: { denied: ['host:5000 > peer udp 4000'] } }],
    },
    {
      name: 'rules for both ways',
      resources: [
        hostEndpoint(),
        raw({
          ingress: [{ action: 'Allow', protocol: 'UDP', destination: { ports: [5000] } }],
          egress: [{ action: 'Allow', protocol: 'UDP', source: { ports: [5000] } }],
        }),
      ],
      allowed: ['peer:4000 > host udp 5000', 'host:5000 > outside udp 4001'],
      denied: ['peer > host tcp 5000', 'host:5001 > peer udp 4000'],
      then: [{ tracked: { allowed: ['host:5000 > peer udp 4000', 'peer:4000 > host udp 5000'] } }],
    },
    {
      name: 'what it denies no later policy can allow',
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        raw({ ingress: [{ action: 'Deny', source: { nets: ['10.251.0.0/24', 'fd00:251::/64'] } }] }),
      ],
      allowed: ['peer > host tcp 80', 'far > web tcp 80'],
      denied: ['outside > host tcp 80', 'outside > web tcp 80', 'outside > client echo'],
    },
    {
      name: 'what it does not decide goes on to tracked policy',
      resources: [
        hostEndpoint(),
        raw({ ingress: [{ action: 'Allow', protocol: 'UDP' }], egress: [] }),
        policy('p', { selector: host, ingress: [tcp('Allow', 80)] }),
      ],
      allowed: ['peer > host udp 1', 'peer > host tcp 80', 'far > web tcp 81'],
      denied: ['peer > host tcp 81'],
    },
    {
      name: 'on the way out',
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        raw({
          types: ['Egress'],
          egress: [{ action: 'Deny', protocol: 'TCP', destination: { ports: [25] } }],
        }),
      ],
      allowed: ['host > outside tcp 80', 'peer > host tcp 25', 'web > outside tcp 25'],
      denied: ['host > outside tcp 25'],
    },
    {
      name: 'what it allows through to a workload that workload still judges',
      workloads: { web: { profiles: ['http'] } },
      resources: [
        profile('http', { ingress: [tcp('Allow', 80)], egress: [allow] }),
        hostEndpoint(),
        raw({ ingress: [{ action: 'Allow', protocol: 'TCP' }] }),
        policy('through', { selector: host, applyOnForward: true, ingress: [deny] }),
      ],
      allowed: ['outside > web tcp 80'],
      denied: ['outside > web tcp 81', 'outside > web udp 80', 'outside > db udp 80'],
    },
    {
      name: 'a tier before it passes',
      resources: [
        hostEndpoint(),
        tier('first', 1),
        policy('a', {
          tier: 'first',
          selector: host,
          doNotTrack: true,
          applyOnForward: true,
          ingress: [fromPeer('Pass')],
        }),
        raw({ ingress: [{ action: 'Allow', protocol: 'UDP' }] }),
      ],
      allowed: ['peer > host udp 80'],
      denied: ['peer > host tcp 80'],
    },
  ],
}

const mapped = { web: { portMappings: [{ protocol: 'TCP', hostPort: 8080, port: 80 }] } } as const
const early = (ingress: readonly Rule[]): Draft =>
  policy('early', { selector: host, preDNAT: true, applyOnForward: true, ingress })

export const preDNAT: Topic = {
  topic: 'preDNAT',
  cases: [
    {
      name: 'it sees the port that the sender wrote',
      workloads: mapped,
      resources: [hostEndpoint({ profiles: ['open'] }), early([tcp('Deny', 8080)])],
      allowed: ['outside > web tcp 80', 'outside > host tcp 8081'],
      denied: ['outside > host tcp 8080 at web:80'],
    },
    {
      name: 'it does not see the port of the workload',
      workloads: mapped,
      resources: [hostEndpoint({ profiles: ['open'] }), early([tcp('Deny', 80)])],
      allowed: ['outside > host tcp 8080 at web:80'],
      denied: ['outside > host tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a mapped port for one client alone',
      workloads: mapped,
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        early([{ ...tcp('Allow', 8080), source: { nets: peerNets } }, tcp('Deny', 8080)]),
      ],
      allowed: ['peer > host tcp 8080 at web:80', 'outside > host tcp 9090'],
      denied: ['outside > host tcp 8080 at web:80'],
    },
    {
      name: 'what it allows no other policy of the interface is asked about',
      resources: [
        hostEndpoint(),
        early([{ ...tcp('Allow', 8080), source: { nets: peerNets } }]),
        policy('through', { selector: host, applyOnForward: true, ingress: [deny] }),
      ],
      allowed: ['peer > host tcp 8080', 'peer > web tcp 8080'],
      denied: [
        'peer > host tcp 8081',
        'outside > host tcp 8080',
        'outside > web tcp 8080',
        'peer > web tcp 8081',
      ],
    },
    {
      name: 'what it does not decide goes on',
      resources: [hostEndpoint({ profiles: ['open'] }), early([tcp('Deny', 25)])],
      allowed: ['peer > host tcp 80', 'outside > web tcp 80', 'host > outside tcp 25'],
      denied: ['peer > host tcp 25', 'outside > web tcp 25'],
    },
    {
      name: 'a tier passes to the next',
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        tier('first', 1),
        policy('a', {
          tier: 'first',
          selector: host,
          preDNAT: true,
          applyOnForward: true,
          ingress: [fromPeer('Pass'), tcp('Deny', 80)],
        }),
        early([tcp('Deny', 81)]),
      ],
      allowed: ['peer > host tcp 80'],
      denied: ['outside > host tcp 80', 'peer > host tcp 81', 'outside > host tcp 81'],
    },
  ],
}

const through = (spec: object): Draft => policy('through', { selector: host, applyOnForward: true, ...spec })

export const applyOnForward: Topic = {
  topic: 'applyOnForward',
  cases: [
    {
      name: 'without such a policy what passes through is not judged',
      resources: [hostEndpoint(), policy('p', { selector: host, ingress: [deny], egress: [deny] })],
      allowed: unaffected,
      denied: ['peer > host tcp 80'],
    },
    {
      name: 'inbound',
      resources: [hostEndpoint({ profiles: ['open'] }), through({ ingress: [tcp('Allow', 80)] })],
      allowed: ['outside > web tcp 80', 'web > outside tcp 81', 'client > web tcp 81', 'host > web tcp 81'],
      denied: ['outside > web tcp 81', 'far > web tcp 81', 'peer > host tcp 81'],
    },
    {
      name: 'outbound',
      resources: [hostEndpoint({ profiles: ['open'] }), through({ egress: [tcp('Allow', 80)] })],
      allowed: ['web > outside tcp 80', 'outside > web tcp 81', 'client > web tcp 81'],
      denied: ['web > outside tcp 81', 'web > far tcp 81', 'host > outside tcp 81'],
    },
    {
      name: 'what it allows the workload still judges',
      workloads: { web: { profiles: [] } },
      resources: [hostEndpoint({ profiles: ['open'] }), through({ ingress: [allow], egress: [allow] })],
      allowed: ['outside > db tcp 80', 'db > outside tcp 80'],
      denied: ['outside > web tcp 80', 'web > outside tcp 80'],
    },
    {
      name: 'a tier that passes at its end lets it go on',
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        tier('first', 1, 'Pass'),
        policy('a', { tier: 'first', selector: host, applyOnForward: true, ingress: [tcp('Deny', 25)] }),
      ],
      allowed: ['outside > web tcp 80'],
      denied: ['outside > web tcp 25'],
    },
    {
      name: 'all tiers pass: what passes through goes on, whatever the profiles',
      resources: [hostEndpoint(), through({ ingress: [pass] })],
      allowed: ['outside > web tcp 80'],
      denied: ['peer > host tcp 80'],
    },
    {
      name: 'policies that are not for what passes through do not end its tier',
      resources: [
        hostEndpoint({ profiles: ['open'] }),
        policy('own', { order: 1, selector: host, ingress: [tcp('Allow', 22)] }),
        through({ order: 2, ingress: [tcp('Deny', 25), pass] }),
      ],
      allowed: ['outside > web tcp 80', 'peer > host tcp 80'],
      denied: ['outside > web tcp 25', 'peer > host tcp 25'],
    },
    {
      name: 'on every interface of the host',
      resources: [
        hostEndpoint({ interfaceName: '*', profiles: ['open'] }),
        through({ ingress: [tcp('Deny', 25), pass] }),
      ],
      allowed: ['outside > web tcp 80', 'client > web tcp 25', 'web > outside tcp 25'],
      denied: ['outside > web tcp 25', 'peer > host tcp 25'],
    },
  ],
}
