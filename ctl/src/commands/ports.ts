import { hostPorts, portsText } from '../output/ports.ts'
import type { AgentArguments, World } from '../world.ts'
import type { Command } from './command.ts'
import { agentOptions, outputOption, print } from './shared-options.ts'

/** `drover ports`: which ports of this host lead to which workload. */
export function portsCommand(world: World): Command {
  return {
    options: (yargs) =>
      agentOptions(yargs)
        .option('output', outputOption(['table', 'json']))
        .example('$0 ports', 'what -p, hostPort and portMappings have opened on this host'),
    run: async (given) => {
      const args = given as AgentArguments & { output: string }
      const agent = await world.openAgent(args)
      const ports = hostPorts(await agent.endpoints())
      print(world, args.output, ports, () => portsText(ports, world.columns))
    },
  }
}
