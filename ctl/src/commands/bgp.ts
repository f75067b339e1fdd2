import type { BgpReloadReport, BgpRouteQuery, BgpRouteView } from '@network/agent/client'
import { DroverError, type Family } from '@network/net'
import type { Argv } from 'yargs'
import { bgpPeersText } from '../output/bgp-peers.ts'
import { exportsText } from '../output/exports.ts'
import { routesText } from '../output/routes.ts'
import type { AgentArguments, World } from '../world.ts'
import type { Command } from './command.ts'
import { agentOptions, outputOption, print, warn } from './shared-options.ts'

interface BgpArguments extends AgentArguments {
  output: string
  family?: Family
  peer?: string
  prefix?: string
  message?: string
  undo?: boolean
}

/** `drover bgp …`: looks at and steers a speaker, the agent's or, by its --socket, a reflector's. */
export function bgpCommand(world: World): Command {
  const options = (y: Argv): Argv => agentOptions(y).option('output', outputOption(['table', 'json']))
  const familyOption = (y: Argv): Argv =>
    options(y).option('family', { choices: ['ipv4', 'ipv6'], describe: 'of this family only' })
  const onPeer = (y: Argv, describe: string): Argv => y.positional('peer', { type: 'string', describe })
  const run = (work: (world: World, args: BgpArguments) => Promise<void>) => (given: unknown) =>
    work(world, given as BgpArguments)
  return {
    options: (yargs) =>
      yargs
        .command(
          'peers',
          'Sessions: state, since when, prefixes, and why one is not up',
          (y: Argv) => options(y).example('$0 bgp peers', "sessions of this machine's agent"),
          run(showPeers),
        )
        .command(
          'routes [prefix]',
          'Best routes; with a prefix those within it',
          (y: Argv) =>
            familyOption(y)
              .positional('prefix', { type: 'string', describe: 'such as 10.65.0.0/16' })
              .example('$0 bgp routes 10.65.0.0/16', 'best routes within a prefix'),
          run((_, args) => showRoutes(world, args, 'best')),
        )
        .command(
          'received <peer>',
          'What a peer has sent, before the import policy',
          (y: Argv) =>
            onPeer(familyOption(y), 'name or address').example('$0 bgp received 10.0.0.254', 'Adj-RIB-In'),
          run((_, args) => showRoutes(world, args, 'received')),
        )
        .command(
          'advertised <peer>',
          'What a peer is sent, after the export policy',
          (y: Argv) =>
            onPeer(familyOption(y), 'name or address').example('$0 bgp advertised 10.0.0.254', 'Adj-RIB-Out'),
          run((_, args) => showRoutes(world, args, 'advertised')),
        )
        .command(
          'why <prefix>',
          'Every path of a prefix and to whom it is sent, with the step, filter or rule that decided',
          (y: Argv) =>
            options(y)
              .positional('prefix', {
                type: 'string',
                describe: 'a prefix; or an address, for the longest prefix around it',
              })
              .example('$0 bgp why 10.65.0.7', 'where packets to an address go, and why'),
          run(showWhy),
        )
        .command(
          'refresh [peer]',
          'Ask a peer, or all, to send everything again (RFC 2918)',
          (y: Argv) =>
            onPeer(familyOption(y), 'name or address; default: all').example(
              '$0 bgp refresh tor1',
              'one peer',
            ),
          run(refresh),
        )
        .command(
          'shutdown [peer]',
          'End sessions and keep them down, until --undo or the next start',
          (y: Argv) =>
            onPeer(options(y), 'name or address, or name of a range; default: all')
              .option('message', { type: 'string', describe: 'a text for the peer (RFC 9003)' })
              .option('undo', { type: 'boolean', default: false, describe: 'let the sessions come up again' })
              .example('$0 bgp shutdown tor1 --message "rack 3 is moved, back at 14:00"', 'one peer')
              .example('$0 bgp shutdown tor1 --undo', 'and up again'),
          run(shutdown),
        )
        .command(
          'reload',
          'Let a reflector read its file again, and tell what that changed',
          (y: Argv) =>
            options(y).example('$0 bgp reload --socket /run/drover/reflector.sock', 'as SIGHUP does'),
          run(reload),
        )
        .demandCommand(1, 1),
    run: () => Promise.resolve(),
  }
}

