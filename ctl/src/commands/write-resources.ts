import { randomUUID } from 'node:crypto'
import {
  type DeleteReference,
  type ResourceChange,
  type Resources,
  type WriteOptions,
  createResources,
  describeReference,
} from '@network/datastore'
import { type Resource, maskSecrets } from '@network/datastore/model'
import type { Argv, CommandModule } from 'yargs'
import { UsageError } from '../output/failure.ts'
import { readResourceFiles } from '../resource-files.ts'
import type { StoreArguments, World } from '../world.ts'
import { kindOfWord } from './kind-argument.ts'
import { outputOption, print, storeOptions } from './shared-options.ts'
import { withStore } from './with-store.ts'

interface FileArguments extends StoreArguments {
  filename: string[]
  recursive: boolean
  dryRun: boolean
  output: string
}

function fileOptions(yargs: Argv): Argv {
  return storeOptions(yargs)
    .option('filename', {
      alias: 'f',
      type: 'string',
      array: true,
      nargs: 1,
      default: [],
      describe: 'YAML or JSON: a file, a folder, or - for standard input',
    })
    .option('recursive', {
      alias: 'R',
      type: 'boolean',
      default: false,
      describe: 'folders with what is below them',
    })
    .option('dry-run', { type: 'boolean', default: false, describe: 'check everything, write nothing' })
    .option('output', outputOption(['table', 'json']))
}

type Write = (
  resources: Resources,
  given: readonly Resource[],
  options: WriteOptions,
) => Promise<ResourceChange[]>

function writeCommand(
  world: World,
  word: { command: string; describe: string; example: [string, string] },
  write: Write,
): CommandModule {
  return {
    command: word.command,
    describe: word.describe,
    builder: (yargs) => fileOptions(yargs).example(...word.example),
    handler: async (raw) => {
      const args = raw as unknown as FileArguments
      if (args.filename.length === 0) {
        throw new UsageError(
          'No file is named.',
          `Write for example ${word.example[0].replace('$0', 'drover')}.`,
        )
      }
      const files = await readResourceFiles(world, args.filename, args)
      for (const warning of files.warnings) world.err(`warning: ${warning}\n`)
      await withStore(world, args, async (store) => {
        const resources = createResources({ store, clock: world.clock, uuid: randomUUID })
        const given = files.resources.map(({ resource }) => resource)
        const changes = await write(resources, given, { dryRun: args.dryRun })
        printChanges(world, args, changes)
      })
    },
  }
}

/** `drover apply`: make it so, whether it exists or not. */
export function applyCommand(world: World): CommandModule {
  return writeCommand(
    world,
    {
      command: 'apply',
      describe: 'Create or change resources: all of them or none',
      example: ['$0 apply -f pools.yaml', 'what is new is created, the rest is changed where it differs'],
    },
    (resources, given, options) => resources.apply(given, options),
  )
}

/** `drover create`: they must not exist yet. */
export function createCommand(world: World): CommandModule {
  return writeCommand(
    world,
    {
      command: 'create',
      describe: 'Create resources that do not exist yet: all of them or none',
      example: ['$0 create -f peer.yaml', 'fails if there is one of that name'],
    },
    (resources, given, options) => resources.create(given, options),
  )
}

/** `drover replace`: they must exist. */
export function replaceCommand(world: World): CommandModule {
  return writeCommand(
    world,
    {
      command: 'replace',
      describe: 'Replace resources that exist: all of them or none',
      example: ['$0 replace -f node.yaml', 'with resourceVersion in it only if nobody changed it meanwhile'],
    },
    (resources, given, options) => resources.replace(given, options),
  )
}

interface DeleteArguments extends FileArguments {
  kind?: string | undefined
  names: string[]
  namespace?: string | undefined
  force: boolean
  ignoreNotFound: boolean
}

/** `drover delete KIND NAME…` or `drover delete -f FILE`. */
export function deleteCommand(world: World): CommandModule {
  return {
    command: 'delete [kind] [names..]',
    describe: 'Delete resources: all of them or none',
    builder: (yargs) =>
      fileOptions(yargs)
        .positional('kind', { type: 'string', describe: 'what kind' })
        .positional('names', { type: 'string', array: true, default: [], describe: 'which ones' })
        .option('namespace', { alias: 'n', type: 'string', describe: 'of this namespace' })
        .option('force', { type: 'boolean', default: false, describe: 'also what is in use' })
        .option('ignore-not-found', {
          type: 'boolean',
          default: false,
          describe: 'what is gone already is no failure',
        })
        .example('$0 delete pool containers', 'refused while addresses of it are held')
        .example('$0 delete -f peers.yaml', 'what the file names'),
    handler: async (raw) => {
      const args = raw as unknown as DeleteArguments
      const references = await referencesOf(world, args)
      await withStore(world, args, async (store) => {
        const resources = createResources({ store, clock: world.clock, uuid: randomUUID })
        const { dryRun, force, ignoreNotFound: ignoreMissing } = args
        const changes = await resources.delete(references, { dryRun, force, ignoreMissing })
        printChanges(world, args, changes)
      })
    },
  }
}

async function referencesOf(world: World, args: DeleteArguments): Promise<DeleteReference[]> {
  const byName = args.kind !== undefined && args.names.length > 0
  if (byName === args.filename.length > 0) {
    throw new UsageError('It is not said what to delete.', 'Name a kind and names, or files with -f.')
  }
  if (args.kind !== undefined) {
    const kind = kindOfWord(args.kind)
    return args.names.map((name) => ({
      kind,
      name,
      ...(args.namespace === undefined ? {} : { namespace: args.namespace }),
    }))
  }
  const { resources } = await readResourceFiles(world, args.filename, args)
  return resources.map(({ resource: { kind, metadata } }) => ({
    kind,
    name: metadata.name,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  }))
}

const done = { create: 'created', update: 'changed', unchanged: 'unchanged', delete: 'deleted' } as const

function printChanges(world: World, args: FileArguments, changes: readonly ResourceChange[]): void {
  const answer = changes.map(({ action, resource, fields }) => ({
    action,
    resource: maskSecrets(resource),
    fields,
  }))
  print(world, args.output, answer, () =>
    changes
      .map(({ action, resource, fields }) => {
        const { name, namespace } = resource.metadata
        const what = describeReference({
          kind: resource.kind,
          name,
          ...(namespace === undefined ? {} : { namespace }),
        })
        const where = action === 'update' ? `: ${fields.join(', ')}` : ''
        return `${what} ${args.dryRun ? 'would be ' : ''}${done[action]}${where}\n`
      })
      .join(''),
  )
}
