import yargs, { type Argv, type CommandModule } from 'yargs'
import type { Command } from './commands/command.ts'
import { LIST_OPTIONS } from './commands/shared-options.ts'
import { ExitCode, UsageError, describeFailure, exitCodeOf, failureAsJson } from './output/failure.ts'
import type { World } from './world.ts'

interface CommandEntry {
  command: string
  describe: string
  load(): Promise<(world: World) => Command>
}

const commands: readonly CommandEntry[] = [
  {
    command: 'agent',
    describe: 'Run the agent of this node (root)',
    load: async () => (await import('./commands/agent.ts')).agentCommand,
  },
  {
    command: 'attach',
    describe: 'Give a network namespace, process or Docker container an interface and a routable address',
    load: async () => (await import('./commands/attach.ts')).attachCommand,
  },
  {
    command: 'detach',
    describe: 'Take back what attach gave',
    load: async () => (await import('./commands/attach.ts')).detachCommand,
  },
  {
    command: 'get <kind> [names..]',
    describe: 'Show resources',
    load: async () => (await import('./commands/get.ts')).getCommand,
  },
  {
    command: 'apply',
    describe: 'Create or change resources: all of them or none',
    load: async () => (await import('./commands/write-resources.ts')).applyCommand,
  },
  {
    command: 'create',
    describe: 'Create resources that do not exist yet: all of them or none',
    load: async () => (await import('./commands/write-resources.ts')).createCommand,
  },
  {
    command: 'replace',
    describe: 'Replace resources that exist: all of them or none',
    load: async () => (await import('./commands/write-resources.ts')).replaceCommand,
  },
  {
    command: 'delete [kind] [names..]',
    describe: 'Delete resources: all of them or none',
    load: async () => (await import('./commands/write-resources.ts')).deleteCommand,
  },
  {
    command: 'profile <name> [words..]',
    describe: 'Make and change profiles: rules that endpoints share',
    load: async () => (await import('./commands/profile.ts')).profileCommand,
  },
  {
    command: 'endpoint <endpoint> [words..]',
    describe: 'Choose the profiles of an endpoint',
    load: async () => (await import('./commands/endpoint.ts')).endpointCommand,
  },
  {
    command: 'policy <command>',
    describe: 'Who may talk to whom, and why: by the model, without sending a packet',
    load: async () => (await import('./commands/policy.ts')).policyCommand,
  },
  {
    command: 'node <command>',
    describe: 'Look at the agent of this machine',
    load: async () => (await import('./commands/node.ts')).nodeCommand,
  },
  {
    command: 'ports',
    describe: 'Ports of this host that lead to workloads',
    load: async () => (await import('./commands/ports.ts')).portsCommand,
  },
  {
    command: 'install <command>',
    describe: 'Put what a container runtime needs where it looks for it, or take it away',
    load: async () => (await import('./commands/install.ts')).installCommand,
  },
  {
    command: 'ipam <command>',
    describe: 'Addresses: who holds them, what is free, what has leaked',
    load: async () => (await import('./commands/ipam.ts')).ipamCommand,
  },
  {
    command: 'bgp <command>',
    describe: 'Look at and steer a BGP speaker: that of the agent, or a reflector',
    load: async () => (await import('./commands/bgp.ts')).bgpCommand,
  },
  {
    command: 'reflector',
    describe: 'Run a route reflector, route server or plain speaker from a file',
    load: async () => (await import('./commands/reflector.ts')).reflectorCommand,
  },
  {
    command: 'version',
    describe: 'Versions of this command and of the agent',
    load: async () => (await import('./commands/version.ts')).versionCommand,
  },
]

/** Names of the commands, and of those that have further ones below them. */
const names = commands.map(({ command }) => command.split(' ')[0] ?? '')
const groups = new Set(['node', 'ipam', 'bgp', 'install'])

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
  } catch (thrown) {
    // YError is the parser's own word for a command line that it can't read.
    const error =
      thrown instanceof Error && thrown.name === 'YError' ? usageError(thrown.message, words) : thrown
    world.err(wantsJson(words) ? failureAsJson(error) : describeFailure(error))
    return exitCodeOf(error)
  }
}

