import yargs from 'yargs'
import { attachCommand, detachCommand } from './commands/attach.ts'
import { agentCommand } from './commands/agent.ts'
import { ipamCommand } from './commands/ipam.ts'
import { nodeCommand } from './commands/node.ts'
import { applyCommand, createCommand, deleteCommand, replaceCommand } from './commands/write-resources.ts'
import { getCommand } from './commands/get.ts'
import { versionCommand } from './commands/version.ts'
import { ExitCode, UsageError, describeFailure, exitCodeOf, failureAsJson } from './output/failure.ts'
import type { World } from './world.ts'

/**
 * Runs one command line (without the program's own name) to its end and answers the exit code. Nothing is thrown: what
 * goes wrong is written to standard error, as JSON if the answer was asked for as JSON.
 */
export async function runCommandLine(words: readonly string[], world: World): Promise<ExitCode> {
  let code: ExitCode = ExitCode.done
  const ownWorld: World = {
    ...world,
    fail: () => {
      code = ExitCode.failed
    },
  }
  try {
    await parse(words, ownWorld)
    return code
  } catch (error) {
    world.err(wantsJson(words) ? failureAsJson(error) : describeFailure(error))
    return exitCodeOf(error)
  }
}

async function parse(words: readonly string[], world: World): Promise<void> {
  const parser = yargs([...words])
    .scriptName('drover')
    .usage('$0 <command>\n\nRoutable addresses for containers, by plain IP routing and BGP.')
    .command(agentCommand(world))
    .command(attachCommand(world))
    .command(detachCommand(world))
    .command(getCommand(world))
    .command(applyCommand(world))
    .command(createCommand(world))
    .command(replaceCommand(world))
    .command(deleteCommand(world))
    .command(nodeCommand(world))
    .command(ipamCommand(world))
    .command(versionCommand(world))
    .demandCommand(1, 1, 'A command is missing.')
    .strict()
    .recommendCommands()
    .version(false)
    .help()
    .alias('help', 'h')
    .wrap(world.columns === undefined ? 100 : Math.min(world.columns, 110))
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message: string | null, error: Error | undefined) => {
      if (error !== undefined) throw error
      const sentence = (message ?? 'The command line makes no sense.').replaceAll('\n', ' ')
      throw new UsageError(
        sentence.endsWith('.') ? sentence : `${sentence}.`,
        "'drover --help' lists the commands and their options.",
      )
    })
  let help = ''
  await parser.parseAsync([...words], {}, (_error: unknown, _argv: unknown, output: string) => {
    help = output
  })
  if (help !== '') world.out(`${help}\n`)
}

function wantsJson(words: readonly string[]): boolean {
  return words.some(
    (word, i) =>
      word === '-ojson' ||
      /^(-o|--output)=json$/.test(word) ||
      (/^(-o|--output)$/.test(word) && words[i + 1] === 'json'),
  )
}
