import { type Bearing, judge, rulesOn } from '@network/policy'
import { formatRuleLine } from '@network/policy/grammar'
import type { PolicyRuleCount } from '@network/agent/client'
import { DroverError, type Family } from '@network/net'
import { resourceKey, type ResourceOf } from '@network/datastore/model'
import type { Argv } from 'yargs'
import { type AnyEndpoint, chooseEndpoint } from '../endpoint-choice.ts'
import { explainChanges } from '../policy/flow-comparison.ts'
import { askedFlow } from '../policy/flow-words.ts'
import { bearingTable, type CountOf, nameOf } from '../output/bearing.ts'
import { flowAnswer, flowChangesText } from '../output/flow-changes.ts'
import { nameOfResource } from '../output/resource-changes.ts'
import { decisive, judgeOf, shortPlace, stepsText } from '../output/verdict.ts'
import {
  enforcedPolicyModel,
  filesPolicyModel,
  type PolicyModel,
  resourcesOf,
  rulesOf,
  storedPolicyModel,
  unreadable,
} from '../policy/policy-model.ts'
import { readResourceFiles } from '../resource-files.ts'
import type { StoreArguments, World } from '../world.ts'
import type { Command } from './command.ts'
import {
  agentOptions,
  fileOptions,
  outputOption,
  print,
  readInteger,
  storeOptions,
  warn,
} from './shared-options.ts'
import { withStore } from './with-store.ts'

interface ModelArguments extends StoreArguments {
  filename?: string[] | undefined
  recursive: boolean
  staged: boolean
  output: 'table' | 'json'
}

function modelOptions(yargs: Argv): Argv {
  return fileOptions(storeOptions(yargs), 'ask these files, folders or - instead of etcd').option(
    'output',
    outputOption(['table', 'json']),
  )
}

function stagedOption(yargs: Argv): Argv {
  return yargs.option('staged', {
    type: 'boolean',
    default: false,
    describe: 'as if every staged policy were in force',
  })
}

/** `drover policy trace|diff|show`: who may talk to whom, and why, by the model alone. */
export function policyCommand(world: World): Command {
  return {
    options: (yargs) =>
      yargs
        .command(
          'trace',
          'Whether a flow gets through, and who decides it',
          (argv) =>
            stagedOption(modelOptions(argv))
              .option('from', { type: 'string', demandOption: true, describe: END })
              .option('to', { type: 'string', demandOption: true, describe: END })
              .option('protocol', {
                type: 'string',
                default: 'tcp',
                describe: 'tcp, udp, sctp, udplite, icmp, icmpv6 or a number',
              })
              .option('port', { type: 'string', describe: 'port that it goes to' })
              .option('source-port', { type: 'string', describe: 'port that it comes from' })
              .option('icmp-type', { type: 'string', describe: 'default: echo request' })
              .option('icmp-code', { type: 'string', describe: 'default 0' })
              .option('family', { choices: ['ipv4', 'ipv6'], describe: 'where both ends have both' })
              .example('$0 policy trace --from web-1 --to db-1 --protocol tcp --port 5432', 'by workload')
              .example('$0 policy trace --from 198.51.100.7 --to host:rack1-a --port 22', 'from outside')
              .example('$0 policy trace --from web-1 --to host --protocol icmp', 'its own host')
              .example('$0 policy trace -f all.yaml --from web-1 --to db-1 --port 5432', 'without etcd'),
          (args) => trace(world, args as unknown as TraceArguments),
        )
        .command(
          'show',
          'Every rule that bears on an endpoint, in the order in which they are asked',
          (argv) =>
            agentOptions(stagedOption(modelOptions(argv)))
              .option('endpoint', {
                type: 'string',
                demandOption: true,
                describe: 'its name, or its workload, container id, interface or address',
              })
              .example('$0 policy show --endpoint web-1', 'with counters on the node that it is on'),
          (args) => show(world, args as unknown as ShowArguments),
        )
        .command(
          'diff',
          'Which flows the staged policies would change if they were in force',
          (argv) => modelOptions(argv).example('$0 policy diff', 'what is staged in etcd'),
          (args) => diff(world, args as unknown as ModelArguments),
        )
        .demandCommand(1, 1),
    run: () => Promise.resolve(),
  }
}

const END = "an endpoint, a node, an address, 'host' (that of the other end) or host:NODE"

/** The model that the question is asked of; what can't be read is told on standard error. */
async function readModel(world: World, args: ModelArguments): Promise<PolicyModel> {
  const model =
    args.filename === undefined || args.filename.length === 0
      ? await withStore(world, args, storedPolicyModel)
      : await modelOfFiles(world, args, args.filename)
  for (const { key, fault } of unreadable(model)) warn(world, args.output, `${key} can't be read: ${fault}`)
  return args.staged ? enforcedPolicyModel(model) : model
}

async function modelOfFiles(
  world: World,
  args: ModelArguments,
  names: readonly string[],
): Promise<PolicyModel> {
  const files = await readResourceFiles(world, names, args)
  for (const warning of files.warnings) warn(world, args.output, warning)
  return filesPolicyModel(files.resources.map(({ resource }) => resource))
}

interface TraceArguments extends ModelArguments {
  from: string
  to: string
  protocol: string
  port?: string | undefined
  sourcePort?: string | undefined
  icmpType?: string | undefined
  icmpCode?: string | undefined
  family?: Family | undefined
}

