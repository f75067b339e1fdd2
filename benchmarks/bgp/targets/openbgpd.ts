import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { execa } from 'execa'
import { installed } from './installed.ts'
import { type Population, clientNetwork, clientsOf, speakerAddress, speakerAs } from '../plan.ts'
import type { Target } from './target.ts'

/** Where OpenBGPD puts its control socket if it is not told; the folder must be there. */
const runFolder = '/run/openbgpd'

function configuration(population: Population, folder: string): string {
  return [
    `AS ${String(speakerAs)}`,
    `router-id ${speakerAddress}`,
    `listen on ${speakerAddress}`,
    `socket "${path.join(folder, 'bgpd.sock')}"`,
    'fib-update no',
    ...(population.peerType === 'internal'
      ? [
          `neighbor ${clientNetwork} {`,
          `  remote-as ${String(speakerAs)}`,
          '  passive',
          '  route-reflector',
          '  announce IPv4 unicast',
          '}',
        ]
      : clientsOf(population).flatMap(({ address, asn }) => [
          `neighbor ${address} {`,
          `  remote-as ${String(asn)}`,
          '  passive',
          '  enforce neighbor-as no',
          '  announce IPv4 unicast',
          '}',
        ])),
    'allow from any',
    'allow to any',
    '',
  ].join('\n')
}

export const openbgpd: Target = {
  name: 'openbgpd',
  decides: true,
  version: async () => {
    const { stdout, stderr } = await execa(installed('/usr/sbin/bgpd', 'openbgpd'), ['-V'])
    return `OpenBGPD ${/[\d.]+/.exec(stdout + stderr)?.[0] ?? '?'}`
  },
  start: ({ place, folder, population }) => {
    mkdirSync(runFolder, { recursive: true })
    const file = path.join(folder, 'bgpd.conf')
    writeFileSync(file, configuration(population, folder), { mode: 0o600 })
    return place.start('bgpd', installed('/usr/sbin/bgpd', 'openbgpd'), ['-d', '-f', file])
  },
}
