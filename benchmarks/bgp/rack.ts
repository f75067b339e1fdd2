/**
 * Where the measuring is done: the speaker in one network namespace, all clients in another, a veth pair between them.
 * Neighbour entries are permanent, so that neither address resolution nor the kernel's bound on learned neighbours has a
 * part in any figure.
 */
import { readFileSync } from 'node:fs'
import { Lab, type Place, connect } from '../../test/lab/index.ts'
import { clientOf, speakerAddress } from './plan.ts'

const mostClients = 1024
const device = 'wire'

export interface Rack {
  readonly lab: Lab
  readonly speaker: Place
  readonly clients: Place
}

export async function buildRack(): Promise<Rack> {
  const lab = new Lab('bgpbench')
  const speaker = await lab.namespace('speaker')
  const clients = await lab.namespace('clients')
  await connect(speaker, device, clients, device)
  const hardware = async (place: Place): Promise<string> => {
    const { stdout } = await place.run('ip', ['link', 'show', 'dev', device])
    return /link\/ether (\S+)/.exec(stdout)?.[1] ?? ''
  }
  const addresses = Array.from({ length: mostClients }, (_, number) => clientOf(number, 'internal').address)
  const clientsHardware = await hardware(clients)
  await speaker.run('ip', ['-batch', '-'], {
    input: [
      `addr add ${speakerAddress}/16 dev ${device}`,
      ...addresses.map(
        (address) => `neigh add ${address} lladdr ${clientsHardware} dev ${device} nud permanent`,
      ),
      '',
    ].join('\n'),
  })
  await clients.run('ip', ['-batch', '-'], {
    input: [
      ...addresses.map((address) => `addr add ${address}/16 dev ${device} noprefixroute`),
      `route add ${speakerAddress}/32 dev ${device}`,
      `neigh add ${speakerAddress} lladdr ${await hardware(speaker)} dev ${device} nud permanent`,
      '',
    ].join('\n'),
  })
  return { lab, speaker, clients }
}

/** The machine in words. */
export function machine(): string {
  const cpus = readFileSync('/proc/cpuinfo', 'utf8')
  const model = /^model name\s*:\s*(.*)$/m.exec(cpus)?.[1] ?? 'unknown processor'
  const count = [...cpus.matchAll(/^processor\s*:/gm)].length
  const memory = Number(/^MemTotal:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0)
  const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim()
  return `${String(count)} × ${model}, ${String(Math.round(memory / 1024 / 1024))} GiB, Linux ${kernel.split('-')[0] ?? ''}, Node ${process.versions.node}`
}

/** Processes that could run, averaged over the last minute (proc(5), loadavg). */
export function load(): number {
  return Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0])
}
