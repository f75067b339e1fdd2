/**
 * The rack's switch: a namespace with a bridge that is the wire, a second wire behind it for a machine outside the rack, and a
 * real BIRD that speaks eBGP with every node of the rack.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Lab, type LabProcess, type Place, connect, until } from './lab.ts'

export const rack = {
  ipv4: { subnet: '10.250.0.0/24', gateway: '10.250.0.254', address: (n: number) => `10.250.0.${String(n)}` },
  ipv6: {
    subnet: 'fd00:250::/64',
    gateway: 'fd00:250::254',
    address: (n: number) => `fd00:250::${String(n)}`,
  },
  outside: {
    ipv4: '10.251.0.10',
    ipv4Gateway: '10.251.0.1',
    ipv6: 'fd00:251::10',
    ipv6Gateway: 'fd00:251::1',
  },
  switchAs: 65_000,
  nodeAs: 64_512,
} as const

/** A session as BIRD sees it. */
export interface SwitchSession {
  name: string
  neighbor: string
  state: string
}

export interface Switch {
  readonly place: Place
  /** Connects a namespace to the wire as `eth0` with the rack's addresses of that number. */
  plug(host: Place, number: number, options?: { defaultRoute?: boolean }): Promise<void>
  /** Runs a command of BIRD's own client. */
  birdc(...words: string[]): Promise<string>
  sessions(): Promise<SwitchSession[]>
  /** The prefixes that BIRD has learned from the nodes, of both families. */
  learned(): Promise<string[]>
  /** The switch's BIRD; replaced by restart. */
  bird(): LabProcess
  restart(signal?: NodeJS.Signals): Promise<void>
}

function configuration(): string {
  const session = (name: string, range: string, channel: string): string => `
protocol bgp ${name} {
  local as ${String(rack.switchAs)};
  neighbor range ${range} as ${String(rack.nodeAs)};
  dynamic name "${name}_";
  dynamic name digits 2;
  passive;
  hold time 90;
  graceful restart on;
  ${channel} { import all; export where source = RTS_STATIC; };
}`
  return `
log stderr all;
router id ${rack.ipv4.gateway};
protocol device { scan time 1; }
protocol kernel kernel4 { ipv4 { export where source = RTS_BGP; import none; }; merge paths on; persist; graceful restart on; }
protocol kernel kernel6 { ipv6 { export where source = RTS_BGP; import none; }; merge paths on; persist; graceful restart on; }
protocol static outside4 { ipv4; route 10.251.0.0/24 via "outside"; }
protocol static outside6 { ipv6; route fd00:251::/64 via "outside"; }
${session('rack4', rack.ipv4.subnet, 'ipv4')}
${session('rack6', rack.ipv6.subnet, 'ipv6')}
`
}

/** Builds the switch and the machine outside; BIRD is running and answers. */
export async function buildSwitch(lab: Lab): Promise<{ switch: Switch; outside: Place }> {
  const place = await lab.namespace('switch')
  await place.run('ip', ['link', 'add', 'wire', 'type', 'bridge', 'forward_delay', '0'])
  await place.run('ip', ['link', 'set', 'wire', 'up'])
  await place.run('ip', ['addr', 'add', `${rack.ipv4.gateway}/24`, 'dev', 'wire'])
  await place.run('ip', ['addr', 'add', `${rack.ipv6.gateway}/64`, 'dev', 'wire', 'nodad'])
  await place.run('sysctl', ['-q', '-w', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])

  const outside = await lab.namespace('outside')
  await connect(outside, 'eth0', place, 'outside')
  await place.run('ip', ['addr', 'add', `${rack.outside.ipv4Gateway}/24`, 'dev', 'outside'])
  await place.run('ip', ['addr', 'add', `${rack.outside.ipv6Gateway}/64`, 'dev', 'outside', 'nodad'])
  await outside.run('ip', ['addr', 'add', `${rack.outside.ipv4}/24`, 'dev', 'eth0'])
  await outside.run('ip', ['addr', 'add', `${rack.outside.ipv6}/64`, 'dev', 'eth0', 'nodad'])
  await outside.run('ip', ['route', 'add', 'default', 'via', rack.outside.ipv4Gateway])
  await outside.run('ip', ['-6', 'route', 'add', 'default', 'via', rack.outside.ipv6Gateway])

  const folder = path.join(lab.folder, 'bird')
  mkdirSync(folder, { recursive: true })
  const files = {
    conf: path.join(folder, 'bird.conf'),
    ctl: path.join(folder, 'bird.ctl'),
    pid: path.join(folder, 'bird.pid'),
  }
  writeFileSync(files.conf, configuration())
  const birdc = async (...words: string[]): Promise<string> =>
    (await place.attempt('birdc', ['-r', '-s', files.ctl, ...words])).stdout
  const launch = async (recover: boolean): Promise<LabProcess> => {
    const args = ['-f', '-c', files.conf, '-s', files.ctl, '-P', files.pid, ...(recover ? ['-R'] : [])]
    const started = place.start('bird', 'bird', args)
    await until('BIRD answers', async () => (await birdc('show', 'status')).includes('Daemon is up'))
    return started
  }
  let bird = await launch(false)

  return {
    outside,
    switch: {
      place,
      birdc,
      bird: () => bird,
      restart: async (signal = 'SIGKILL') => {
        bird.signal(signal)
        await bird.ended
        bird = await launch(true)
      },
      plug: async (host, number, options = {}) => {
        await connect(host, 'eth0', place, `port${String(number)}`)
        await place.run('ip', ['link', 'set', `port${String(number)}`, 'master', 'wire'])
        await host.run('ip', ['addr', 'add', `${rack.ipv4.address(number)}/24`, 'dev', 'eth0'])
        await host.run('ip', ['addr', 'add', `${rack.ipv6.address(number)}/64`, 'dev', 'eth0', 'nodad'])
        if (options.defaultRoute === false) return
        await host.run('ip', ['route', 'add', 'default', 'via', rack.ipv4.gateway])
        await host.run('ip', ['-6', 'route', 'add', 'default', 'via', rack.ipv6.gateway])
      },
      sessions: async () => {
        const text = await birdc('show', 'protocols', 'all')
        return [...text.matchAll(/^(rack[46]_\d+)\s+BGP.*?(?=^\S|$(?![\s\S]))/gms)].map((match) => ({
          name: match[1] ?? '',
          neighbor: /Neighbor address:\s+(\S+)/.exec(match[0])?.[1] ?? '',
          state: /BGP state:\s+(\S+)/.exec(match[0])?.[1] ?? '',
        }))
      },
      learned: async () => {
        const text = await birdc('show', 'route', 'where', 'source = RTS_BGP', 'primary')
        return [...text.matchAll(/^(\S+\/\d+)\s/gm)].map((match) => match[1] ?? '').sort()
      },
    },
  }
}
