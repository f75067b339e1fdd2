import type { AttachRequest, AttachResult, DetachResult } from '@network/agent/client'
import { DroverError, type Family } from '@network/net'
import type { Argv } from 'yargs'
import { UsageError } from '../output/failure.ts'
import { type Target, resolveTarget } from '../target.ts'
import type { AgentArguments, World } from '../world.ts'
import type { Command } from './command.ts'
import { agentOptions, listOption, outputOption, print, readInteger } from './shared-options.ts'

interface TargetArguments extends AgentArguments {
  netns?: string | undefined
  pid?: string | undefined
  docker?: string | undefined
  id?: string | undefined
  interface: string
  timeout: string
  output: string
}

interface AttachArguments extends TargetArguments {
  ip?: string[] | undefined
  network?: string | undefined
  ipv4Pool?: string[] | undefined
  ipv6Pool?: string[] | undefined
  family?: Family[] | undefined
  profile?: string[] | undefined
  label?: string[] | undefined
  reserve?: string | undefined
  mac?: string | undefined
  mtu?: string | undefined
  defaultRoute?: boolean | undefined
}

const MAX_TIMEOUT_SECONDS = 120

function targetOptions(yargs: Argv): Argv {
  const group = 'What:'
  return agentOptions(yargs)
    .option('netns', {
      type: 'string',
      group,
      describe: 'path of a network namespace, or a name below /run/netns',
    })
    .option('pid', { type: 'string', group, describe: 'a process: its network namespace' })
    .option('docker', { type: 'string', group, describe: 'a running Docker container, by name or id' })
    .option('id', { type: 'string', describe: 'identity of the workload; default: from what is attached' })
    .option('interface', { type: 'string', default: 'eth0', describe: 'name of the interface inside' })
    .option('timeout', { type: 'string', default: '15', describe: 'seconds until it is given up' })
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
export function attachCommand(world: World): Command {
  return {
    options: (yargs) =>
      targetOptions(yargs)
        .option('ip', listOption('fixed address; one of each family at most'))
        .option('network', { type: 'string', describe: 'name of a Network: its pools, profile and MTU' })
        .option('ipv4-pool', listOption('take the IPv4 address from this pool, by name or CIDR'))
        .option('ipv6-pool', listOption('take the IPv6 address from this pool, by name or CIDR'))
        .option('family', listOption('default: every family with a pool', { choices: ['ipv4', 'ipv6'] }))
        .option('profile', listOption('profile of the workload'))
        .option('label', listOption('label, as key=value'))
        .option('reserve', {
          type: 'string',
          describe: 'keep the address under this name, across restarts and nodes',
        })
        .option('mac', { type: 'string', describe: 'MAC address of the interface inside' })
        .option('mtu', { type: 'string', describe: 'MTU in bytes; default: what the network carries' })
        .option('default-route', {
          type: 'boolean',
          describe: 'default: yes, unless the namespace has one; --no-default-route: none',
        })
        .example('$0 attach --netns web1', 'wire up /run/netns/web1')
        .example('$0 attach --docker web1 --ip 10.65.0.80', 'a container of --network none, fixed address')
        .example('$0 attach --pid 4711 --interface net1', 'a second interface for a process'),
    run: async (given) => {
      const args = given as AttachArguments
      const request = attachRequest(args)
      const target = await targetOf(world, args)
      const agent = await world.openAgent(args)
      const result = await agent.attach({ ...request, ...wiredTarget(target, args) })
      print(world, args.output, result, () => attachText(target, result))
    },
  }
}

/** `drover detach`: takes the interface away and gives the addresses back. */
export function detachCommand(world: World): Command {
  return {
    options: (yargs) =>
      targetOptions(yargs)
        .example('$0 detach --netns web1', 'what is gone already counts as detached')
        .example('$0 detach --id web1', 'when the namespace itself is gone'),
    run: async (given) => {
      const args = given as TargetArguments
      const deadlineMs = readTimeout(args.timeout)
      const target = await targetOf(world, args)
      const agent = await world.openAgent(args)
      const result = await agent.detach({
        containerId: target.containerId,
        interfaceName: args.interface,
        ...(target.netns === undefined ? {} : { netns: target.netns }),
        deadlineMs,
      })
      print(world, args.output, result, () => detachText(target, result))
    },
  }
}

type TargetFields = Pick<
  AttachRequest,
  'netns' | 'containerId' | 'interfaceName' | 'orchestrator' | 'workload' | 'endpoint'
>

/** What the request says of the workload itself. */
function wiredTarget(target: Target, args: TargetArguments): TargetFields {
  if (target.netns === undefined) {
    throw args.docker === undefined
      ? new UsageError('It is not said what to attach.', 'Name one of --netns, --pid or --docker.')
      : new DroverError('not-running', `The Docker container '${args.docker}' is not running.`, {
          remedy: `Start it with 'docker start ${args.docker}'.`,
        })
  }
  return {
    netns: target.netns,
    containerId: target.containerId,
    interfaceName: args.interface,
    orchestrator: target.orchestrator,
    workload: target.workload,
    endpoint: args.interface,
  }
}

/** What the request says of the interface and its addresses. */
function attachRequest(args: AttachArguments): Omit<AttachRequest, keyof TargetFields> {
  return {
    ...(args.network === undefined ? {} : { network: args.network }),
    ...(args.ipv4Pool === undefined ? {} : { ipv4Pools: args.ipv4Pool }),
    ...(args.ipv6Pool === undefined ? {} : { ipv6Pools: args.ipv6Pool }),
    ...(args.family === undefined ? {} : { families: [...new Set(args.family)] }),
    ...(args.ip === undefined ? {} : { addresses: args.ip }),
    ...(args.reserve === undefined ? {} : { reservation: args.reserve }),
    ...(args.mac === undefined ? {} : { mac: args.mac }),
    ...(args.mtu === undefined ? {} : { mtuBytes: readInteger('--mtu', args.mtu, 68, 65_535) }),
    ...(args.profile === undefined ? {} : { profiles: args.profile }),
    ...(args.label === undefined ? {} : { labels: readLabels(args.label) }),
    ...(args.defaultRoute === undefined ? {} : { defaultRoute: args.defaultRoute }),
    deadlineMs: readTimeout(args.timeout),
  }
}

function readTimeout(text: string): number {
  return readInteger('--timeout', text, 1, MAX_TIMEOUT_SECONDS) * 1000
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
