/** What runtimes say, and what the agent is then asked for. */
import { test } from 'tap'
import { readArgs } from '../../src/input/args.ts'
import { attachRequestOf } from '../../src/input/attachment.ts'
import type { CniCall } from '../../src/input/call.ts'
import { readConfiguration } from '../../src/input/configuration.ts'

const id = '96d46cbc67f2d7315d1159214fe52a8f92880ec78d325efa815183dddfd7d75b'
const call: CniCall = {
  plugin: 'drover',
  command: 'ADD',
  containerId: id,
  netns: '/run/netns/x',
  ifname: 'eth0',
  args: '',
  path: '/opt/cni/bin',
  netnsOverride: '',
  stdin: '',
}
const base = { cniVersion: '1.0.0', name: 'net', type: 'drover' }
const request = (args: string, configuration: object) =>
  attachRequestOf(call, readArgs(args), readConfiguration(JSON.stringify({ ...base, ...configuration })))
const annotated = (annotations: object): object => ({
  runtimeConfig: { 'io.kubernetes.cri.pod-annotations': annotations },
})
const kubernetes = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web1;K8S_POD_UID=u1'

const cases: readonly {
  what: string
  args?: string
  configuration?: object
  want: object
  absent?: string[]
}[] = [
  {
    what: 'nothing but the container',
    want: {
      orchestrator: 'cni',
      workload: id,
      endpoint: 'eth0',
      labels: { 'drover.network/cni-network': 'net' },
    },
    absent: ['namespace', 'addresses', 'families', 'profiles', 'portMappings', 'assignedElsewhere'],
  },
  {
    what: 'a pod of Kubernetes',
    args: kubernetes,
    want: {
      orchestrator: 'k8s',
      namespace: 'prod',
      workload: 'prod.web1',
      endpoint: 'eth0-96d46cbc67f2',
      labels: { 'drover.network/pod': 'web1', 'drover.network/pod-uid': 'u1' },
    },
  },
  {
    what: "podman's name without a namespace is no Kubernetes",
    args: 'IgnoreUnknown=1;K8S_POD_NAME=p1',
    want: { orchestrator: 'cni', workload: 'p1', labels: { 'drover.network/container': 'p1' } },
    absent: ['namespace'],
  },
  {
    what: 'Nomad',
    args: 'NOMAD_NAMESPACE=default;NOMAD_JOB_ID=web;NOMAD_GROUP_NAME=front;NOMAD_REGION=global;NOMAD_ALLOC_ID=1',
    want: {
      orchestrator: 'nomad',
      workload: 'web.front',
      namespace: 'default',
      labels: { 'drover.network/nomad-job': 'web', 'drover.network/nomad-group': 'front' },
    },
  },
  {
    what: "Mesos' labels and ports",
    configuration: {
      cniVersion: '0.2.0',
      args: {
        'org.apache.mesos': {
          network_info: {
            name: 'net',
            labels: { labels: [{ key: 'app', value: 'db' }, { key: 'bare' }] },
            port_mappings: [{ host_port: 31_000, container_port: 5432, protocol: 'tcp' }],
          },
        },
      },
    },
    want: {
      orchestrator: 'mesos',
      labels: { app: 'db', bare: '' },
      portMappings: [{ protocol: 'TCP', hostPort: 31_000, port: 5432 }],
    },
  },
  {
    what: "podman's --ip and --mac-address",
    args: 'IP=10.77.0.50;MAC=02:11:22:33:44:66',
    want: { addresses: ['10.77.0.50'], mac: '02:11:22:33:44:66' },
  },
  {
    what: 'both families by IP',
    args: 'IP=10.77.0.50/24, fd77::50',
    want: { addresses: ['10.77.0.50', 'fd77::50'] },
  },
  {
    what: 'capabilities ips and mac',
    configuration: { runtimeConfig: { ips: ['10.1.0.9/16'], mac: '02:00:00:00:00:09' } },
    want: { addresses: ['10.1.0.9'], mac: '02:00:00:00:00:09' },
  },
  {
    what: 'args.cni',
    configuration: { args: { cni: { ips: ['10.1.0.9'], labels: [{ key: 'a', value: 'b' }] } } },
    want: { addresses: ['10.1.0.9'], labels: { a: 'b' } },
  },
  {
    what: "Calico's annotations",
    configuration: annotated({
      'cni.projectcalico.org/ipAddrs': '["10.78.0.77"]',
      'cni.projectcalico.org/hwAddr': '02:00:00:00:00:07',
      'cni.projectcalico.org/ipv6pools': '["six"]',
    }),
    want: { addresses: ['10.78.0.77'], mac: '02:00:00:00:00:07', ipv6Pools: ['six'] },
  },
  {
    what: 'our annotations',
    configuration: annotated({
      'drover.network/labels': '{"role":"web","n":1}',
      'drover.network/profiles': '["open"]',
      'drover.network/reservation': 'db',
    }),
    want: { labels: { role: 'web', n: '1' }, profiles: ['open'], reservation: 'db' },
  },
  {
    what: "the pod's wish before CNI_ARGS before the network",
    args: 'IP=10.0.0.2',
    configuration: {
      ipv4Pools: ['net'],
      ...annotated({ 'drover.network/ipAddrs': '["10.0.0.1"]', 'drover.network/ipv4Pools': '["pod"]' }),
    },
    want: { addresses: ['10.0.0.1'], ipv4Pools: ['pod'] },
  },
  {
    what: 'addresses nobody assigns',
    configuration: {
      feature_control: { ip_addrs_no_ipam: true },
      ...annotated({ 'cni.projectcalico.org/ipAddrsNoIpam': '["10.9.9.9"]' }),
    },
    want: { addresses: ['10.9.9.9'], assignedElsewhere: true },
  },
  {
    what: "labels: network, then runtime, then annotation; identity is nobody else's",
    args: kubernetes,
    configuration: {
      labels: { a: '1', b: '1', c: '1' },
      args: {
        cni: {
          labels: [
            { key: 'b', value: '2' },
            { key: 'c', value: '2' },
          ],
        },
      },
      ...annotated({ 'drover.network/labels': '{"c":"3"}' }),
    },
    want: { labels: { a: '1', b: '2', c: '3', 'drover.network/pod': 'web1' } },
  },
  {
    what: "Calico's configuration",
    configuration: {
      nodename: 'n',
      etcd_endpoints: 'http://x',
      log_level: 'info',
      policy: { type: 'k8s' },
      kubernetes: { kubeconfig: '/x' },
      mtu: 1400,
      ipam: { type: 'calico-ipam', assign_ipv4: 'false', assign_ipv6: 'true', ipv6_pools: ['fd80::/48'] },
    },
    want: { mtuBytes: 1400, families: ['ipv6'], ipv6Pools: ['fd80::/48'] },
  },
  {
    what: 'IPv6 asked for beside IPv4',
    configuration: { assignIPv6: true },
    want: { families: ['ipv4', 'ipv6'] },
  },
  {
    what: 'a subnet',
    configuration: { subnet: 'fd65::/64' },
    want: { ipv6Pools: ['fd65::/64'] },
    absent: ['ipv4Pools'],
  },
  {
    what: 'a Network, a profile, a route',
    configuration: { network: 'blue', profile: 'open', defaultRoute: false, mtu: 0 },
    want: { network: 'blue', profiles: ['open'], defaultRoute: false },
    absent: ['mtuBytes'],
  },
  {
    what: 'addresses kept by name',
    args: kubernetes,
    configuration: { keepAddresses: true },
    want: { reservation: 'k8s.prod.web1.eth0' },
  },
  {
    what: "podman's reload, which says the addresses twice",
    configuration: {
      runtimeConfig: { ips: ['10.65.201.7', 'fd65::7'] },
      args: { cni: { ips: ['10.65.201.7', 'fd65::7'] } },
    },
    want: { addresses: ['10.65.201.7', 'fd65::7'] },
  },
  {
    what: "containerd's spelling of port mappings",
    configuration: {
      runtimeConfig: {
        portMappings: [{ HostPort: 8080, ContainerPort: 80, Protocol: 'tcp', HostIP: '' }],
        dns: { Servers: ['10.0.0.53'] },
        bandwidth: { IngressRate: 0 },
      },
    },
    want: { portMappings: [{ protocol: 'TCP', hostPort: 8080, port: 80 }] },
  },
  {
    what: 'port mappings; a host port of 0 is none',
    configuration: {
      runtimeConfig: {
        portMappings: [
          { hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '10.0.0.1' },
          { hostPort: 0, containerPort: 81 },
          { hostPort: 53, containerPort: 53, protocol: 'UDP', hostIP: '' },
        ],
      },
    },
    want: {
      portMappings: [
        { protocol: 'TCP', hostPort: 8080, port: 80, hostIP: '10.0.0.1' },
        { protocol: 'UDP', hostPort: 53, port: 53 },
      ],
    },
  },
]

test('what a runtime says becomes what the agent is asked for', (t) => {
  for (const { what, args = '', configuration = {}, want, absent = [] } of cases) {
    const asked = request(args, configuration)
    t.match(asked, { netns: '/run/netns/x', containerId: id, interfaceName: 'eth0', ...want }, what)
    for (const field of absent) t.notOk(field in asked, `${what}: no ${field}`)
  }
  t.end()
})

test('names that attack are carried as what they are', (t) => {
  for (const text of [
    "' rm -rf / #",
    '"\\',
    '$(id)',
    'a\nb',
    '../../x',
    'x'.repeat(300),
    '漢字',
    '__proto__',
  ]) {
    const asked = request(`IgnoreUnknown=1;K8S_POD_NAMESPACE=${text};K8S_POD_NAME=${text}`, {})
    t.equal(asked.namespace, text)
    t.equal(asked.workload, `${text}.${text}`)
    t.equal(asked.labels?.['drover.network/pod'], text)
    const labelled = request('', annotated({ 'drover.network/labels': JSON.stringify({ [text]: text }) }))
    t.equal(Object.entries(labelled.labels ?? {}).find(([key]) => key === text)?.[1], text)
  }
  t.end()
})