async function parse(words: readonly string[], world: World): Promise<void> {
  const parser = commands
    .reduce<Argv>((argv, entry) => argv.command(lazily(entry, world)), yargs([]))
    .scriptName('drover')
    .usage('$0 <command>\n\nRoutable addresses for containers, by plain IP routing and BGP.')
    .epilogue("'drover COMMAND --help' shows options and examples.")
    .demandCommand(1, 1, 'A command is missing.')
    .strict()
    .recommendCommands()
    .version(false)
    .help()
    .alias('help', 'h')
    .wrap(world.columns === undefined ? 100 : Math.min(world.columns, 110))
    .exitProcess(false)
    .showHelpOnFail(false)
    .check(checkValues)
    .fail((message: string | null, error: Error | undefined) => {
      if (error !== undefined) throw error
      throw usageError(message ?? 'The command line makes no sense.', words)
    })
  let help = ''
  await parser.parseAsync([...words], {}, (_error: unknown, _argv: unknown, output: string) => {
    help = output
  })
  if (help !== '') world.out(`${help}\n`)
}

function lazily(entry: CommandEntry, world: World): CommandModule {
  let command: Command | undefined
  return {
    command: entry.command,
    describe: entry.describe,
    builder: async (argv) => {
      command = (await entry.load())(world)
      return command.options(argv)
    },
    handler: (given) => command?.run(given),
  }
}

/** An option that takes one value is given once, with a value: which of two was meant is not for us to say. */
function checkValues(given: Record<string, unknown>): true {
  for (const [name, value] of Object.entries(given)) {
    const option = `${name.length === 1 ? '-' : '--'}${name}`
    if (Array.isArray(value) && !LIST_OPTIONS.has(name)) {
      throw new UsageError(`${option} is given ${value.length} times.`, 'Give it once.')
    }
    if (value === '' || (Array.isArray(value) && value.includes(''))) {
      throw new UsageError(`${option} has no value.`, 'Write the value behind it, or leave the option out.')
    }
  }
  return true
}

/** The parser's words in ours: what is wrong, and where help is. */
function usageError(message: string, words: readonly string[]): UsageError {
  const [first = '', second = ''] = words
  const command = !names.includes(first) ? [] : groups.has(first) && second !== '' ? [first, second] : [first]
  const shown = command.length > 0 ? command.join(' ') : first
  const help = `'${['drover', ...command.slice(0, 1), '--help'].join(' ')}' shows what there is.`
  const near = /^Did you mean (.+)\?$/.exec(message)?.[1]
  if (near !== undefined) {
    return new UsageError(`'drover ${shown}' is no command.`, `Did you mean '${near}'? ${help}`)
  }
  const unknown = /^Unknown (?:command|arguments?): (.+)$/.exec(message)?.[1]
  if (unknown !== undefined && command.length === 0) {
    return new UsageError(`'drover ${shown}' is no command.`, help)
  }
  if (unknown !== undefined) return new UsageError(`'drover ${shown}' does not know '${unknown}'.`, help)
  const choice = /Argument: (\S+), Given: (.*), Choices: (.*)$/m.exec(message)
  if (choice !== null) {
    const [, option = '', value = '', choices = ''] = choice
    return new UsageError(`--${option} can't be ${value}.`, `Use one of: ${choices.replaceAll('"', '')}.`)
  }
  if (message.startsWith('Not enough non-option arguments')) {
    return new UsageError(`Something is missing after 'drover ${shown}'.`, help)
  }
  const sentence = message.replaceAll('\n', ' ').trim()
  return new UsageError(sentence.endsWith('.') ? sentence : `${sentence}.`, help)
}

function wantsJson(words: readonly string[]): boolean {
  return words.some(
    (word, i) =>
      word === '-ojson' ||
      /^(-o|--output)=json$/.test(word) ||
      (/^(-o|--output)$/.test(word) && words[i + 1] === 'json'),
  )
}
