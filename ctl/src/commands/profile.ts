import { randomUUID } from 'node:crypto'
import { type Resources, createResources } from '@network/datastore'
import { type ProfileSpec, type ResourceOf, type Rule, draftResource } from '@network/datastore/model'
import { describeRuleFault, formatRuleLine, parseRule } from '@network/policy/grammar'
import { UsageError } from '../output/failure.ts'
import { profileText, rulesText } from '../output/profile.ts'
import { notFound, updateResource } from '../resource-update.ts'
import type { StoreArguments, World } from '../world.ts'
import type { Command } from './command.ts'
import { type Direction, type RuleChoice, addRule, directions, removeRule } from './profile-rules.ts'
import { outputOption, print, readInteger, storeOptions, warn } from './shared-options.ts'
import { withStore } from './with-store.ts'

interface ProfileArguments extends StoreArguments {
  name: string
  words?: string[] | undefined
  at?: string | undefined
  output: 'table' | 'json'
}

const VERBS = ['create', 'delete', 'show', 'rule'] as const
const RULE_VERBS = ['add', 'remove', 'show'] as const

/** `drover profile NAME create|delete|show` and `drover profile NAME rule add|remove|show`. */
export function profileCommand(world: World): Command {
  return {
    options: (yargs) =>
      storeOptions(yargs)
        .positional('name', { type: 'string', describe: 'the profile' })
        .positional('words', {
          type: 'string',
          array: true,
          describe:
            'create | delete | show | rule add DIRECTION RULE | rule remove DIRECTION RULE | rule show',
        })
        .option('at', { type: 'string', describe: 'number of the rule, as show numbers them, from 1' })
        .option('output', outputOption(['table', 'json']))
        .example('$0 profile web create', 'its endpoints reach each other and everything outside')
        .example('$0 profile web rule add inbound allow tcp to ports 80,443', 'after the rules there are')
        .example('$0 profile web rule add inbound --at 1 deny from cidr 10.9.0.0/16', 'before them')
        .example('$0 profile web rule add inbound allow tcp from label role=proxy to ports 9090', 'by label')
        .example('$0 profile web rule remove inbound --at 1', 'or the rule itself instead of its number')
        .example('$0 profile web show', 'rules as they can be written again'),
    run: async (given) => {
      const args = given as ProfileArguments
      const [verb = '', ...rest] = args.words ?? []
      await withStore(world, args, async (store) => {
        const resources = createResources({ store, clock: world.clock, uuid: randomUUID })
        if (verb === 'rule') return runRule(world, args, resources, rest)
        refuseRest(verb, args.at === undefined ? rest : ['--at'])
        if (verb === 'create') return createProfile(world, args, resources)
        if (verb === 'delete') return deleteProfile(world, args, resources)
        if (verb === 'show') return showProfile(world, args, resources)
        throw wordError('profile NAME', verb, VERBS, args.name)
      })
    },
  }
}

function wordError(after: string, word: string, allowed: readonly string[], name = ''): UsageError {
  const what =
    word === ''
      ? `Something is missing after 'drover ${after}'.`
      : `'${word}' has no meaning after '${after}'.`
  const swapped = (VERBS as readonly string[]).includes(name)
  return new UsageError(
    what,
    swapped
      ? `The profile comes first: drover profile ${word === '' ? 'NAME' : word} ${name}.`
      : `Write one of: ${allowed.join(', ')}.`,
  )
}

function refuseRest(verb: string, rest: readonly string[]): void {
  const [first] = rest
  if (first === undefined || !(VERBS as readonly string[]).includes(verb)) return
  throw new UsageError(`'${first}' has no meaning after 'profile NAME ${verb}'.`, 'Leave it out.')
}

/** A new profile lets its endpoints reach each other, by a label of its own name, and everything outside. */
function initialSpec(name: string): ProfileSpec {
  return {
    ingress: [{ action: 'Allow', source: { selector: `has(${name})` } }],
    egress: [{ action: 'Allow' }],
    labelsToApply: { [name]: '' },
  }
}

async function createProfile(world: World, args: ProfileArguments, resources: Resources): Promise<void> {
  const [change] = await resources.create([draftResource('Profile', args.name, initialSpec(args.name))])
  print(world, args.output, change?.resource, () => `Profile ${args.name} created\n`)
}

