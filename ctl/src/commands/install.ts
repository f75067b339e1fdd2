import path from 'node:path'
import type { ExecutableKind, Paths } from '@network/cni/install'
import type { Argv } from 'yargs'
import manifest from '../../package.json' with { type: 'json' }
import type { AgentArguments, World } from '../world.ts'
import type { Command } from './command.ts'
import { agentOptions, outputOption, print } from './shared-options.ts'

interface InstallCniArguments extends AgentArguments {
  bin: string
  conf: string
  executable?: ExecutableKind | undefined
  uninstall: boolean
  output: string
}

/** `drover install cni`: what a container runtime of this machine needs to find Drover. */
export function installCommand(world: World): Command {
  return {
    options: (yargs) =>
      yargs
        .command(
          'cni',
          'The CNI plugin and a network configuration for containerd, a kubelet, podman, Nomad, Mesos',
          (y: Argv) =>
            agentOptions(y)
              .option('bin', {
                type: 'string',
                default: '/opt/cni/bin',
                describe: 'folder of CNI plugins',
              })
              .option('conf', {
                type: 'string',
                default: '/etc/cni/net.d',
                describe: 'folder of network configurations',
              })
              .option('executable', {
                choices: ['binary', 'script'],
                describe: 'default: a binary if a C compiler is there, else a script with curl or Node',
              })
              .option('uninstall', { type: 'boolean', default: false, describe: 'take it away again' })
              .option('output', outputOption(['table', 'json']))
              .example('$0 install cni', 'drover and drover-ipam, and 10-drover.conflist if there is none')
              .example('$0 install cni --uninstall', 'all of it gone; a conflist that you changed stays'),
          (given) => installCniFiles(world, given as unknown as InstallCniArguments),
        )
        .command(
          'docker-plugin <folder>',
          'A folder for docker plugin create: the managed plugin that Swarm wants',
          (y: Argv) =>
            agentOptions(y)
              .positional('folder', { type: 'string', demandOption: true, describe: 'folder to write' })
              .option('output', outputOption(['table', 'json']))
              .example(
                '$0 install docker-plugin drover-plugin',
                'then: docker plugin create drover:1 drover-plugin',
              ),
          (given) => writeDockerPluginFolder(world, given as unknown as InstallDockerArguments),
        )
        .demandCommand(1, 1),
    run: () => Promise.resolve(),
  }
}

interface InstallDockerArguments extends AgentArguments {
  folder: string
  output: string
}

async function writeDockerPluginFolder(world: World, args: InstallDockerArguments): Promise<void> {
  const [{ writeDockerPlugin }, { agentPaths }] = await Promise.all([
    import('@network/docker/install'),
    import('../settings.ts'),
  ])
  const { socket } = agentPaths(args, world.env)
  const files = await writeDockerPlugin({
    folder: path.resolve(args.folder),
    socketFolder: path.dirname(path.resolve(socket)),
  })
  print(world, args.output, { files }, () => lines('written', files))
}

async function installCniFiles(world: World, args: InstallCniArguments): Promise<void> {
  const { installCni, uninstallCni } = await import('@network/cni/install')
  const folders = { bin: path.resolve(args.bin), conf: path.resolve(args.conf) }
  if (args.uninstall) {
    const done = await uninstallCni(folders)
    print(world, args.output, done, () => lines('removed', done.files) + lines('kept', done.kept))
    return
  }
  const done = await installCni({
    ...folders,
    paths: await pathsOf(world, args),
    ...(args.executable === undefined ? {} : { kind: args.executable }),
  })
  print(
    world,
    args.output,
    done,
    () => lines('written', done.files) + lines('kept', done.kept) + `The executable is a ${done.kind}.\n`,
  )
}

/** Where this machine's agent listens and keeps its journal, found as the agent itself would find them. */
async function pathsOf(world: World, args: AgentArguments): Promise<Paths> {
  const [{ agentPaths }, { CNI_SOCKET_NAME, PROMISES_FOLDER }] = await Promise.all([
    import('../settings.ts'),
    import('@network/cni'),
  ])
  const { socket, stateDirectory } = agentPaths(args, world.env)
  return {
    socket: path.join(path.dirname(path.resolve(socket)), CNI_SOCKET_NAME),
    journal: path.join(path.resolve(stateDirectory), PROMISES_FOLDER),
    version: manifest.version,
  }
}

function lines(word: string, files: readonly string[]): string {
  return files.map((file) => `${word} ${file}\n`).join('')
}
