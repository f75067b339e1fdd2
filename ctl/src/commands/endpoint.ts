import { randomUUID } from 'node:crypto'
import { type Resources, createResources } from '@network/datastore'
import { parseEndpointName, type ResourceOf } from '@network/datastore/model'
import { type AnyEndpoint, chooseEndpoint } from '../endpoint-choice.ts'
import { UsageError } from '../output/failure.ts'
import { updateResource } from '../resource-update.ts'
import type { StoreArguments, World } from '../world.ts'
import type { Command } from './command.ts'
import { outputOption, print, storeOptions, warn } from './shared-options.ts'
import { withStore } from './with-store.ts'

interface EndpointArguments extends StoreArguments {
  endpoint: string
  words?: string[] | undefined
  output: 'table' | 'json'
}

/** What becomes of an endpoint's profiles. */
const verbs = {
  set: (_before: readonly string[], given: readonly string[]): string[] => [...given],
  append: (before: readonly string[], given: readonly string[]): string[] => [
    ...before,
    ...given.filter((name) => !before.includes(name)),
  ],
  remove: (before: readonly string[], given: readonly string[]): string[] =>
    before.filter((name) => !given.includes(name)),
} as const

/** `drover endpoint ENDPOINT profile set|append|remove|show [PROFILE…]`. */
export function endpointCommand(world: World): Command {
  return {
    options: (yargs) =>
      storeOptions(yargs)
        .positional('endpoint', {
          type: 'string',
          describe: 'its name, or its workload, container id, interface or address',
        })
        .positional('words', {
          type: 'string',
          array: true,
          describe: 'profile set|append|remove PROFILE…, or profile show',
        })
        .option('output', outputOption(['table', 'json']))
        .example('$0 endpoint web-1 profile append monitoring', 'judged after those that it has')
        .example('$0 endpoint 10.65.0.2 profile set web monitoring', 'these, in this order')
        .example('$0 endpoint web-1 profile show', 'in the order in which they are judged'),
    run: async (given) => {
      const args = given as EndpointArguments
      const [noun, verb = '', ...names] = args.words ?? []
      if (noun !== 'profile' && noun !== 'profiles') {
        throw new UsageError(
          noun === undefined
            ? "Something is missing after 'drover endpoint ENDPOINT'."
            : `'${noun}' has no meaning after 'drover endpoint ENDPOINT'.`,
          'Write profile and one of: set, append, remove, show.',
        )
      }
      if (verb !== 'show' && !Object.hasOwn(verbs, verb)) {
        throw new UsageError(
          verb === ''
            ? "Something is missing after 'endpoint ENDPOINT profile'."
            : `'${verb}' has no meaning after 'endpoint ENDPOINT profile'.`,
          'Write one of: set, append, remove, show.',
        )
      }
      if ((verb === 'show') !== (names.length === 0) && verb !== 'set') {
        throw new UsageError(
          verb === 'show' ? `'${names[0] ?? ''}' has no meaning after show.` : 'No profile is named.',
          verb === 'show' ? 'Leave it out.' : `Write the profiles to ${verb}.`,
        )
      }
      await withStore(world, args, async (store) => {
        const resources = createResources({ store, clock: world.clock, uuid: randomUUID })
        const endpoint = await storedEndpoint(resources, args.endpoint)
        if (verb === 'show') return showProfiles(world, args, resources, endpoint)
        await changeProfiles(world, args, resources, endpoint, verbs[verb as keyof typeof verbs], names)
      })
    },
  }
}

/** The stored endpoint that a word means. */
async function storedEndpoint(resources: Resources, word: string): Promise<AnyEndpoint> {
  if (parseEndpointName(word) !== undefined) {
    const whole = await resources.get('WorkloadEndpoint', word)
    if (whole !== undefined) return whole
  }
  const [workloads, hosts] = [await resources.list('WorkloadEndpoint'), await resources.list('HostEndpoint')]
  return chooseEndpoint<AnyEndpoint>(word, [...workloads.items, ...hosts.items])
}

async function missingProfiles(resources: Resources, names: readonly string[]): Promise<string[]> {
  const known = new Set((await resources.list('Profile')).items.map(({ metadata }) => metadata.name))
  return names.filter((name) => !known.has(name))
}

async function showProfiles(
  world: World,
  args: EndpointArguments,
  resources: Resources,
  endpoint: AnyEndpoint,
): Promise<void> {
  const { profiles } = endpoint.spec
  const missing = await missingProfiles(resources, profiles)
  print(world, args.output, { endpoint: endpoint.metadata.name, profiles, missing }, () =>
    profiles.length === 0
      ? `${endpoint.kind} ${endpoint.metadata.name} has no profile: what no policy decides is dropped.\n`
      : profiles
          .map((name) => `${name}${missing.includes(name) ? '   (nobody defined it: it denies)' : ''}\n`)
          .join(''),
  )
}

async function changeProfiles(
  world: World,
  args: EndpointArguments,
  resources: Resources,
  endpoint: AnyEndpoint,
  verb: (before: readonly string[], given: readonly string[]) => string[],
  names: readonly string[],
): Promise<void> {
  const { kind } = endpoint
  const { name } = endpoint.metadata
  const changed = <R extends AnyEndpoint>(stored: R): R => {
    const profiles = verb(stored.spec.profiles, names)
    return { ...stored, spec: { ...stored.spec, profiles } }
  }
  const { resource } =
    kind === 'WorkloadEndpoint'
      ? await updateResource(resources, kind, name, changed<ResourceOf<'WorkloadEndpoint'>>)
      : await updateResource(resources, kind, name, changed<ResourceOf<'HostEndpoint'>>)
  const { profiles } = resource.spec as { profiles: readonly string[] }
  for (const missing of await missingProfiles(resources, profiles)) {
    warn(world, args.output, `there is no Profile ${missing}: until it is made it denies`)
  }
  print(world, args.output, resource, () => {
    const list = profiles.length === 0 ? 'no profile' : `profiles ${profiles.join(', ')}`
    return `${kind} ${name} has ${list}\n`
  })
}
