import type { World } from '../world.ts'
import manifest from '../../package.json' with { type: 'json' }
import type { Command } from './command.ts'
import { agentOptions, outputOption, print } from './shared-options.ts'

/** `drover version`: of the command line and, if it runs, of the agent. */
export function versionCommand(world: World): Command {
  return {
    options: (yargs) =>
      agentOptions(yargs)
        .option('output', outputOption(['table', 'json']))
        .example('$0 version -o json', 'the agent is null where none answers'),
    run: async (given) => {
      const args = given as { socket?: string; config?: string; output: string }
      const client = await world.openAgent(args)
      const agent = await client.node().then(
        (node) => node.version,
        () => undefined,
      )
      const answer = { drover: manifest.version, agent: agent ?? null, node: process.versions.node }
      print(world, args.output, answer, () => {
        const running = agent === undefined ? 'no agent answers here' : `agent ${agent}`
        return `drover ${manifest.version}, ${running}, Node ${process.versions.node}\n`
      })
    },
  }
}
