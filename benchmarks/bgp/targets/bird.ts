import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { execa } from 'execa'
import { installed } from './installed.ts'
import { type Population, clientNetwork, clientsOf, speakerAddress, speakerAs } from '../plan.ts'
import type { Target } from './target.ts'

/** One table for all, as BIRD has it by default. */
function configuration(population: Population): string {
  const channel = 'ipv4 { import all; export where source = RTS_BGP; };'
  const local = `local ${speakerAddress} as ${String(speakerAs)};`
  return [
    'log stderr { error, fatal };',
    `router id ${speakerAddress};`,
    'protocol device { }',
    'protocol direct { ipv4; }',
    ...(population.peerType === 'internal'
      ? [
          `protocol bgp clients { ${local} neighbor range ${clientNetwork} as ${String(speakerAs)}; dynamic name "client"; rr client; passive; ${channel} }`,
        ]
      : clientsOf(population).map(
          ({ address, asn }) =>
            `protocol bgp { ${local} neighbor ${address} as ${String(asn)}; passive; ${channel} }`,
        )),
    '',
  ].join('\n')
}

export const bird: Target = {
  name: 'bird',
  decides: true,
  version: async () => {
    const { stderr } = await execa(installed('/usr/sbin/bird', 'bird2'), ['--version'])
    return `BIRD ${/[\d.]+/.exec(stderr)?.[0] ?? '?'}`
  },
  start: ({ place, folder, population }) => {
    const file = path.join(folder, 'bird.conf')
    writeFileSync(file, configuration(population))
    return place.start('bird', installed('/usr/sbin/bird', 'bird2'), [
      '-f',
      '-c',
      file,
      '-s',
      path.join(folder, 'bird.ctl'),
      '-P',
      path.join(folder, 'bird.pid'),
    ])
  },
}
