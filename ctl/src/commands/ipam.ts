import { type Allocator, type RepairReport, createAllocator } from '@network/datastore'
import type { Argv } from 'yargs'
import { UsageError } from '../output/failure.ts'
import type { StoreArguments, World } from '../world.ts'
import type { Command } from './command.ts'
import { addressStateText, auditText, repairText, showText } from './ipam-text.ts'
import { outputOption, print, storeOptions } from './shared-options.ts'
import { withStore } from './with-store.ts'

interface IpamArguments extends StoreArguments {
  output: string
}

interface ShowArguments extends IpamArguments {
  ip?: string | undefined
  blocks: boolean
}

interface CheckArguments extends IpamArguments {
  fix: boolean
}

interface ReleaseArguments extends IpamArguments {
  ip?: string | undefined
  reservation?: string | undefined
  force: boolean
}

/** `drover ipam show|check|release`: who holds which address, and whether that is right. */
export function ipamCommand(world: World): Command {
  return {
    options: (yargs) =>
      yargs
        .command(
          'show',
          'Use of every pool; with --ip who holds one address',
          (y: Argv) =>
            storeOptions(y)
              .option('ip', { type: 'string', describe: 'this address only' })
              .option('blocks', { type: 'boolean', default: false, describe: 'every block as well' })
              .option('output', outputOption(['table', 'json']))
              .example('$0 ipam show --blocks', 'pools, and which node holds which block')
              .example('$0 ipam show --ip 10.65.0.5', 'who has it'),
          (given) => show(world, given as unknown as ShowArguments),
        )
        .command(
          'check',
          'Compare blocks, handles and endpoints; exits 1 if something is wrong',
          (y: Argv) =>
            storeOptions(y)
              .option('fix', { type: 'boolean', default: false, describe: 'repair what can be repaired' })
              .option('output', outputOption(['table', 'json']))
              .example('$0 ipam check', 'only looks')
              .example(
                '$0 ipam check --fix',
                'repairs at once; agents do it themselves after a grace period',
              ),
          (given) => check(world, given as unknown as CheckArguments),
        )
        .command(
          'release',
          'Give back one address, or the addresses of a reservation',
          (y: Argv) =>
            storeOptions(y)
              .option('ip', { type: 'string', describe: 'the address' })
              .option('reservation', { type: 'string', describe: 'the reservation by name' })
              .option('force', {
                type: 'boolean',
                default: false,
                describe: 'with --ip: also if an endpoint uses it',
              })
              .option('output', outputOption(['table', 'json']))
              .example('$0 ipam release --ip 10.65.0.5', 'refused while a workload has it')
              .example('$0 ipam release --reservation web', 'what `attach --reserve web` kept'),
          (given) => release(world, given as unknown as ReleaseArguments),
        )
        .demandCommand(1, 1),
    run: () => Promise.resolve(),
  }
}

/** Nothing is assigned from here: the node of this allocator stands for no node. */
const NO_NODE = 'command-line'

function withAllocator(
  world: World,
  args: StoreArguments,
  work: (allocator: Allocator) => Promise<void>,
): Promise<void> {
  return withStore(world, args, async (store) => {
    const { clock, log } = world
    const allocator = createAllocator({ store, clock, random: Math.random, log }, { node: NO_NODE })
    try {
      await work(allocator)
    } finally {
      await allocator.close()
    }
  })
}

async function show(world: World, args: ShowArguments): Promise<void> {
  const { ip } = args
  if (ip !== undefined && args.blocks) {
    throw new UsageError('--ip and --blocks exclude each other.', 'Give one of them.')
  }
  await withAllocator(world, args, async (allocator) => {
    if (ip !== undefined) {
      const state = await allocator.lookup(ip)
      printCounts(world, args.output, state, () => addressStateText(state, world.clock.now()))
      return
    }
    const [use, reservations] = await Promise.all([allocator.show(), allocator.reservations()])
    printCounts(world, args.output, { ...use, reservations }, () =>
      showText(use, reservations, { blocks: args.blocks, width: world.columns }),
    )
  })
}

async function check(world: World, args: CheckArguments): Promise<void> {
  await withAllocator(world, args, async (allocator) => {
    const report = await allocator.audit()
    const repair: RepairReport | undefined = args.fix
      ? await allocator.repair(report, { immediate: true })
      : undefined
    printCounts(world, args.output, { report, repair }, () =>
      repair === undefined ? auditText(report, world.columns) : repairText(repair, world.columns),
    )
    const left =
      repair === undefined
        ? report.findings
        : repair.outcomes.filter(({ outcome }) => isLeft(outcome)).map(({ finding }) => finding)
    // An empty block is untidy and nothing worse: agents give it back by themselves.
    if (left.some(({ kind }) => kind !== 'empty-block')) world.fail()
  })
}

function isLeft(outcome: RepairReport['outcomes'][number]['outcome']): boolean {
  return outcome === 'unrepairable' || outcome === 'waiting'
}

async function release(world: World, args: ReleaseArguments): Promise<void> {
  const { ip, reservation, force } = args
  if ((ip === undefined) === (reservation === undefined)) {
    throw new UsageError('It is not said what to release.', 'Name either --ip or --reservation.')
  }
  await withAllocator(world, args, async (allocator) => {
    if (ip !== undefined) {
      const released = await allocator.releaseAddress({ address: ip, force })
      printCounts(world, args.output, released, () => `${ip} is given back\n`)
    } else if (reservation !== undefined) {
      const released = await allocator.releaseReservation(reservation)
      printCounts(world, args.output, released, () => `reservation ${reservation} is given back\n`)
    }
  })
}

/** Counts of addresses are bigints, which JSON does not know: they are written as decimal strings. */
function printCounts(world: World, output: string, answer: object, text: () => string): void {
  const json = JSON.stringify(answer, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
  print(world, output, JSON.parse(json), text)
}
