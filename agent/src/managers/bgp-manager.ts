/** From the model to the whole declared state of this node's speaker: who it is, whom it speaks to, what it announces. */
import type { DesiredState, SpeakerOptions } from '@network/bgp'
import { effectiveBgpConfiguration } from '@network/datastore/model'
import { advertisement } from './bgp-advertisement.ts'
import { sessionsOf } from './bgp-sessions.ts'
import { FAMILIES, type BgpModel, speakerOptions, speakingNode } from './bgp-speaking.ts'
import type { ResourceEvent } from './model-event.ts'

export interface SpeakerDesired {
  /** undefined: the node has no address yet, or is not registered; nothing may be spoken. */
  readonly options: SpeakerOptions | undefined
  readonly state: DesiredState
  /** By peer name, for people: 'node mesh', 'BGPPeer tor'. */
  readonly origins: ReadonlyMap<string, string>
  readonly problems: readonly string[]
}

export interface BgpManager {
  onUpdate(event: ResourceEvent): void
  /** Prefixes of this node, from the block manager. */
  setAnnounced(prefixes: readonly string[]): void
  apply(): SpeakerDesired
}

export function createBgpManager(options: { node: string }): BgpManager {
  const model: BgpModel = {
    nodes: new Map(),
    pools: new Map(),
    configurations: new Map(),
    peers: new Map(),
    filters: new Map(),
  }
  let announced: readonly string[] = []
  let desired: SpeakerDesired | undefined

  return {
    onUpdate(event) {
      if (event.kind === 'Node') put(model.nodes, event.name, event.resource)
      else if (event.kind === 'IPPool') put(model.pools, event.name, event.resource)
      else if (event.kind === 'BGPConfiguration') put(model.configurations, event.name, event.resource)
      else if (event.kind === 'BGPPeer') put(model.peers, event.name, event.resource)
      else if (event.kind === 'BGPFilter') put(model.filters, event.name, event.resource)
      else return
      desired = undefined
    },
    setAnnounced(prefixes) {
      if (prefixes.length === announced.length && prefixes.every((prefix, i) => prefix === announced[i]))
        return
      announced = prefixes
      desired = undefined
    },
    apply() {
      desired ??= speakerDesired(options.node, model, announced)
      return desired
    },
  }
}

function put<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

function speakerDesired(name: string, model: BgpModel, announced: readonly string[]): SpeakerDesired {
  const problems: string[] = []
  const cluster = model.configurations.get('default')?.spec
  const ofNode = model.configurations.get(`node.${name}`)?.spec
  const configuration = effectiveBgpConfiguration(cluster, ofNode)
  const nodes = [...model.nodes.values()]
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .map((resource) => speakingNode(resource, model))
  const self = nodes.find((node) => node.name === name)
  if (self === undefined || FAMILIES.every((family) => self.addresses[family] === undefined)) {
    return { options: undefined, state: { peers: [], routes: [] }, origins: new Map(), problems }
  }
  const sessions = sessionsOf({
    self,
    nodes,
    model,
    configuration,
    // The default keepalive belongs to the default hold time; with another one it is a third of that.
    keepalive: ofNode?.keepaliveTime ?? cluster?.keepaliveTime,
    problems,
  })
  return {
    options: speakerOptions(self, configuration),
    state: {
      peers: sessions.map(({ options }) => options),
      routes: announced.map((prefix) => ({ prefix, attributes: advertisement(prefix, cluster, ofNode) })),
    },
    origins: new Map(sessions.map(({ options, origin }) => [options.name ?? '', origin])),
    problems: [...new Set(problems)],
  }
}
