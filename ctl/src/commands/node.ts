import type { CommandModule } from 'yargs'
import { nodeStatusText } from '../output/node-status.ts'
import { settingsText } from '../output/settings.ts'
import type { World } from '../world.ts'
import { agentOptions, outputOption, print } from './shared-options.ts'

/** `drover node status` and `drover node config`: what the agent of this machine is doing, and with which settings. */
export function nodeCommand(world: World): CommandModule {
  return {
    command: 'node <command>',
    describe: 'Look at the agent of this machine',
    builder: (yargs) =>
      yargs
        .command({
          command: 'status',
          describe: 'Health, BGP sessions, blocks and routes of this node',
          builder: (y) =>
            agentOptions(y)
              .option('output', outputOption(['table', 'json']))
              .example('$0 node status', 'exits 1 if the node is not healthy')
              .example('$0 node status -o json', 'the same for scripts'),
          handler: async (raw) => {
            const args = raw as unknown as { socket?: string; output: string }
            const agent = world.agent(args)
            const [node, peers, health, endpoints] = await Promise.all([
              agent.node(),
              agent.bgpPeers(),
              agent.health(),
              agent.endpoints(),
            ])
            const answer = { node, health, peers, endpoints }
            print(world, args.output, answer, () => nodeStatusText(answer, world.clock.now(), world.columns))
            if (!health.ok) world.fail()
          },
        })
        .command({
          command: 'config',
          describe: 'Every setting of this node, its value and where it comes from',
          builder: (y) =>
            agentOptions(y)
              .option('all', {
                type: 'boolean',
                default: false,
                describe: 'also settings that have their built-in value',
              })
              .option('output', outputOption(['table', 'json']))
              .example('$0 node config --all', 'with the settings that nobody has changed'),
          handler: async (raw) => {
            const args = raw as unknown as { socket?: string; output: string; all: boolean }
            const settings = await world.agent(args).config()
            const shown = args.all ? settings : settings.filter((setting) => setting.origin !== 'built-in')
            print(world, args.output, shown, () => settingsText(shown, world.columns))
          },
        })
        .demandCommand(1, 1, "'drover node' wants one of: status, config."),
    handler: () => undefined,
  }
}
