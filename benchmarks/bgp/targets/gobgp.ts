import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { execa } from 'execa'
import { installed } from './installed.ts'
import { type Population, clientNetwork, clientsOf, speakerAddress, speakerAs } from '../plan.ts'
import type { Target } from './target.ts'

const apiPort = 50051

function configuration(population: Population): string {
  return [
    '[global.config]',
    `as = ${String(speakerAs)}`,
    `router-id = "${speakerAddress}"`,
    `local-address-list = ["${speakerAddress}"]`,
    ...(population.peerType === 'internal'
      ? [
          '[[peer-groups]]',
          '[peer-groups.config]',
          'peer-group-name = "clients"',
          `peer-as = ${String(speakerAs)}`,
          '[peer-groups.route-reflector.config]',
          'route-reflector-client = true',
          `route-reflector-cluster-id = "${speakerAddress}"`,
          '[[peer-groups.afi-safis]]',
          '[peer-groups.afi-safis.config]',
          'afi-safi-name = "ipv4-unicast"',
          '[[dynamic-neighbors]]',
          '[dynamic-neighbors.config]',
          `prefix = "${clientNetwork}"`,
          'peer-group = "clients"',
        ]
      : clientsOf(population).flatMap(({ address, asn }) => [
          '[[neighbors]]',
          '[neighbors.config]',
          `neighbor-address = "${address}"`,
          `peer-as = ${String(asn)}`,
          '[neighbors.transport.config]',
          'passive-mode = true',
        ])),
    '',
  ].join('\n')
}

export const gobgp: Target = {
  name: 'gobgp',
  decides: true,
  version: async () => {
    const { stdout } = await execa(installed('/usr/bin/gobgpd', 'gobgpd'), ['--version'])
    return `GoBGP ${/[\d.]+/.exec(stdout)?.[0] ?? '?'}`
  },
  start: ({ place, folder, population }) => {
    const file = path.join(folder, 'gobgpd.toml')
    writeFileSync(file, configuration(population))
    return place.start('gobgpd', installed('/usr/bin/gobgpd', 'gobgpd'), [
      ...['-f', file, '--api-hosts', `127.0.0.1:${String(apiPort)}`, '-p', '-l', 'error'],
    ])
  },
}
