import type { CommandModule } from 'yargs'
import type { World } from '../world.ts'
import { agentOptions, outputOption, print } from './shared-options.ts'

/** The version of this program; bundled from package.json. */
export const VERSION = '0.1.0'

/** `drover version`: of the command line and, if it runs, of the agent. */
export function versionCommand(world: World): CommandModule {
  return {
    command: 'version',
    describe: 'Versions of this command and of the agent',
    builder: (yargs) => agentOptions(yargs).option('output', outputOption(['table', 'json'])),
    handler: async (raw) => {
      const args = raw as unknown as { socket?: string; output: string }
      const agent = await world
        .agent(args)
        .node()
        .then((node) => node.version)
        .catch(() => undefined)
      const answer = { drover: VERSION, agent, node: process.versions.node }
      print(world, args.output, answer, () => {
        const running = agent === undefined ? 'no agent answers here' : `agent ${agent}`
        return `drover ${VERSION}, ${running}, Node ${process.versions.node}\n`
      })
    },
  }
}
