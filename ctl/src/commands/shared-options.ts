import type { Argv, Options } from 'yargs'
import { UsageError } from '../output/failure.ts'
import type { World } from '../world.ts'

/** Names (as yargs keeps them) that may come several times: lists with one value each time, and positionals. */
export const LIST_OPTIONS: ReadonlySet<string> = new Set([
  ...['_', 'names', 'words', 'ip', 'family', 'profile', 'label', 'filename', 'f'],
  ...['ipv4-pool', 'ipv4Pool', 'ipv6-pool', 'ipv6Pool'],
  // Those of the agent that are lists; its own settings judge the values.
  ...['etcd-endpoints', 'etcdEndpoints', 'mtu-interface-pattern', 'mtuInterfacePattern'],
  ...['failsafe-inbound', 'failsafeInbound', 'failsafe-outbound', 'failsafeOutbound'],
])

/** An option that may be given several times, with one value each time. */
export function listOption<Extra extends Options>(
  describe: string,
  extra?: Extra,
): Extra & { type: 'string'; describe: string; coerce: (given: string | string[]) => string[] } {
  // Not `array`: yargs takes no single dash, which is standard input, as the value of one.
  return { ...(extra as Extra), type: 'string', describe, coerce: asList }
}

function asList(given: string | string[]): string[] {
  return typeof given === 'string' ? [given] : given
}

/** `-o`: how the answer is written. */
export function outputOption<Choice extends string>(
  choices: readonly [Choice, ...Choice[]],
): Options & { choices: readonly Choice[]; default: Choice } {
  return { alias: 'o', choices, default: choices[0], describe: 'how the answer is written' }
}

function configOption(yargs: Argv): Argv {
  return yargs.option('config', {
    type: 'string',
    describe: 'configuration file; default /etc/drover/drover.yaml',
  })
}

/** Options of every command that asks the local agent. */
export function agentOptions(yargs: Argv): Argv {
  return configOption(yargs).option('socket', {
    type: 'string',
    describe: "the agent's socket; default /run/drover/agent.sock",
  })
}

/** Options of every command that reads or writes etcd. */
export function storeOptions(yargs: Argv): Argv {
  const group = 'etcd:'
  return configOption(yargs)
    .option('etcd-endpoints', {
      ...listOption('its members, also with commas between them; default http://127.0.0.1:2379'),
      group,
      coerce: (given: string | string[]) => asList(given).flatMap((value) => value.split(',')),
    })
    .option('etcd-ca-file', { type: 'string', group, describe: 'authorities that sign its certificates' })
    .option('etcd-cert-file', { type: 'string', group, describe: 'client certificate' })
    .option('etcd-key-file', { type: 'string', group, describe: 'key of the client certificate' })
    .option('etcd-username', { type: 'string', group, describe: 'user name' })
    .option('etcd-password-file', { type: 'string', group, describe: 'file with the password' })
}

/** `-f` and `-R`: options of every command that reads resources from files; `describe` says what for. */
export function fileOptions(yargs: Argv, describe: string): Argv {
  return yargs.option('filename', { ...listOption(describe), alias: 'f' }).option('recursive', {
    alias: 'R',
    type: 'boolean',
    default: false,
    describe: 'folders with what is below them',
  })
}

/** The whole number of an option. @throws UsageError that names option, value and bounds */
export function readInteger(option: string, text: string, min: number, max: number): number {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new UsageError(`${option} is '${text}'.`, `Give a whole number from ${min} to ${max}.`)
}

/** Writes an answer as JSON or as the text for people. */
export function print(world: World, output: string, answer: unknown, text: () => string): void {
  world.out(output === 'json' ? `${JSON.stringify(answer, undefined, 2)}\n` : text())
}

/** Something that does not stop the command, on standard error, as JSON if the answer is. */
export function warn(world: World, output: string, message: string): void {
  world.err(output === 'json' ? `${JSON.stringify({ warning: { message } })}\n` : `warning: ${message}\n`)
}
