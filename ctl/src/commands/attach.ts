import type { AttachRequest, AttachResult, DetachResult } from '@network/agent/client'
import type { Argv, CommandModule } from 'yargs'
import { UsageError } from '../output/failure.ts'
import { type Target, resolveTarget } from '../target.ts'
import type { World } from '../world.ts'
import { agentOptions, outputOption, print } from './shared-options.ts'

interface TargetArguments {
  netns?: string | undefined
  pid?: number | undefined
  docker?: string | undefined
  id?: string | undefined
  interface: string
  socket?: string | undefined
  timeout: number
  output: string
}

interface AttachArguments extends TargetArguments {
  ip: string[]
  network?: string | undefined
  pool: string[]
  family: string[]
  profile: string[]
  label: string[]
  reserve?: string | undefined
  mac?: string | undefined
  mtu?: number | undefined
  defaultRoute?: boolean | undefined
}

function targetOptions(yargs: Argv): Argv<TargetArguments> {
  return agentOptions(yargs)
    .option('netns', {
      type: 'string',
      group: 'What:',
      describe: 'path of a network namespace, or a name below /run/netns',
    })
    .option('pid', { type: 'number', group: 'What:', describe: 'a process: its network namespace' })
    .option('docker', {
      type: 'string',
      group: 'What:',
      describe: 'a running Docker container, by name or id',
    })
    .option('id', { type: 'string', describe: 'identity of the workload; default: from what is attached' })
    .option('interface', { type: 'string', default: 'eth0', describe: 'name of the interface inside' })
    .option('timeout', { type: 'number', default: 15, describe: 'seconds until it is given up and undone' })
    .option('output', outputOption(['table', 'json']))
}

async function targetOf(world: World, args: TargetArguments): Promise<Target> {
  return resolveTarget({
    netns: args.netns,
    pid: args.pid,
    docker: args.docker,
    id: args.id,
    dockerHost: world.env['DOCKER_HOST'],
  })
}

/** `drover attach`: an interface and a routable address for any network namespace. */
export function attachCommand(world: World): CommandModule {
  return {
    command: 'attach',
    describe: 'Give a network namespace, process or Docker container an interface and a routable address',
    builder: (yargs) =>
      targetOptions(yargs)
        .option('ip', {
          type: 'string',
          array: true,
          nargs: 1,
          default: [],
          describe: 'fixed address; one of each family at most',
        })
        .option('network', { type: 'string', describe: 'name of a Network: its pools, profile and MTU' })
        .option('pool', {
          type: 'string',
          array: true,
          nargs: 1,
          default: [],
          describe: 'take the address from this pool',
        })
        .option('family', {
          choices: ['ipv4', 'ipv6'],
          array: true,
          nargs: 1,
          default: [],
          describe: 'default: every family with a pool',
        })
        .option('profile', {
          type: 'string',
          array: true,
          nargs: 1,
          default: [],
          describe: 'profile of the workload',
        })
        .option('label', {
          type: 'string',
          array: true,
          nargs: 1,
          default: [],
          describe: 'label, as key=value',
        })
        .option('reserve', {
          type: 'string',
          describe: 'keep the address under this name, across restarts and nodes',
        })
        .option('mac', { type: 'string', describe: 'MAC address of the interface inside' })
        .option('mtu', { type: 'number', describe: 'MTU in bytes; default: what the network carries' })
        .option('default-route', { type: 'boolean', describe: 'default: yes, unless the namespace has one' })
        .example('$0 attach --netns web1', 'wire up /run/netns/web1')
        .example(
          '$0 attach --docker web1 --ip 10.65.0.80',
          'a container started with --network none, fixed address',
        )
        .example('$0 attach --pid 4711 --interface net1', 'a second interface for a process'),
    handler: async (raw) => {
      const args = raw as unknown as AttachArguments
      const target = await targetOf(world, args)
      const result = await world.agent(args).attach(attachRequest(target, args))
      print(world, args.output, result, () => attachText(target, result))
    },
  }
}

/** `drover detach`: takes the interface away and gives the addresses back. */
export function detachCommand(world: World): CommandModule {
  return {
    command: 'detach',
    describe: 'Take back what attach gave',
    builder: (yargs) =>
      targetOptions(yargs)
        .example('$0 detach --netns web1', 'what is gone already counts as detached')
        .example('$0 detach --id web1', 'when the namespace itself is gone'),
    handler: async (raw) => {
      const args = raw as unknown as TargetArguments
      const target = await targetOf(world, args)
      const result = await world.agent(args).detach({
        containerId: target.containerId,
        interfaceName: args.interface,
        ...(target.netns === undefined ? {} : { netns: target.netns }),
        deadlineMs: args.timeout * 1000,
      })
      print(world, args.output, result, () => detachText(target, result))
    },
  }
}

function attachRequest(target: Target, args: AttachArguments): AttachRequest {
  if (target.netns === undefined) {
    throw new UsageError('It is not said what to attach.', 'Name one of --netns, --pid or --docker.')
  }
  const [ipv4Pools, ipv6Pools] = [
    args.pool.filter((pool) => !pool.includes(':')),
    args.pool.filter((pool) => pool.includes(':')),
  ]
  return {
    netns: target.netns,
    containerId: target.containerId,
    interfaceName: args.interface,
    orchestrator: target.orchestrator,
    workload: target.workload,
    endpoint: args.interface,
    ...(args.network === undefined ? {} : { network: args.network }),
    ...(ipv4Pools.length === 0 ? {} : { ipv4Pools }),
    ...(ipv6Pools.length === 0 ? {} : { ipv6Pools }),
    ...(args.family.length === 0 ? {} : { families: args.family as ('ipv4' | 'ipv6')[] }),
    ...(args.ip.length === 0 ? {} : { addresses: args.ip }),
    ...(args.reserve === undefined ? {} : { reservation: args.reserve }),
    ...(args.mac === undefined ? {} : { mac: args.mac }),
    ...(args.mtu === undefined ? {} : { mtuBytes: args.mtu }),
    ...(args.profile.length === 0 ? {} : { profiles: args.profile }),
    ...(args.label.length === 0 ? {} : { labels: readLabels(args.label) }),
    ...(args.defaultRoute === undefined ? {} : { defaultRoute: args.defaultRoute }),
    deadlineMs: args.timeout * 1000,
  }
}

function readLabels(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf('=')
      if (equals < 1)
        throw new UsageError(`--label '${text}' is no key=value.`, 'Write for example --label role=web.')
      return [text.slice(0, equals), text.slice(equals + 1)]
    }),
  )
}

function attachText(target: Target, result: AttachResult): string {
  const addresses = result.addresses.map(({ address }) => address.replace(/\/\d+$/, '')).join(' and ')
  const { name, mtuBytes } = result.containerInterface
  return `${target.workload} has ${addresses} on ${name} (MTU ${mtuBytes}, host side ${result.hostInterface.name})\n`
}

function detachText(target: Target, result: DetachResult): string {
  if (result.endpoints.length === 0) return `${target.workload} was not attached\n`
  const given =
    result.addresses.length === 0 ? 'no address was held' : `${result.addresses.join(' and ')} given back`
  const later = result.journaled ? '; etcd is away, the agent will tell it when it is back' : ''
  return `${target.workload} is detached, ${given}${later}\n`
}
