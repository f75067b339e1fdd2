/**
 * Who takes part in the cases: four workloads of the node under test, two of another node, that node itself, a machine outside,
 * and the node under test. Every case has the same ones; what labels and profiles they have is the case's.
 */

/** Where an actor's packets enter and leave: an own interface of the node, the wire, or the node itself. */
export type ActorKind = 'workload' | 'wire' | 'host'

export interface Actor {
  readonly name: ActorName
  readonly kind: ActorKind
  /** The node that it is on; undefined if it belongs to nobody. */
  readonly node?: string
  /** Of a workload of this node. One name is the beginning of another on purpose. */
  readonly interfaceName?: string
  readonly ipv4: string
  readonly ipv6: string
}

export const thisNode = 'node1'
export const otherNode = 'node2'

export type ActorName =
  'web' | 'db' | 'db2' | 'client' | 'far' | 'away' | 'peer' | 'outside' | 'host' | 'stray'

const actorList: readonly Actor[] = [
  {
    name: 'web',
    kind: 'workload',
    node: thisNode,
    interfaceName: 'drvweb',
    ipv4: '10.65.0.1',
    ipv6: 'fd65::1',
  },
  {
    name: 'db',
    kind: 'workload',
    node: thisNode,
    interfaceName: 'drvdb',
    ipv4: '10.65.0.2',
    ipv6: 'fd65::2',
  },
  {
    name: 'db2',
    kind: 'workload',
    node: thisNode,
    interfaceName: 'drvdb2',
    ipv4: '10.65.0.3',
    ipv6: 'fd65::3',
  },
  {
    name: 'client',
    kind: 'workload',
    node: thisNode,
    interfaceName: 'drv3kq0v1m2x9a',
    ipv4: '10.65.0.4',
    ipv6: 'fd65::4',
  },
  // Wired, but no endpoint of the model has its interface's name.
  { name: 'stray', kind: 'workload', interfaceName: 'drvstray', ipv4: '10.65.0.9', ipv6: 'fd65::9' },
  { name: 'far', kind: 'wire', node: otherNode, ipv4: '10.65.1.1', ipv6: 'fd65::1:1' },
  { name: 'away', kind: 'wire', node: otherNode, ipv4: '10.65.1.2', ipv6: 'fd65::1:2' },
  { name: 'peer', kind: 'wire', ipv4: '10.250.0.2', ipv6: 'fd00:250::2' },
  { name: 'outside', kind: 'wire', ipv4: '10.251.0.10', ipv6: 'fd00:251::10' },
  { name: 'host', kind: 'host', ipv4: '10.250.0.1', ipv6: 'fd00:250::1' },
]

export const actors: ReadonlyMap<ActorName, Actor> = new Map(actorList.map((actor) => [actor.name, actor]))

export function actor(name: ActorName): Actor {
  const found = actors.get(name)
  if (found === undefined) throw new Error(`nobody is called '${name}'`)
  return found
}

export function isActorName(name: string): name is ActorName {
  return actors.has(name as ActorName)
}

/** The workloads of this node that the model knows, in the order of their addresses. */
export const localWorkloads = ['web', 'db', 'db2', 'client'] as const
export const remoteWorkloads = ['far', 'away'] as const

export const pool = { ipv4: '10.65.0.0/16', ipv6: 'fd65::/48' } as const
/** The node's interface on the wire. */
export const uplink = 'eth0'