async function deleteProfile(world: World, args: ProfileArguments, resources: Resources): Promise<void> {
  const [change] = await resources.delete([{ kind: 'Profile', name: args.name }])
  if (change?.warning !== undefined) warn(world, args.output, `Profile ${args.name}: ${change.warning}`)
  print(world, args.output, change?.resource, () => `Profile ${args.name} deleted\n`)
}

async function showProfile(world: World, args: ProfileArguments, resources: Resources): Promise<void> {
  const profile = await storedProfile(resources, args.name)
  const lists = [await resources.list('WorkloadEndpoint'), await resources.list('HostEndpoint')]
  const endpoints = lists
    .flatMap<{ spec: { profiles: string[] } }>(({ items }) => items)
    .filter(({ spec }) => spec.profiles.includes(args.name)).length
  print(world, args.output, { ...profile, endpoints }, () => profileText(profile, endpoints))
}

async function storedProfile(resources: Resources, name: string): Promise<ResourceOf<'Profile'>> {
  const profile = await resources.get('Profile', name)
  if (profile === undefined) throw notFound('Profile', name)
  return profile
}

async function runRule(
  world: World,
  args: ProfileArguments,
  resources: Resources,
  words: readonly string[],
): Promise<void> {
  const [verb = '', direction, ...rest] = words
  if (!(RULE_VERBS as readonly string[]).includes(verb))
    throw wordError('profile NAME rule', verb, RULE_VERBS)
  if (verb === 'show' && direction === undefined) {
    const profile = await storedProfile(resources, args.name)
    print(world, args.output, profile.spec, () => rulesText(profile.spec))
    return
  }
  if (direction !== 'inbound' && direction !== 'outbound') {
    throw wordError(`profile NAME rule ${verb}`, direction ?? '', Object.keys(directions))
  }
  if (verb === 'show') {
    if (rest.length > 0 || args.at !== undefined) {
      throw new UsageError(
        `'${rest[0] ?? '--at'}' has no meaning after 'rule show ${direction}'.`,
        'Leave it out.',
      )
    }
    const profile = await storedProfile(resources, args.name)
    const field = directions[direction]
    print(world, args.output, profile.spec[field] ?? [], () => rulesText(profile.spec, [direction]))
    return
  }
  const at = args.at === undefined ? undefined : readInteger('--at', args.at, 1, 1024)
  const rule = verb === 'remove' && rest.length === 0 ? undefined : readRule(rest)
  if (rule === undefined && at === undefined) {
    throw new UsageError(
      'It is not said which rule to remove.',
      "Write the rule, or its number after --at: 'drover profile NAME show' numbers them.",
    )
  }
  await changeRules(world, args, resources, { verb: verb === 'add' ? 'add' : 'remove', direction, rule, at })
}

function readRule(words: readonly string[]): Rule {
  const parsed = parseRule(words)
  if (parsed.ok) return parsed.value
  throw new UsageError(
    `The rule '${words.join(' ')}' can't be read. ${describeRuleFault(parsed.error)}`,
    "Write for example: allow tcp from label role=web to ports 80,443. 'drover profile --help' has more.",
  )
}

async function changeRules(
  world: World,
  args: ProfileArguments,
  resources: Resources,
  wish: { verb: 'add' | 'remove'; direction: Direction; rule: Rule | undefined; at: number | undefined },
): Promise<void> {
  const { verb, direction, rule, at } = wish
  const field = directions[direction]
  let place = 0
  let removed = rule
  const change = await updateResource(resources, 'Profile', args.name, (stored, round) => {
    const before = stored.spec[field] ?? []
    const choice: RuleChoice = { profile: args.name, direction, at }
    if (verb === 'add' && rule !== undefined) {
      const added = addRule(before, rule, choice)
      place = added.place
      return { ...stored, spec: { ...stored.spec, [field]: added.rules } }
    }
    // What a number meant is what stood there when it was first looked up, also if others shift it meanwhile.
    const found = removeRule(before, { ...choice, rule: removed, shifted: round > 0 })
    place = found.place
    removed = found.rule
    return { ...stored, spec: { ...stored.spec, [field]: found.rules } }
  })
  print(world, args.output, change.resource, () => {
    const line = removed === undefined ? '' : formatRuleLine(removed)
    return `Profile ${args.name}: ${direction} rule ${String(place)} ${verb === 'add' ? 'added' : 'removed'}: ${line}\n`
  })
}
