import { type AgentClient, AgentError } from '@network/agent/client'
import type { Family } from '@network/net'
import type { Argv } from 'yargs'
import { type NodeStatus, nodeStatusText } from '../output/node-status.ts'
import { routesText } from '../output/routes.ts'
import { settingsText } from '../output/settings.ts'
import { cleanUpNode } from '@network/agent/cleanup'
import { DroverError } from '@network/net'
import type { AgentArguments, World } from '../world.ts'
import type { Command } from './command.ts'
import { agentOptions, outputOption, print, warn } from './shared-options.ts'

interface NodeArguments extends AgentArguments {
  output: string
}

interface CleanupArguments extends NodeArguments {
  interfaces: boolean
  dryRun: boolean
}

/** `drover node status|config|routes|cleanup`: what the agent of this machine is doing, and what it left when it went. */
export function nodeCommand(world: World): Command {
  return {
    options: (yargs) =>
      yargs
        .command(
          'status',
          'Health, BGP sessions, blocks and workloads; exits 1 if the node is not healthy',
          (y: Argv) =>
            agentOptions(y)
              .option('output', outputOption(['table', 'json']))
              .example('$0 node status', 'a page for people')
              .example('$0 node status -o json', 'the same for scripts'),
          (given) => showStatus(world, given as unknown as NodeArguments),
        )
        .command(
          'config',
          'Every setting of this node, its value and where it comes from',
          (y: Argv) =>
            agentOptions(y)
              .option('all', {
                type: 'boolean',
                default: false,
                describe: 'also settings that have their built-in value',
              })
              .option('output', outputOption(['table', 'json']))
              .example('$0 node config', 'what somebody has set, and where')
              .example('$0 node config --all', 'with the settings that nobody has changed'),
          (given) => showSettings(world, given as unknown as NodeArguments & { all: boolean }),
        )
        .command(
          'routes [prefix]',
          'Routes that the BGP speaker knows; with a prefix all its paths and why the best is best',
          (y: Argv) =>
            agentOptions(y)
              .positional('prefix', { type: 'string', describe: 'one prefix, such as 10.65.0.64/26' })
              .option('family', { choices: ['ipv4', 'ipv6'], describe: 'of this family only' })
              .option('output', outputOption(['table', 'json']))
              .example('$0 node routes --family ipv4', 'all routes of one family')
              .example('$0 node routes 10.65.0.64/26', 'every path of one prefix'),
          (given) =>
            showRoutes(world, given as unknown as NodeArguments & { prefix?: string; family?: Family }),
        )
        .command(
          'cleanup',
          'Take what agents left in the kernel out of it: chains, sets, routes; the agent must have stopped',
          (y: Argv) =>
            agentOptions(y)
              .option('interfaces', {
                type: 'boolean',
                default: false,
                describe: "workloads' interfaces too: they lose the network",
              })
              .option('dry-run', { type: 'boolean', default: false, describe: 'only say what is there' })
              .option('output', outputOption(['table', 'json']))
              .example('$0 node cleanup --dry-run', 'what would be removed')
              .example('$0 node cleanup --interfaces', 'a machine that is no node any more'),
          (given) => cleanUp(world, given as unknown as CleanupArguments),
        )
        .demandCommand(1, 1),
    run: () => Promise.resolve(),
  }
}

async function showStatus(world: World, args: NodeArguments): Promise<void> {
  const agent = await world.openAgent(args)
  const status = await readStatus(agent)
  print(world, args.output, status, () => nodeStatusText(status, world.clock.now(), world.columns))
  if (!status.health.ok) world.fail()
}

/** An agent that is still starting has its health to show and nothing else. */
async function readStatus(agent: AgentClient): Promise<NodeStatus> {
  const health = await agent.health()
  try {
    const [node, peers, endpoints] = await Promise.all([agent.node(), agent.bgpPeers(), agent.endpoints()])
    return { health, node, peers, endpoints }
  } catch (error) {
    if (!health.ok && error instanceof AgentError && error.code === 'not-ready') return { health }
    throw error
  }
}

async function showSettings(world: World, args: NodeArguments & { all: boolean }): Promise<void> {
  const agent = await world.openAgent(args)
  const settings = await agent.config()
  const shown = args.all ? settings : settings.filter((setting) => setting.origin !== 'built-in')
  print(world, args.output, shown, () => settingsText(shown, world.columns))
}

async function showRoutes(
  world: World,
  args: NodeArguments & { prefix?: string; family?: Family },
): Promise<void> {
  const agent = await world.openAgent(args)
  const { prefix, family } = args
  if (prefix !== undefined) {
    const answer = await agent.bgpWhy(prefix)
    print(world, args.output, answer, () => routesText(answer.routes, world.columns))
    return
  }
  const answer = await agent.bgpRoutes(family === undefined ? {} : { family })
  print(world, args.output, answer, () => routesText(answer.routes, world.columns))
  if (answer.truncated) warn(world, args.output, 'there are more routes than are shown; ask for one prefix')
}

async function cleanUp(world: World, args: CleanupArguments): Promise<void> {
  if (!args.dryRun && (await agentAnswers(world, args))) {
    throw new DroverError(
      'agent-runs',
      'The agent of this machine is running: it would put everything back.',
      {
        remedy: 'Stop it first.',
      },
    )
  }
  const { interfaces, dryRun } = args
  const report = await cleanUpNode({ interfaces, dryRun })
  print(world, args.output, { ...report, dryRun }, () => {
    const { chains, sets, routes } = report
    const what = `${chains} chains, ${sets} sets, ${routes} routes, ${report.interfaces.length} interfaces`
    return dryRun ? `Would be removed: ${what}.\n` : `Removed: ${what}.\n`
  })
}

async function agentAnswers(world: World, args: AgentArguments): Promise<boolean> {
  try {
    await (await world.openAgent(args)).health()
    return true
  } catch (error) {
    return !(error instanceof AgentError && error.status === undefined)
  }
}
