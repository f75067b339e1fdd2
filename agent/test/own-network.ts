import { execFileSync, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

/**
 * Runs the tests of a file in a network namespace of their own, which stands for the host. Namespaces that they name lie in
 * a private mount of /run/netns: whatever a test leaves, also killed, goes with its process.
 */
export async function inOwnNetwork(
  moduleUrl: string,
  tests: (t: Test) => void | Promise<void>,
): Promise<void> {
  if (process.env['DROVER_TEST_NETWORK'] === 'own') {
    execFileSync('mkdir', ['-p', '/run/netns'])
    execFileSync('mount', ['-t', 'tmpfs', 'drvdp', '/run/netns'])
    ip('link set lo up')
    await tests(t)
    return
  }
  if (process.getuid?.() !== 0) {
    t.fail('these tests make network namespaces: run them as root')
    return
  }
  const file = fileURLToPath(moduleUrl)
  const args = ['--net', '--mount', '--', process.execPath, ...process.execArgv, file]
  await t.spawn(
    'unshare',
    args,
    { env: { ...process.env, DROVER_TEST_NETWORK: 'own' } },
    'in a network of its own',
  )
}

/** Runs `ip` with the words of a line and answers what it printed. */
export function ip(line: string): string {
  return execFileSync('ip', line.split(' '), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Makes a named network namespace, as workloads have. */
export function addNamespace(name: string): string {
  ip(`netns add drvdp-${name}`)
  return `/run/netns/drvdp-${name}`
}

export function removeNamespace(name: string): void {
  ip(`netns del drvdp-${name}`)
}

/** Runs a program inside a named namespace; the exit status and what it printed. */
export function inside(
  name: string,
  file: string,
  args: readonly string[],
): Promise<{ status: number; text: string }> {
  return program('nsenter', [`--net=/run/netns/drvdp-${name}`, '--', file, ...args])
}

/** Runs a program in the host's namespace. */
export function program(file: string, args: readonly string[]): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    child.stdout.on('data', (data: Buffer) => (text += data.toString()))
    child.stderr.on('data', (data: Buffer) => (text += data.toString()))
    child.on('error', reject)
    child.on('close', (status) => resolve({ status: status ?? -1, text }))
  })
}

/** Whether every one of a few pings is answered; `host` stands for the host's namespace. */
export async function pings(name: string, target: string, from?: string): Promise<boolean> {
  const args = ['-c', '2', '-i', '0.05', '-W', '2', ...(from === undefined ? [] : ['-I', from]), target]
  const { status } = name === 'host' ? await program('ping', args) : await inside(name, 'ping', args)
  return status === 0
}

/** Waits until a condition holds; false after the time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
): Promise<boolean> {
  const end = performance.now() + timeoutMs
  while (performance.now() < end) {
    if (await condition()) return true
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return false
}
