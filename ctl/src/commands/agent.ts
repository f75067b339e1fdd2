import { allSettings } from '@network/agent/config'
import type { Schema, Setting } from '@network/datastore/model'
import type { Argv, Options } from 'yargs'
import type { World } from '../world.ts'
import type { Command } from './command.ts'

/** `drover agent`: every setting is a flag; what it does is in the agent's package. */
export function agentCommand(world: World): Command {
  return {
    options: (yargs) =>
      allSettings
        .reduce<Argv>((argv, setting) => argv.option(flagOf(setting), optionOf(setting)), yargs)
        .example('$0 agent --embedded-etcd', 'one machine: etcd is started and supervised as well')
        .example('$0 agent --etcd-endpoints https://etcd-1:2379,https://etcd-2:2379', 'a node of a cluster'),
    run: async (given) => {
      const [{ runAgent }, { createCniFace }, { createDockerFace }] = await Promise.all([
        import('@network/agent'),
        import('@network/cni'),
        import('@network/docker'),
      ])
      const values = given as Readonly<Record<string, unknown>>
      const flags = Object.fromEntries(allSettings.map(({ name }) => [name, values[name]]))
      await runAgent({ flags, environment: world.env, faces: [createCniFace(), createDockerFace()] })
    },
  }
}

function flagOf(setting: Setting): string {
  return setting.name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** Values stay text here: the settings' own schemas read and check them, wherever they come from. */
function optionOf(setting: Setting): Options {
  const shown = Array.isArray(setting.default) ? setting.default.join(',') : String(setting.default)
  return {
    type: setting.schema.is === 'boolean' ? 'boolean' : 'string',
    describe: `${setting.description}${shown === '' || shown === 'false' ? '' : ` [${shown}]`}`,
    ...choicesOf(setting.schema),
  }
}

function choicesOf(schema: Schema): Options {
  return schema.is === 'word' ? { choices: schema.words } : {}
}
