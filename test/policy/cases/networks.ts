import { type Topic, allow, intoWeb, named, outOfWeb } from '../case.ts'

const clientNets = ['10.65.0.4', 'fd65::4']

export const nets: Topic = {
  topic: 'networks',
  cases: [
    {
      name: 'one address of each family at the source',
      resources: [intoWeb({ action: 'Allow', source: { nets: clientNets } })],
      allowed: ['client > web tcp 80', 'client > web echo'],
      denied: ['db > web tcp 80', 'far > web tcp 80'],
    },
    {
      name: 'networks of one family say nothing good of the other',
      resources: [intoWeb({ action: 'Allow', source: { nets: ['10.65.0.0/16'] } })],
      allowed: ['client > web tcp 80 ipv4', 'far > web tcp 80 ipv4'],
      denied: ['client > web tcp 80 ipv6', 'outside > web tcp 80'],
    },
    {
      name: 'one of several networks',
      resources: [
        intoWeb({
          action: 'Allow',
          source: { nets: ['10.65.1.0/24', 'fd65::1:0/112', '10.251.0.0/16', 'fd00:251::/64'] },
        }),
      ],
      allowed: ['far > web tcp 80', 'away > web tcp 80', 'outside > web tcp 80'],
      denied: ['client > web tcp 80', 'peer > web tcp 80'],
    },
    {
      name: 'the network of all addresses',
      resources: [intoWeb({ action: 'Allow', source: { nets: ['0.0.0.0/0', '::/0'] } })],
      allowed: ['client > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'the network of all addresses of one family',
      resources: [intoWeb({ action: 'Allow', source: { nets: ['::/0'] } })],
      allowed: ['client > web tcp 80 ipv6', 'outside > web echo ipv6'],
      denied: ['client > web tcp 80 ipv4'],
    },
    {
      name: 'networks at both sides: both must hold',
      resources: [
        intoWeb({
          action: 'Allow',
          source: { nets: ['10.65.0.0/24', 'fd65::/112'] },
          destination: { nets: ['10.65.0.1', 'fd65::1'] },
        }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['far > web tcp 80', 'outside > web tcp 80'],
    },
    {
      name: 'a destination that is not the endpoint matches nothing inbound',
      resources: [intoWeb({ action: 'Allow', destination: { nets: ['10.65.0.2', 'fd65::2'] } })],
      denied: ['client > web tcp 80'],
    },
    {
      name: 'destinations on the way out',
      resources: [outOfWeb({ action: 'Allow', destination: { nets: ['10.251.0.0/24', 'fd00:251::/64'] } })],
      allowed: ['web > outside tcp 80'],
      denied: ['web > client tcp 80', 'web > peer tcp 80', 'web > far tcp 80'],
    },
    {
      name: 'forty networks, the last one counts',
      resources: [
        intoWeb({
          action: 'Allow',
          source: {
            nets: [...Array.from({ length: 40 }, (_, n) => `172.16.${String(n)}.0/24`), ...clientNets],
          },
        }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['db > web tcp 80'],
    },
    {
      name: 'networks and a selector: both must hold',
      resources: [
        intoWeb({
          action: 'Allow',
          source: { nets: ['10.65.0.0/24', 'fd65::/112'], selector: named('client', 'far') },
        }),
      ],
      allowed: ['client > web tcp 80'],
      denied: ['far > web tcp 80', 'db > web tcp 80'],
    },
    {
      name: 'a single address inside a denied network is allowed before it',
      resources: [
        intoWeb(
          { action: 'Allow', source: { nets: clientNets } },
          { action: 'Deny', source: { nets: ['10.65.0.0/16', 'fd65::/48'] } },
          allow,
        ),
      ],
      allowed: ['client > web tcp 80', 'outside > web tcp 80', 'peer > web tcp 80'],
      denied: ['db > web tcp 80', 'far > web tcp 80'],
    },
  ],
}
