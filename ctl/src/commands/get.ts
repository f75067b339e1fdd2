import { randomUUID } from 'node:crypto'
import { ResourceError, type Resources, createResources } from '@network/datastore'
import {
  type KindName,
  type Resource,
  type Selector,
  formatResource,
  formatResources,
  parseSelector,
} from '@network/datastore/model'
import { UsageError } from '../output/failure.ts'
import { resourceTable } from '../output/resource-tables.ts'
import { notFound } from '../resource-update.ts'
import type { StoreArguments, World } from '../world.ts'
import { kindOfWord, namespaceOf, namespaceOption } from './kind-argument.ts'
import type { Command } from './command.ts'
import { outputOption, storeOptions, warn } from './shared-options.ts'
import { withStore } from './with-store.ts'

interface GetArguments extends StoreArguments {
  kind: string
  names?: string[] | undefined
  selector?: string | undefined
  namespace?: string | undefined
  output: 'table' | 'wide' | 'yaml' | 'json'
  showSecrets: boolean
}

/** `drover get KIND [NAME…]`: resources as a table, as YAML or as JSON. */
export function getCommand(world: World): Command {
  return {
    options: (yargs) =>
      storeOptions(yargs)
        .positional('kind', {
          type: 'string',
          describe: 'pools, nodes, peers, endpoints, profiles, policies, tiers, networks, …',
        })
        .positional('names', { type: 'string', array: true, describe: 'these only' })
        .option('selector', { alias: 'l', type: 'string', describe: "whose labels fit: role == 'web'" })
        .option('namespace', namespaceOption)
        .option('output', outputOption(['table', 'wide', 'yaml', 'json']))
        .option('show-secrets', {
          type: 'boolean',
          default: false,
          describe: 'passwords as they are, not ********',
        })
        .example('$0 get pools', 'address pools')
        .example('$0 get node node1 -o yaml', 'one node, to be edited and applied again')
        .example(`$0 get endpoints -l "role == 'web'" -o wide`, 'workloads by label'),
    run: async (given) => {
      const args = given as GetArguments
      const kind = kindOfWord(args.kind)
      const names = args.names ?? []
      const selector = args.selector === undefined ? undefined : readSelector(args.selector)
      if (names.length > 0 && selector !== undefined) {
        throw new UsageError('Names and --selector exclude each other.', 'Give one of them.')
      }
      await withStore(world, args, async (store) => {
        const resources = createResources({ store, clock: world.clock, uuid: randomUUID })
        const found =
          names.length > 0
            ? await byName(world, resources, kind, names, args)
            : await byKind(world, resources, kind, selector, args)
        write(world, args, kind, found)
      })
    },
  }
}

function readSelector(text: string): Selector {
  const parsed = parseSelector(text)
  if (parsed.ok) return parsed.value
  throw new UsageError(
    `--selector '${text}' can't be read: ${parsed.error.reason} (column ${parsed.error.column}).`,
    "Write for example role == 'web'.",
  )
}

/** Of several names one that can't be read doesn't hide the others. */
async function byName(
  world: World,
  resources: Resources,
  kind: KindName,
  names: readonly string[],
  args: GetArguments,
): Promise<Resource[]> {
  const namespace = namespaceOf(kind, args.namespace)
  const found: Resource[] = []
  for (const name of names) {
    try {
      const resource = await resources.get(kind, name, namespace)
      if (resource === undefined) throw notFound(kind, name, namespace)
      found.push(resource)
    } catch (error) {
      if (!(error instanceof ResourceError) || error.code !== 'unreadable' || names.length === 1) throw error
      warn(world, args.output, error.message)
      world.fail()
    }
  }
  return found
}

/** What can't be read is told on standard error and by the exit code; what can be read is shown all the same. */
async function byKind(
  world: World,
  resources: Resources,
  kind: KindName,
  selector: Selector | undefined,
  args: GetArguments,
): Promise<Resource[]> {
  const namespace = args.namespace === undefined ? undefined : namespaceOf(kind, args.namespace)
  const list = await resources.list(kind, {
    ...(selector === undefined ? {} : { selector }),
    ...(namespace === undefined ? {} : { namespace }),
  })
  for (const { key, faults } of list.unreadable) {
    const why = faults.map(({ message }) => message).join(' ')
    warn(world, args.output, `${key} can't be read as ${kind}: ${why}`)
  }
  if (list.unreadable.length > 0) world.fail()
  return list.items
}

function write(world: World, args: GetArguments, kind: KindName, found: readonly Resource[]): void {
  const { output, showSecrets } = args
  if (output === 'yaml' || output === 'json') {
    const [only] = found
    const one = args.names?.length === 1 && only !== undefined
    const options = { format: output, showSecrets }
    world.out(one ? formatResource(only, options) : formatResources(found, options))
    return
  }
  world.out(resourceTable(kind, found, { wide: output === 'wide', width: world.columns }))
}
