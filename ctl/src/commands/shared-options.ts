import type { Argv, Options } from 'yargs'
import type { AgentArguments, StoreArguments, World } from '../world.ts'

/** `-o`: how the answer is written. */
export function outputOption<Choice extends string>(
  choices: readonly [Choice, ...Choice[]],
): Options & { choices: readonly Choice[]; default: Choice } {
  return { alias: 'o', choices, default: choices[0], describe: 'how the answer is written' }
}

/** Options of every command that asks the local agent. */
export function agentOptions<T>(yargs: Argv<T>): Argv<T & AgentArguments> {
  return yargs.option('socket', {
    type: 'string',
    describe: "the agent's socket; default /run/drover/agent.sock",
  })
}

/** Options of every command that reads or writes etcd. */
export function storeOptions<T>(yargs: Argv<T>): Argv<T & StoreArguments> {
  const group = 'etcd:'
  return yargs
    .option('etcd-endpoints', {
      type: 'string',
      array: true,
      nargs: 1,
      group,
      describe: 'addresses of its members; default http://127.0.0.1:2379',
      coerce: (values: string[] | undefined) =>
        values?.flatMap((value) => value.split(',')).filter((value) => value !== ''),
    })
    .option('etcd-ca-file', { type: 'string', group, describe: 'certificate of who signed its certificates' })
    .option('etcd-cert-file', { type: 'string', group, describe: 'our certificate' })
    .option('etcd-key-file', { type: 'string', group, describe: 'the key of our certificate' })
    .option('etcd-username', { type: 'string', group, describe: 'user name' })
    .option('etcd-password-file', { type: 'string', group, describe: 'file with the password' })
    .option('config', { type: 'string', describe: 'configuration file; default /etc/drover/drover.yaml' })
}

/** Writes an answer as JSON or as the text for people. */
export function print(world: World, output: string, answer: unknown, text: () => string): void {
  world.out(output === 'json' ? `${JSON.stringify(answer, null, 2)}\n` : text())
}
