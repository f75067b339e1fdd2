import { randomUUID } from 'node:crypto'
import { ResourceError, type Resources, createResources } from '@network/datastore'
import {
  type KindName,
  type Resource,
  type Selector,
  formatResource,
  formatResources,
  kindDefinition,
  parseSelector,
} from '@network/datastore/model'
import type { CommandModule } from 'yargs'
import { UsageError } from '../output/failure.ts'
import { resourceTable } from '../output/resource-tables.ts'
import type { StoreArguments, World } from '../world.ts'
import { kindOfWord } from './kind-argument.ts'
import { outputOption, storeOptions } from './shared-options.ts'
import { withStore } from './with-store.ts'

interface GetArguments extends StoreArguments {
  kind: string
  names: string[]
  namespace?: string | undefined
  selector?: string | undefined
  output: 'table' | 'wide' | 'yaml' | 'json'
  showSecrets: boolean
}

/** `drover get KIND [NAME…]`: resources as a table, as YAML or as JSON. */
export function getCommand(world: World): CommandModule {
  return {
    command: 'get <kind> [names..]',
    describe: 'Show resources',
    builder: (yargs) =>
      storeOptions(yargs)
        .positional('kind', {
          type: 'string',
          describe: 'pools, nodes, peers, endpoints, profiles, networks, …',
        })
        .positional('names', { type: 'string', array: true, default: [], describe: 'these only' })
        .option('namespace', { alias: 'n', type: 'string', describe: 'of this namespace' })
        .option('selector', { alias: 'l', type: 'string', describe: "whose labels fit: role == 'web'" })
        .option('output', outputOption(['table', 'wide', 'yaml', 'json']))
        .option('show-secrets', {
          type: 'boolean',
          default: false,
          describe: 'passwords as they are, not ********',
        })
        .example('$0 get pools', 'address pools')
        .example('$0 get node node1 -o yaml', 'one node, to be edited and applied again')
        .example(`$0 get endpoints -l "role == 'web'" -o wide`, 'workloads by label'),
    handler: async (raw) => {
      const args = raw as unknown as GetArguments
      const kind = kindOfWord(args.kind)
      const selector = args.selector === undefined ? undefined : readSelector(args.selector)
      await withStore(world, args, async (store) => {
        const resources = createResources({ store, clock: world.clock, uuid: randomUUID })
        const found =
          args.names.length > 0
            ? await byName(resources, kind, args.names, args.namespace)
            : await byKind(world, resources, kind, args.namespace, selector)
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

async function byName(
  resources: Resources,
  kind: KindName,
  names: readonly string[],
  namespace: string | undefined,
): Promise<Resource[]> {
  const found: Resource[] = []
  for (const name of names) {
    const resource = await resources.get(kind, name, namespace)
    if (resource === undefined) {
      throw new ResourceError('not-found', `There is no ${kind} ${name}.`, {
        reference: { kind, name },
        remedy: `'drover get ${kindDefinition(kind).plural}' lists those that exist.`,
      })
    }
    found.push(resource)
  }
  return found
}

/** What can't be read is told on standard error; what can be read is shown all the same. */
async function byKind(
  world: World,
  resources: Resources,
  kind: KindName,
  namespace: string | undefined,
  selector: Selector | undefined,
): Promise<Resource[]> {
  const list = await resources.list(kind, {
    ...(namespace === undefined ? {} : { namespace }),
    ...(selector === undefined ? {} : { selector }),
  })
  for (const { key, faults } of list.unreadable) {
    world.err(`warning: ${key} is no ${kind}: ${faults.map(({ message }) => message).join(' ')}\n`)
  }
  return list.items
}

function write(world: World, args: GetArguments, kind: KindName, found: readonly Resource[]): void {
  const { output, showSecrets } = args
  if (output === 'yaml' || output === 'json') {
    const [only] = found
    const one = args.names.length === 1 && only !== undefined
    const options = { format: output, showSecrets }
    world.out(one ? formatResource(only, options) : formatResources(found, options))
    return
  }
  world.out(resourceTable(kind, found, { wide: output === 'wide', width: world.columns }))
}
