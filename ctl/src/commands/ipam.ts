import { type Allocator, type RepairReport, createAllocator } from '@network/datastore'
import type { CommandModule } from 'yargs'
import { addressStateText, auditText, repairText, showText } from '../output/ipam.ts'
import { UsageError } from '../output/failure.ts'
import type { StoreArguments, World } from '../world.ts'
import { withStore } from './with-store.ts'
import { outputOption, print, storeOptions } from './shared-options.ts'

interface IpamArguments extends StoreArguments {
  output: string
}

/** `drover ipam show|check|release|reservations`: who holds which address, and whether that is right. */
export function ipamCommand(world: World): CommandModule {
  const withAllocator = <T>(args: StoreArguments, work: (allocator: Allocator) => Promise<T>): Promise<T> =>
    withStore(world, args, async (store) => {
      const allocator = createAllocator(
        { store, clock: world.clock, random: Math.random, log: world.log },
        { node: world.hostname },
      )
      try {
        return await work(allocator)
      } finally {
        await allocator.close()
      }
    })
  return {
    command: 'ipam <command>',
    describe: 'Addresses: who holds them, what is free, what has leaked',
    builder: (yargs) =>
      yargs
        .command({
          command: 'show',
          describe: 'Use of every pool; with --ip who holds one address',
          builder: (y) =>
            storeOptions(y)
              .option('ip', { type: 'string', describe: 'this address only' })
              .option('blocks', { type: 'boolean', default: false, describe: 'every block as well' })
              .option('output', outputOption(['table', 'json']))
              .example('$0 ipam show --ip 10.65.0.5', 'who has it'),
          handler: async (raw) => {
            const args = raw as unknown as IpamArguments & { ip?: string; blocks: boolean }
            await withAllocator(args, async (allocator) => {
              if (args.ip !== undefined) {
                const state = await allocator.lookup(args.ip)
                printWide(world, args.output, state, () => addressStateText(state, world.clock.now()))
              } else {
                const show = await allocator.show()
                printWide(world, args.output, show, () =>
                  showText(show, { blocks: args.blocks, width: world.columns }),
                )
              }
            })
          },
        })
        .command({
          command: 'check',
          describe: 'Compare blocks, handles and endpoints; exits 1 if something is wrong',
          builder: (y) =>
            storeOptions(y)
              .option('fix', { type: 'boolean', default: false, describe: 'repair what can be repaired' })
              .option('output', outputOption(['table', 'json']))
              .example(
                '$0 ipam check --fix',
                'repairs at once; agents do it by themselves after a grace period',
              ),
          handler: async (raw) => {
            const args = raw as unknown as IpamArguments & { fix: boolean }
            await withAllocator(args, async (allocator) => {
              const report = await allocator.audit()
              let repair: RepairReport | undefined
              if (args.fix) repair = await allocator.repair(report, { immediate: true })
              printWide(world, args.output, { report, repair }, () =>
                repair === undefined ? auditText(report, world.columns) : repairText(repair, world.columns),
              )
              const left = repair === undefined ? report.findings.length : unrepaired(repair)
              if (left > 0) world.fail()
            })
          },
        })
        .command({
          command: 'release',
          describe: 'Give back one address, or the addresses of a reservation',
          builder: (y) =>
            storeOptions(y)
              .option('ip', { type: 'string', describe: 'the address' })
              .option('reservation', { type: 'string', describe: 'the reservation by name' })
              .option('force', { type: 'boolean', default: false, describe: 'also if an endpoint uses it' })
              .option('output', outputOption(['table', 'json']))
              .example('$0 ipam release --ip 10.65.0.5', 'refused while a workload has it'),
          handler: async (raw) => {
            const args = raw as unknown as IpamArguments & {
              ip?: string
              reservation?: string
              force: boolean
            }
            if ((args.ip === undefined) === (args.reservation === undefined)) {
              throw new UsageError('It is not said what to release.', 'Name either --ip or --reservation.')
            }
            await withAllocator(args, async (allocator) => {
              if (args.reservation !== undefined) {
                const released = await allocator.releaseReservation(args.reservation)
                printWide(
                  world,
                  args.output,
                  released,
                  () => `reservation ${args.reservation ?? ''} is given back\n`,
                )
                return
              }
              const released = await allocator.releaseAddress({ address: args.ip ?? '', force: args.force })
              printWide(world, args.output, released, () => `${args.ip ?? ''} is given back\n`)
            })
          },
        })
        .demandCommand(1, 1, "'drover ipam' wants one of: show, check, release."),
    handler: () => undefined,
  }
}

function unrepaired(repair: RepairReport): number {
  return repair.outcomes.filter((outcome) => outcome.outcome !== 'repaired').length
}

/** Counts of addresses are bigints, which JSON does not know: they are written as decimal strings. */
function printWide(world: World, output: string, answer: unknown, text: () => string): void {
  const plain: unknown = JSON.parse(
    JSON.stringify(answer, (_key, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value,
    ) || 'null',
  )
  print(world, output, plain, text)
}
