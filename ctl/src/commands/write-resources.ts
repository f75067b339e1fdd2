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
import type { Argv } from 'yargs'
import { UsageError } from '../output/failure.ts'
import { readResourceFiles } from '../resource-files.ts'
import type { StoreArguments, World } from '../world.ts'
import type { Command } from './command.ts'
import { kindOfWord } from './kind-argument.ts'
import { listOption, outputOption, print, storeOptions, warn } from './shared-options.ts'
import { withStore } from './with-store.ts'

interface FileArguments extends StoreArguments {
  filename?: string[] | undefined
  recursive: boolean
  dryRun: boolean
  output: string
}

function fileOptions(yargs: Argv): Argv {
  return storeOptions(yargs)
    .option('filename', {
      ...listOption('YAML or JSON: a file, a folder, or - for standard input'),
      alias: 'f',
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
  example: readonly [command: string, description: string],
  write: Write,
): Command {
  return {
    options: (yargs) =>
      fileOptions(yargs)
        .example(...example)
        .example(`${example[0]} --dry-run`, 'only says what it would do'),
    run: async (given) => {
      const args = given as FileArguments
      const names = args.filename ?? []
      if (names.length === 0) {
        throw new UsageError('No file is named.', `Write for example ${example[0].replace('$0', 'drover')}.`)
      }
      const files = await readResourceFiles(world, names, args)
      for (const warning of files.warnings) warn(world, args.output, warning)
      await withStore(world, args, async (store) => {
        const resources = createResources({ store, clock: world.clock, uuid: randomUUID })
        const wanted = files.resources.map(({ resource }) => resource)
        const changes = await write(resources, wanted, { dryRun: args.dryRun })
        printChanges(world, args, changes)
      })
    },
  }
}

/** `drover apply`: make it so, whether it exists or not. */
export function applyCommand(world: World): Command {
  return writeCommand(
    world,
    ['$0 apply -f pools.yaml', 'what is new is created, the rest is changed where it differs'],
    (resources, given, options) => resources.apply(given, options),
  )
}

/** `drover create`: they must not exist yet. */
export function createCommand(world: World): Command {
  return writeCommand(
    world,
    ['$0 create -f peer.yaml', 'fails if there is one of that name'],
    (resources, given, options) => resources.create(given, options),
  )
}

/** `drover replace`: they must exist. */
export function replaceCommand(world: World): Command {
  return writeCommand(
    world,
    ['$0 replace -f node.yaml', 'with resourceVersion in it only if nobody changed it meanwhile'],
    (resources, given, options) => resources.replace(given, options),
  )
}

interface DeleteArguments extends FileArguments {
  kind?: string | undefined
  names?: string[] | undefined
  force: boolean
  ignoreNotFound: boolean
}

/** `drover delete KIND NAME…` or `drover delete -f FILE`. */
export function deleteCommand(world: World): Command {
  return {
    options: (yargs) =>
      fileOptions(yargs)
        .positional('kind', { type: 'string', describe: 'what kind' })
        .positional('names', { type: 'string', array: true, describe: 'which ones' })
        .option('force', { type: 'boolean', default: false, describe: 'also what is in use' })
        .option('ignore-not-found', {
          type: 'boolean',
          default: false,
          describe: 'what is gone already is no failure',
        })
        .example('$0 delete pool containers', 'refused while addresses of it are held')
        .example('$0 delete -f peers.yaml', 'what the file names'),
    run: async (given) => {
      const args = given as DeleteArguments
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
  const { kind: word, names = [], filename = [] } = args
  if ((word !== undefined) === filename.length > 0 || (word !== undefined && names.length === 0)) {
    throw new UsageError('It is not said what to delete.', 'Name a kind and names, or files with -f.')
  }
  if (word !== undefined) {
    const kind = kindOfWord(word)
    return names.map((name) => ({ kind, name }))
  }
  const { resources } = await readResourceFiles(world, filename, args)
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
        const would = args.dryRun && action !== 'unchanged' ? 'would be ' : ''
        return `${what} ${would}${done[action]}${where}\n`
      })
      .join(''),
  )
}
