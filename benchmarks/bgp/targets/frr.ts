import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { execa, execaSync } from 'execa'
import { installed } from './installed.ts'
import { type Population, clientNetwork, clientsOf, speakerAddress, speakerAs } from '../plan.ts'
import type { Target } from './target.ts'

/** bgpd alone: without zebra it takes every next hop for reachable and installs nothing. */
function configuration(population: Population): string {
  const internal = population.peerType === 'internal'
  return [
    `router bgp ${String(speakerAs)}`,
    ` bgp router-id ${speakerAddress}`,
    ' no bgp ebgp-requires-policy',
    ...(internal
      ? [
          ' neighbor clients peer-group',
          ` neighbor clients remote-as ${String(speakerAs)}`,
          ' bgp listen limit 5000',
          ` bgp listen range ${clientNetwork} peer-group clients`,
          ' address-family ipv4 unicast',
          '  neighbor clients route-reflector-client',
          ' exit-address-family',
        ]
      : clientsOf(population).flatMap(({ address, asn }) => [
          ` neighbor ${address} remote-as ${String(asn)}`,
          ` neighbor ${address} passive`,
        ])),
    '',
  ].join('\n')
}

function frrId(option: '-u' | '-g'): number {
  return Number(execaSync('id', [option, 'frr']).stdout)
}

export const frr: Target = {
  name: 'frr',
  decides: true,
  version: async () => {
    const { stdout } = await execa(installed('/usr/lib/frr/bgpd', 'frr'), ['--version'])
    return `FRR ${/version ([\d.]+)/.exec(stdout)?.[1] ?? '?'}`
  },
  start: ({ place, folder, population }) => {
    const file = path.join(folder, 'bgpd.conf')
    writeFileSync(file, configuration(population))
    for (const owned of [folder, file]) chownSync(owned, frrId('-u'), frrId('-g'))
    chmodSync(folder, 0o755)
    return place.start('bgpd', installed('/usr/lib/frr/bgpd', 'frr'), [
      ...['-f', file, '-i', path.join(folder, 'bgpd.pid'), '--vty_socket', folder, '-A', '127.0.0.1'],
      ...['-Z', '-n', '-l', speakerAddress],
    ])
  },
}
