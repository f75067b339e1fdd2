/** Every topic, in the order in which a reader meets them. */
import type { Topic } from '../case.ts'
import { brokenValues } from './broken-values.ts'
import { bothDirections, types } from './directions.ts'
import { emptySelectors } from './empty-selectors.ts'
import { endpointToHost } from './endpoint-to-host.ts'
import { icmpErrors } from './errors.ts'
import { failsafes } from './failsafes.ts'
import { applyOnForward, doNotTrack, preDNAT } from './host-stages.ts'
import { hostEndpoints } from './hosts.ts'
import { natOutgoing, portMappings } from './nat.ts'
import { negations } from './negations.ts'
import { networkSets } from './network-sets.ts'
import { nets } from './networks.ts'
import { order, passing } from './order.ts'
import { namedPorts, portLists } from './ports.ts'
import { missingProfiles, profiles } from './profiles.ts'
import { icmp, protocols } from './protocols.ts'
import { namespaces, selectors } from './selectors.ts'
import { stagedPolicies } from './staged.ts'
import { tiers } from './tiers.ts'
import { establishedFlows, logging, spoofedSource, unknownInterfaces } from './wiring.ts'

export const topics: readonly Topic[] = [
  tiers,
  order,
  passing,
  profiles,
  missingProfiles,
  types,
  bothDirections,
  namedPorts,
  portLists,
  icmp,
  protocols,
  nets,
  negations,
  networkSets,
  emptySelectors,
  selectors,
  namespaces,
  hostEndpoints,
  failsafes,
  doNotTrack,
  preDNAT,
  applyOnForward,
  endpointToHost,
  spoofedSource,
  unknownInterfaces,
  natOutgoing,
  portMappings,
  establishedFlows,
  icmpErrors,
  logging,
  stagedPolicies,
  brokenValues,
]
