import { actor } from '../actors.ts'
import { type Topic, hostEndpoint, outOfWeb, tcp } from '../case.ts'

export const endpointToHost: Topic = {
  topic: 'from a workload to its host',
  cases: [
    {
      name: 'dropped by default',
      allowed: ['host > web tcp 80', 'web > peer tcp 80'],
      denied: ['web > host tcp 8080', 'web > host udp 9', 'web > host echo'],
    },
    {
      name: 'accepted',
      settings: { endpointToHostAction: 'Accept' },
      allowed: ['web > host tcp 8080', 'web > host udp 9', 'web > host echo'],
    },
    {
      name: "left to the host's own rules",
      settings: { endpointToHostAction: 'Return' },
      allowed: ['web > host tcp 8080', 'client > host sctp 9'],
    },
    {
      name: 'outbound policy comes first',
      settings: { endpointToHostAction: 'Accept' },
      resources: [outOfWeb(tcp('Allow', 8080))],
      allowed: ['web > host tcp 8080', 'db > host tcp 80'],
      denied: ['web > host tcp 80', 'web > host echo'],
    },
    {
      name: 'a workload without profiles reaches nothing of its host',
      workloads: { web: { profiles: [] } },
      settings: { endpointToHostAction: 'Accept' },
      denied: ['web > host tcp 8080', 'web > host tcp 22'],
    },
    {
      name: 'the host endpoint of every interface is not asked about workloads',
      settings: { endpointToHostAction: 'Return' },
      resources: [hostEndpoint({ interfaceName: '*' })],
      allowed: ['web > host tcp 8080'],
      denied: ['peer > host tcp 8080'],
    },
    {
      name: 'names are asked for where the agent answers',
      settings: { dnsListen: [actor('host').ipv4, `[${actor('host').ipv6}]`] },
      allowed: ['web > host udp 53', 'web > host tcp 53', 'client > host udp 53'],
      denied: ['web > host udp 54', 'web > host tcp 80', 'web > host echo', 'web as client > host udp 53'],
      then: [{ denied: ['web > host udp 53', 'web > host tcp 53'] }],
    },
    {
      name: 'to ask for names outbound policy must allow it; no other port is opened',
      settings: { dnsListen: [`${actor('host').ipv4}:5353`, `[${actor('host').ipv6}]:5353`] },
      resources: [outOfWeb(tcp('Allow', 5353))],
      allowed: ['web > host tcp 5353', 'db > host udp 5353'],
      denied: ['web > host udp 5353', 'db > host udp 53'],
    },
    {
      name: 'the action changes',
      denied: ['web > host tcp 8080'],
      then: [
        { settings: { endpointToHostAction: 'Accept' }, allowed: ['web > host tcp 8081'] },
        { settings: { endpointToHostAction: 'Drop' }, denied: ['web > host tcp 8082'] },
      ],
    },
  ],
}
