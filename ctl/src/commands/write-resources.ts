import { randomUUID } from 'node:crypto'
import {
  type DeleteReference,
  type ResourceChange,
  type Store,
  type Resources,
  type WriteOptions,
  createResources,
} from '@network/datastore'
import { type Resource } from '@network/datastore/model'
import type { Argv } from 'yargs'
import { explainChanges } from '../policy/flow-comparison.ts'
import { UsageError } from '../output/failure.ts'
import { flowAnswer, flowChangesText } from '../output/flow-changes.ts'
import { changeItems, changesText, nameOfResource } from '../output/resource-changes.ts'
import { bearsOnPolicy, changedPolicyModel, storedPolicyModel } from '../policy/policy-model.ts'
import { readResourceFiles } from '../resource-files.ts'
import type { StoreArguments, World } from '../world.ts'
import type { Command } from './command.ts'
import { kindOfWord, namespaceOf, namespaceOption } from './kind-argument.ts'
import { fileOptions, outputOption, print, storeOptions, warn } from './shared-options.ts'
import { withStore } from './with-store.ts'

interface FileArguments extends StoreArguments {
  filename?: string[] | undefined
  recursive: boolean
  dryRun: boolean
  output: string
}

function writeOptions(yargs: Argv): Argv {
  return fileOptions(storeOptions(yargs), 'YAML or JSON: a file, a folder, or - for standard input')
    .option('dry-run', {
      type: 'boolean',
      default: false,
      describe: 'only say what would change: in the resources, and in who may talk to whom',
    })
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
      writeOptions(yargs)
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
        await answer(world, args, store, await write(resources, wanted, { dryRun: args.dryRun }))
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
  namespace?: string | undefined
  force: boolean
  ignoreNotFound: boolean
}

/** `drover delete KIND NAME…` or `drover delete -f FILE`. */
export function deleteCommand(world: World): Command {
  return {
    options: (yargs) =>
      writeOptions(yargs)
        .positional('kind', { type: 'string', describe: 'what kind' })
        .positional('names', { type: 'string', array: true, describe: 'which ones' })
        .option('namespace', namespaceOption)
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
        await answer(world, args, store, changes)
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
    const namespace = namespaceOf(kind, args.namespace)
    return names.map((name) => ({ kind, name, ...(namespace === undefined ? {} : { namespace }) }))
  }
  const { resources } = await readResourceFiles(world, filename, args)
  return resources.map(({ resource: { kind, metadata } }) => ({
    kind,
    name: metadata.name,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  }))
}

/** Tells what was done. Of a dry run also what would differ, in the resources and in who may talk to whom. */
async function answer(
  world: World,
  args: FileArguments,
  store: Store,
  changes: readonly ResourceChange[],
): Promise<void> {
  for (const { resource, warning } of changes) {
    if (warning !== undefined) warn(world, args.output, `${nameOfResource(resource)}: ${warning}`)
  }
  const items = changeItems(changes, args)
  if (!args.dryRun) {
    print(world, args.output, items, () => changesText(changes, args))
    return
  }
  const flows = bearsOnPolicy(changes) ? await flowsChangedBy(store, changes) : undefined
  const shown = flows === undefined ? {} : { flows: flowAnswer(flows) }
  print(world, args.output, { changes: items, ...shown }, () =>
    [
      changesText(changes, args),
      ...(flows === undefined ? [] : ['\n', flowChangesText(flows.comparison, flows.changes)]),
    ].join(''),
  )
}

async function flowsChangedBy(
  store: Store,
  changes: readonly ResourceChange[],
): Promise<ReturnType<typeof explainChanges>> {
  const before = await storedPolicyModel(store)
  return explainChanges(before, changedPolicyModel(before, changes))
}