async function showPeers(world: World, args: BgpArguments): Promise<void> {
  const peers = await (await world.openAgent(args)).bgpPeers()
  print(world, args.output, peers, () => bgpPeersText(peers, world.clock.now(), world.columns))
}

async function showRoutes(world: World, args: BgpArguments, view: BgpRouteView): Promise<void> {
  const { family, peer, prefix } = args
  const query: BgpRouteQuery = {
    view,
    ...(family === undefined ? {} : { family }),
    ...(peer === undefined ? {} : { peer }),
    ...(prefix === undefined ? {} : { prefix }),
  }
  const answer = await (await world.openAgent(args)).bgpRoutes(query)
  print(world, args.output, answer, () => routesText(answer.routes, world.columns))
  if (answer.truncated)
    warn(world, args.output, 'there are more routes than are shown; name a prefix or family')
}

async function showWhy(world: World, args: BgpArguments): Promise<void> {
  const wanted = args.prefix ?? ''
  const answer = await (await world.openAgent(args)).bgpWhy(wanted)
  if (answer.prefix === undefined) {
    throw new DroverError('not-found', `No peer has sent a route for ${wanted}, and it is none of our own.`, {
      remedy: "'drover bgp routes' lists what there is, 'drover bgp received PEER' what a peer has sent.",
    })
  }
  print(
    world,
    args.output,
    answer,
    () => `${routesText(answer.routes, world.columns)}\n${exportsText(answer.exports, world.columns)}`,
  )
}

async function refresh(world: World, args: BgpArguments): Promise<void> {
  const { peer, family } = args
  const request = { ...(peer === undefined ? {} : { peer }), ...(family === undefined ? {} : { family }) }
  const answer = await (await world.openAgent(args)).bgpRefresh(request)
  print(world, args.output, answer, () => `Asked to send again: ${listed(answer.asked)}.\n`)
  if (answer.notAsked.length === 0) return
  warn(world, args.output, `not up, or without route refresh: ${listed(answer.notAsked)}`)
  if (peer !== undefined) world.fail()
}

async function shutdown(world: World, args: BgpArguments): Promise<void> {
  const { peer, message, undo = false } = args
  const answer = await (
    await world.openAgent(args)
  ).bgpShutdown({
    ...(peer === undefined ? {} : { peer }),
    ...(message === undefined ? {} : { message }),
    ...(undo ? { undo } : {}),
  })
  const what = undo ? 'May come up again' : 'Shut down'
  print(world, args.output, answer, () => `${what}: ${listed(answer.peers)}.\n`)
}

async function reload(world: World, args: BgpArguments): Promise<void> {
  const answer = await (await world.openAgent(args)).bgpReload()
  print(world, args.output, answer, () => reloadText(answer))
}

function reloadText(report: BgpReloadReport): string {
  const reset = report.reset.map(({ peer, because }) => `${peer} (${because.join(', ')})`)
  const lines: [what: string, peers: readonly string[]][] = [
    ['Peers added', report.added],
    ['Peers removed', report.removed],
    ['Sessions reset', reset],
    ['Changed with the session up', report.updated],
  ]
  const changed = lines.flatMap(([what, peers]) =>
    peers.length === 0 ? [] : [`${what}: ${listed(peers)}.\n`],
  )
  const { originated, withdrawn } = report
  if (originated + withdrawn > 0) {
    changed.push(`Own routes: ${originated} announced, ${withdrawn} withdrawn.\n`)
  }
  return changed.length === 0 ? `${report.file} changes nothing.\n` : changed.join('')
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ')
}
