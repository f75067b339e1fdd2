import { UsageError } from '../output/failure.ts'
import type { World } from '../world.ts'
import type { Command } from './command.ts'

/** `drover reflector`: a speaker from a file, in the foreground; what it does is in the agent's package. */
export function reflectorCommand(_world: World): Command {
  return {
    options: (yargs) =>
      yargs
        .option('config', { type: 'string', describe: 'its configuration file (YAML); required' })
        .option('socket', {
          type: 'string',
          describe: 'its control socket; default /run/drover/reflector.sock',
        })
        .example(
          '$0 reflector --config /etc/drover/reflector.yaml',
          'until SIGTERM; SIGHUP reads the file again',
        )
        .example(
          '$0 bgp peers --socket /run/drover/reflector.sock',
          "look at it; 'drover bgp --help' has the rest",
        ),
    run: async (given) => {
      const { config, socket } = given as { config?: string; socket?: string }
      if (config === undefined) {
        throw new UsageError('A reflector needs its file.', 'Name it with --config FILE.')
      }
      const { runReflector } = await import('@network/agent/reflector')
      await runReflector({ config, socket })
    },
  }
}
