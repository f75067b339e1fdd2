import { type Clock } from '@network/net'
import { type FieldFault } from '../model/kind.ts'
import { type ResourceReference, resourcePrefix } from '../model/keys.ts'
import { type KindName } from '../model/kinds/index.ts'
import { type Resource, type ResourceOf } from '../model/resource.ts'
import { evaluateSelector, type Selector } from '../model/selector/index.ts'
import { decodeResource, isKind } from '../model/stored-resource.ts'
import { listAll } from './pool-rules.ts'
import { type ResourceChange } from './resource-change.ts'
import { deleteResources, type DeleteOptions, type DeleteReference } from './resource-deletion.ts'
import { describeReference, ResourceError } from './resource-error.ts'
import { keyOf } from './resource-transaction.ts'
import { writeResources } from './resource-writing.ts'
import { type Store } from './store.ts'

/*
 * The typed door to the store for the command line and the agent. A call reads what is stored, plans, checks the
 * rules, and writes all of it in one transaction whose conditions are exactly what the plan was made from; if one of
 * them no longer holds nothing is written and the call plans again. If the answer to a transaction is lost, the next
 * round recognises its own write by the uid or by the content, so a call is never carried out twice nor reported as
 * failed when it wasn't.
 */

export interface ResourcesModules {
  store: Store
  clock: Pick<Clock, 'now'>
  /** A fresh uid: node:crypto's randomUUID. */
  uuid: () => string
}

export interface WriteOptions {
  /** Plan and check everything, write nothing. */
  dryRun?: boolean
}

export interface ResourceList<R extends Resource = Resource> {
  items: R[]
  /** The revision that the list shows. */
  revision: number
  /** What lies under the kind's keys and is no such resource. */
  unreadable: { key: string; faults: readonly FieldFault[] }[]
}

export interface Resources {
  /** Writes resources that must not exist yet, all or none. @throws ResourceError exists, invalid */
  create(resources: readonly Resource[], options?: WriteOptions): Promise<ResourceChange[]>
  /** Writes resources that must exist, all or none; where resourceVersion is given only if it is the stored one. */
  replace(resources: readonly Resource[], options?: WriteOptions): Promise<ResourceChange[]>
  /** Creates what is new and replaces the rest, all or none. Labels and annotations that aren't given stay. */
  apply(resources: readonly Resource[], options?: WriteOptions): Promise<ResourceChange[]>
  /** undefined if there is none. @throws ResourceError unreadable */
  get<K extends KindName>(kind: K, name: string, namespace?: string): Promise<ResourceOf<K> | undefined>
  /** All of a kind in the order of their names, or those of a namespace, or whose labels a selector takes. */
  list<K extends KindName>(
    kind: K,
    options?: { namespace?: string; selector?: Selector },
  ): Promise<ResourceList<ResourceOf<K>>>
  /** Deletes all or none. @throws ResourceError not-found, in-use, conflict */
  delete(references: readonly DeleteReference[], options?: DeleteOptions): Promise<ResourceChange[]>
}

/** Resources over a store. */
export function createResources(modules: ResourcesModules): Resources {
  const { store } = modules
  return {
    create: (resources, options) => writeResources(modules, 'create', resources, options),
    replace: (resources, options) => writeResources(modules, 'replace', resources, options),
    apply: (resources, options) => writeResources(modules, 'apply', resources, options),
    get: (kind, name, namespace) => getOne(store, kind, name, namespace),
    list: (kind, options) => listKind(store, kind, options),
    delete: (references, options) => deleteResources(store, references, options),
  }
}

async function getOne<K extends KindName>(
  store: Store,
  kind: K,
  name: string,
  namespace: string | undefined,
): Promise<ResourceOf<K> | undefined> {
  const reference: ResourceReference = { kind, name, ...(namespace === undefined ? {} : { namespace }) }
  const item = await store.get(keyOf(reference))
  if (item === undefined) return undefined
  const decoded = decodeResource(item)
  if (!decoded.ok) throw unreadable(reference, decoded.error)
  const resource = decoded.value
  return isKind(resource, kind) ? resource : undefined
}

function unreadable(reference: ResourceReference, faults: readonly FieldFault[]): ResourceError {
  const why = faults.map((fault) => fault.message).join('; ')
  return new ResourceError(
    'unreadable',
    `What is stored as ${describeReference(reference)} can't be read: ${why}.`,
    {
      reference,
      faults,
      remedy: `Write it again with 'drover apply', or delete it.`,
    },
  )
}

async function listKind<K extends KindName>(
  store: Store,
  kind: K,
  options: { namespace?: string; selector?: Selector } = {},
): Promise<ResourceList<ResourceOf<K>>> {
  const { items, revision } = await listAll(store, resourcePrefix(kind, options.namespace))
  const list: ResourceList<ResourceOf<K>> = { items: [], revision, unreadable: [] }
  for (const item of items) {
    const decoded = decodeResource(item)
    if (!decoded.ok) {
      list.unreadable.push({ key: item.key, faults: decoded.error })
      continue
    }
    const resource = decoded.value
    const { labels = {}, namespace } = resource.metadata
    if (options.selector !== undefined && !evaluateSelector(options.selector, labels, namespace)) continue
    if (isKind(resource, kind)) list.items.push(resource)
  }
  return list
}