async function trace(world: World, args: TraceArguments): Promise<void> {
  const number = (option: string, text: string | undefined, max: number): number | undefined =>
    text === undefined ? undefined : readInteger(option, text, 0, max)
  const words = {
    ...args,
    port: number('--port', args.port, 65535),
    sourcePort: number('--source-port', args.sourcePort, 65535),
    icmpType: number('--icmp-type', args.icmpType, 255),
    icmpCode: number('--icmp-code', args.icmpCode, 255),
  }
  const model = await readModel(world, args)
  const asked = askedFlow(model, words)
  const verdict = judge(model.evaluator, asked.flow)
  const rules = (id: string, direction: 'ingress' | 'egress'): ReturnType<typeof rulesOf> =>
    rulesOf(model, id, direction)
  const answer = {
    ...asked,
    action: verdict.action,
    untracked: verdict.untracked,
    steps: verdict.steps.map((step) => {
      const judgedBy = judgeOf(step)
      const rule =
        step.rule === undefined || judgedBy === undefined ? undefined : rules(judgedBy, step.direction)
      const text = step.rule === undefined ? undefined : rule?.[step.rule]
      return {
        ...step,
        at: shortPlace(step.at),
        ...(text === undefined ? {} : { text: formatRuleLine(text) }),
      }
    }),
  }
  print(world, args.output, answer, () => {
    const word = verdict.action === 'allow' ? 'allowed' : 'denied'
    const decided = decisive(verdict)
    return [
      `${asked.from} → ${asked.to}, ${asked.what}: ${word}\n`,
      decided === undefined ? '\n' : `decided by ${decided}\n\n`,
      stepsText(verdict.steps, rules, world.columns),
      verdict.untracked
        ? '\nIt passes a host untracked: its answers are judged by themselves, so trace the way back as well.\n'
        : '',
    ].join('')
  })
}

interface ShowArguments extends ModelArguments {
  endpoint: string
  socket?: string | undefined
}

async function show(world: World, args: ShowArguments): Promise<void> {
  const model = await readModel(world, args)
  const endpoint = chooseEndpoint<AnyEndpoint>(args.endpoint, [
    ...(resourcesOf(model, 'WorkloadEndpoint') as ResourceOf<'WorkloadEndpoint'>[]),
    ...(resourcesOf(model, 'HostEndpoint') as ResourceOf<'HostEndpoint'>[]),
  ])
  const { kind } = endpoint
  const name =
    kind === 'WorkloadEndpoint' ? resourceKey({ kind, name: endpoint.metadata.name }) : endpoint.metadata.name
  const bearings = rulesOn(model.evaluator, { kind, name }) ?? []
  const counted = await countedRules(world, args, endpoint.metadata.name)
  for (const fault of counted.ok ? counted.faults : []) warn(world, args.output, `this node: ${fault}`)
  const countOf: CountOf | undefined = counted.ok
    ? (bearing, position) => counted.rules.find((rule) => isCountOf(rule, bearing, position))
    : undefined
  const answer = {
    endpoint: endpoint.metadata.name,
    ...(counted.ok ? { faults: counted.faults } : { withoutCounters: counted.reason }),
    rules: bearings.flatMap((bearing) => ruleItems(bearing, countOf)),
  }
  print(world, args.output, answer, () =>
    [
      `${kind} ${endpoint.metadata.name}\n\n`,
      bearingTable(bearings, countOf, world.columns),
      counted.ok
        ? '\nCounters are those of this node, over all of its endpoints that the rule bears on.\n'
        : `\nWithout counters: ${counted.reason}\n`,
    ].join(''),
  )
}

type CountedRules =
  { ok: true; rules: readonly PolicyRuleCount[]; faults: readonly string[] } | { ok: false; reason: string }

/** What the agent of this machine counted for the rules of the endpoint, or why that isn't known. */
async function countedRules(world: World, args: ShowArguments, name: string): Promise<CountedRules> {
  if (args.staged) return { ok: false, reason: 'staged policies are not in the kernel.' }
  if ((args.filename ?? []).length > 0) return { ok: false, reason: 'files were asked, not a node.' }
  try {
    const agent = await world.openAgent(args)
    const { rules, faults, problems } = await agent.policy(name)
    return { ok: true, rules, faults: [...faults.map(({ message }) => message), ...problems] }
  } catch (error) {
    if (!(error instanceof DroverError)) throw error
    return { ok: false, reason: error.message }
  }
}

function isCountOf(rule: PolicyRuleCount, bearing: Bearing, position: number): boolean {
  return (
    rule.position === position &&
    rule.direction === bearing.direction &&
    (bearing.policy === undefined ? rule.profile === bearing.profile : rule.policy === bearing.policy)
  )
}

async function diff(world: World, args: ModelArguments): Promise<void> {
  const model = await readModel(world, { ...args, staged: false })
  const staged = (['StagedGlobalNetworkPolicy', 'StagedNetworkPolicy'] as const).flatMap((kind) =>
    resourcesOf(model, kind),
  )
  const flows = explainChanges(model, enforcedPolicyModel(model))
  const names = staged.map(nameOfResource)
  print(world, args.output, { staged: names, ...flowAnswer(flows) }, () =>
    staged.length === 0
      ? 'There is no staged policy.\n'
      : `If in force: ${names.join(', ')}\n\n${flowChangesText(flows.comparison, flows.changes)}`,
  )
}

/** One object for each rule, for scripts; a policy without rules in a direction is one without `rule`. */
function ruleItems(bearing: Bearing, countOf: CountOf | undefined): object[] {
  const { rules, ...where } = bearing
  const place = { ...where, judge: nameOf(bearing) }
  if (rules === undefined) return [{ ...place, missing: true }]
  if (rules.length === 0) return [place]
  return rules.map((rule, position) => {
    const count = countOf?.(bearing, position)
    return {
      ...{ ...place, position, rule, text: formatRuleLine(rule) },
      ...(count === undefined ? {} : { packets: count.packets, bytes: count.bytes }),
    }
  })
}
