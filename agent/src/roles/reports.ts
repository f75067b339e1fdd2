/** The agent's state in the words of the local API. */
import type { ExportExplanation, PeerStatus, RouteExplanation, RouteStatus } from '@network/bgp'
import type { AuditReport as IpamAuditReport, RepairReport } from '@network/datastore'
import type {
  AuditFinding,
  AuditReport,
  BgpExportReport,
  BgpPeerReport,
  BgpRouteReport,
  EndpointReport,
} from '../client/messages.ts'
import type { ItemFault } from '../drivers/driver.ts'
import type { LocalEndpoint } from '../endpoint/local-endpoints.ts'
import type { KnownInterface } from '../drivers/interface-driver.ts'

export function peerReport(
  status: PeerStatus,
  given: { origin: string; port: number; shutdown: string | undefined },
): BgpPeerReport {
  const { prefixes, counters, negotiated } = status
  return {
    name: status.name,
    address: status.address,
    port: given.port,
    asn: status.asn ?? 0,
    state: status.state,
    since: status.since,
    origin: given.origin,
    ...(given.shutdown === undefined ? {} : { shutdown: given.shutdown }),
    routerId: status.routerId,
    families: (['ipv4', 'ipv6'] as const).filter((family) =>
      negotiated?.families.some((name) => name.toLowerCase().startsWith(family)),
    ),
    holdTimeSeconds: negotiated?.holdTimeSeconds,
    keepaliveSeconds: negotiated?.keepaliveSeconds,
    prefixesReceived: prefixes.ipv4.received + prefixes.ipv6.received,
    prefixesAccepted: prefixes.ipv4.accepted + prefixes.ipv6.accepted,
    prefixesSent: prefixes.ipv4.advertised + prefixes.ipv6.advertised,
    messagesIn: counters.messagesIn,
    messagesOut: counters.messagesOut,
    flaps: counters.dropped,
    lastError:
      status.lastError === undefined
        ? undefined
        : { ...status.lastError, current: status.state !== 'Established' },
  }
}

export function routeReport(route: RouteStatus | RouteExplanation): BgpRouteReport {
  const attribute = (name: string): string | undefined =>
    route.attributes.find((each) => each.name === name)?.value
  const number = (name: string): number | undefined => {
    const text = attribute(name)
    return text === undefined ? undefined : Number(text)
  }
  return {
    prefix: route.prefix,
    best: route.best,
    nextHops: route.nextHop === undefined ? [] : [route.nextHop],
    asPath: attribute('AS_PATH') ?? '',
    origin: attribute('ORIGIN') ?? '',
    localPreference: number('LOCAL_PREF'),
    med: number('MULTI_EXIT_DISC'),
    communities: ['COMMUNITIES', 'LARGE_COMMUNITY'].flatMap((name) => attribute(name)?.split(' ') ?? []),
    from: route.local ? 'local' : (route.peer ?? ''),
    accepted: route.accepted,
    stale: route.stale,
    multipath: 'multipath' in route && route.multipath,
    pathId: route.pathId,
    step: 'decidedBy' in route ? route.decidedBy : undefined,
    decidedBy: 'why' in route ? route.why : undefined,
  }
}

export function exportReport(explained: ExportExplanation): BgpExportReport {
  const { peer, sent, decidedBy: step, why: decidedBy, from, pathId } = explained
  return { peer, sent, step, decidedBy, from, pathId }
}

export function endpointReport(
  { endpoint }: LocalEndpoint,
  interfaces: readonly KnownInterface[],
  faults: readonly ItemFault[],
): EndpointReport {
  const { spec, metadata } = endpoint
  const hostInterface = spec.interfaceName ?? ''
  const present = spec.interfaceName === undefined || interfaces.some(({ name }) => name === hostInterface)
  const routed = !faults.some(({ key }) => spec.ipNetworks.includes(key))
  return {
    endpoint: `${spec.orchestrator}/${spec.workload}/${spec.endpoint}`,
    orchestrator: spec.orchestrator,
    workload: spec.workload,
    containerId: spec.containerID ?? '',
    containerInterface: spec.containerInterface ?? '',
    hostInterface,
    mac: spec.mac ?? '',
    addresses: [...spec.ipNetworks],
    profiles: [...spec.profiles],
    labels: { ...metadata.labels },
    portMappings: (spec.portMappings ?? []).map((mapping) => ({ ...mapping })),
    state: !present ? 'interface-missing' : routed ? 'up' : 'route-missing',
  }
}

export function auditReport(report: IpamAuditReport, repairs: RepairReport | undefined): AuditReport {
  return {
    findings: report.findings.map((finding): AuditFinding => {
      const repair = repairs?.outcomes.find((outcome) => outcome.finding.id === finding.id)
      return {
        kind: finding.kind,
        message: `${findingText(finding)}${repair === undefined ? '' : ` ${repair.detail}`}`,
        ...('address' in finding ? { address: finding.address } : {}),
        ...('handle' in finding ? { handle: finding.handle } : {}),
        fixed: repair?.outcome === 'repaired',
      }
    }),
    addressesHeld: report.checked.addresses,
    endpoints: report.checked.endpoints,
    complete: true,
  }
}

function findingText(finding: IpamAuditReport['findings'][number]): string {
  switch (finding.kind) {
    case 'leaked-address':
      return `${finding.address} is allocated in ${finding.block}, but no handle holds it.`
    case 'leaked-handle':
      return `The handle ${finding.handle} holds ${finding.addresses.join(', ')}, but ${
        finding.reason === 'no-endpoint' ? 'it has no endpoint' : 'its node does not have them'
      }.`
    case 'handle-without-address':
      return `${finding.handle ?? finding.reservation ?? 'A handle'} lists ${finding.address}, which its block does not hold for it.`
    case 'endpoint-without-address':
      return `${finding.address} is in use by ${finding.endpoint ?? `node ${finding.node ?? ''}`} without being allocated.`
    case 'address-twice':
      return `${finding.address} is held by ${finding.holders.join(' and ')}.`
    case 'block-without-affinity':
      return `The block ${finding.block} names a node that has no affinity for it.`
    case 'affinity-without-block':
      return `The affinity for ${finding.block} has no block of its node.`
    case 'stale-affinity':
      return `The affinity for ${finding.block} is ${finding.state}.`
    case 'empty-block':
      return `The block ${finding.block} holds no address.`
    case 'unreadable':
      return `The value at ${finding.key} can't be read: ${finding.reason}.`
  }
}
