/** Takes what agents left in this machine's kernel out of it: by its marks alone, without store, journal or memory. */
import { DroverError } from '@network/net'
import { ownership } from '../drivers/driver.ts'
import { removeOurSets } from '../drivers/ipset/ipset-driver.ts'
import { type Backend, iptablesProgram } from '../drivers/iptables/programs.ts'
import { removeOurChains } from '../drivers/iptables/remove-chains.ts'
import { type Exec, checkExit, createExec } from '../exec.ts'

export interface CleanupOptions {
  /** Interfaces of workloads go too: those whose name begins with `interfacePrefix`. */
  readonly interfaces: boolean
  readonly interfacePrefix?: string
  /** Only say what is there. */
  readonly dryRun?: boolean
}

export interface CleanupReport {
  readonly chains: number
  readonly sets: number
  readonly routes: number
  readonly interfaces: readonly string[]
}

const families = ['ipv4', 'ipv6'] as const
const backends: readonly Backend[] = ['nft', 'legacy']

/** @throws DroverError with the program's words; what was done before stays done, and the call may be repeated */
export async function cleanUpNode(
  options: CleanupOptions,
  modules: { exec: Exec } = { exec: createExec() },
): Promise<CleanupReport> {
  const { exec } = modules
  const dryRun = options.dryRun === true
  const prefix = options.interfacePrefix ?? ownership.interfacePrefix
  if (process.getuid?.() !== 0)
    throw new DroverError('not-root', 'Only root may take chains, sets and routes away.', {
      remedy: 'Run it as root, or by sudo.',
    })
  const interfaces = options.interfaces ? await ourInterfaces(exec, prefix) : []
  if (!dryRun) {
    for (const name of interfaces) await ip(exec, ['link', 'del', 'dev', name])
  }
  let chains = 0
  for (const backend of backends) {
    for (const family of families) {
      if (!(await isThere(exec, iptablesProgram(family, backend, 'save')))) continue
      chains += await removeOurChains(modules, { family, backend, dryRun })
    }
  }
  const sets = await removeOurSets(modules, { dryRun })
  let routes = 0
  for (const option of ['-4', '-6']) {
    const mark = ['proto', String(ownership.routeProtocol)]
    const shown = await ip(exec, [option, 'route', 'show', 'table', 'main', ...mark])
    const count = shown.split('\n').filter((line) => line !== '').length
    if (count > 0 && !dryRun) await ip(exec, [option, 'route', 'flush', 'table', 'main', ...mark])
    routes += count
  }
  return { chains, sets, routes, interfaces }
}

async function ip(exec: Exec, args: readonly string[]): Promise<string> {
  return checkExit('ip', args, await exec.run('ip', args)).stdout
}

async function ourInterfaces(exec: Exec, prefix: string): Promise<string[]> {
  const listed: unknown = JSON.parse((await ip(exec, ['-j', 'link', 'show', 'type', 'veth'])) || '[]')
  if (!Array.isArray(listed)) return []
  return listed.flatMap((link: { ifname?: unknown }) =>
    typeof link.ifname === 'string' && link.ifname.startsWith(prefix) ? link.ifname : [],
  )
}

async function isThere(exec: Exec, program: string): Promise<boolean> {
  try {
    await exec.run(program, ['-V'])
    return true
  } catch (error) {
    if (error instanceof DroverError && error.code === 'missing-tool') return false
    throw error
  }
}
