/**
 * Makes a machine ready for `npm run demo`, `npm test`, `npm run check` and `npm run bench`: looks what is missing, says
 * what it installs, installs it, and says nothing where nothing is missing. It runs before any npm package is there,
 * so it uses Node alone.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '..')

/** A program that must be on the machine and the Debian package that brings it. */
const cluster = [
  ['etcd', 'etcd-server'],
  ['etcdctl', 'etcd-client'],
  ['ip', 'iproute2'],
  ['iptables', 'iptables'],
  ['ipset', 'ipset'],
  ['conntrack', 'conntrack'],
  ['sysctl', 'procps'],
  ['ping', 'iputils-ping'],
  ['nsenter', 'util-linux'],
  ['bird', 'bird2'],
]
const peers = [
  ['/usr/lib/frr/bgpd', 'frr'],
  ['gobgpd', 'gobgpd'],
  ['/usr/sbin/bgpctl', 'openbgpd'],
  ['exabgp', 'exabgp'],
  ['tcpdump', 'tcpdump'],
  ['openssl', 'openssl'],
  ['dockerd', 'docker.io'],
  ['busybox', 'busybox-static'],
]
const runtimes = [
  ['podman', 'podman'],
  ['containerd', 'containerd'],
  ['runc', 'runc'],
  ['conmon', 'conmon'],
  ['docker-compose', 'docker-compose'],
  ['cc', 'gcc'],
  ['gencat', 'libc6-dev'],
  ['curl', 'curl'],
  ['tc', 'iproute2'],
]
const plugins = [
  ['/usr/lib/cni/ptp', 'containernetworking-plugins'],
  ['/usr/lib/cni/host-local', 'containernetworking-plugins'],
  ['/usr/lib/cni/dhcp', 'containernetworking-plugins'],
]
const leases = [['dnsmasq', 'dnsmasq-base']]
const gauges = [['iperf3', 'iperf3']]
const purposes = {
  demo: { programs: cluster, root: true },
  test: { programs: [...cluster, ...peers, ...plugins, ...leases, ...runtimes], root: true },
  bench: { programs: [...cluster, ...peers, ...plugins, ...runtimes, ...gauges], root: true },
  check: { programs: [], root: false },
}

function refuse(message, remedy) {
  process.stderr.write(`error: ${message}\n       ${remedy}\n`)
  process.exit(1)
}

function onPath(program) {
  const folders = program.startsWith('/')
    ? ['']
    : [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  return folders.some((folder) => {
    try {
      accessSync(program.startsWith('/') ? program : path.join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function run(program, args, options = {}) {
  const done = spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'], cwd: root, ...options })
  if (done.error !== undefined)
    refuse(
      `${program} could not be started: ${done.error.message}.`,
      `Install ${program} and run this again.`,
    )
  return done.status ?? 1
}

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex')
}

function installNpmPackages() {
  const stamp = path.join(root, 'node_modules', '.drover-lock')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash()) return
  process.stdout.write('Installing the npm packages of package-lock.json into node_modules …\n')
  if (run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']) !== 0) {
    refuse('npm ci failed.', 'Its own words stand above; check that the npm registry can be reached.')
  }
  writeFileSync(stamp, lockHash())
}

/** tap makes the set of plugins that .taprc names when it first runs; that must not happen beside running tests. */
function buildTestRunner() {
  const stamp = path.join(root, 'node_modules', '.drover-tap')
  if (existsSync(stamp) && existsSync(path.join(root, '.tap', 'plugins'))) return
  process.stdout.write('Preparing the test runner …\n')
  if (run('node', [path.join('node_modules', 'tap', 'dist', 'esm', 'run.mjs'), 'build']) !== 0) {
    refuse('tap build failed.', 'Its own words stand above.')
  }
  writeFileSync(stamp, '')
}

/** Debian starts a daemon when its package is installed; ours are started by hand, so that is declined meanwhile. */
function withoutStartingServices(work) {
  const policy = '/usr/sbin/policy-rc.d'
  const ours = !existsSync(policy)
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return work()
  } finally {
    if (ours) rmSync(policy, { force: true })
  }
}

function installDebianPackages(programs) {
  const missing = programs.filter(([program]) => !onPath(program)).map(([, name]) => name)
  if (missing.length === 0) return
  const names = [...new Set(missing)]
  if (!onPath('apt-get')) {
    refuse(
      `These Debian packages are missing: ${names.join(' ')}.`,
      'There is no apt-get here: install their like by hand.',
    )
  }
  process.stdout.write(
    `Installing the Debian packages ${names.join(' ')} (their services are not started) …\n`,
  )
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const quiet = { env, stdio: ['ignore', 'ignore', 'inherit'] }
  const status = withoutStartingServices(() => {
    run('apt-get', ['update', '-qq'], quiet)
    return run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], quiet)
  })
  const absent = programs
    .filter(([program]) => !onPath(program))
    .map(([program, name]) => `${program} (${name})`)
  if (status !== 0 || absent.length > 0) {
    refuse(
      `apt-get install left these missing: ${absent.join(', ')}.`,
      'Run apt-get install by hand to see why.',
    )
  }
}

const purpose = purposes[process.argv[2]]
if (purpose === undefined)
  refuse(`'${process.argv[2] ?? ''}' is no purpose.`, `Use one of: ${Object.keys(purposes).join(', ')}.`)
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 20)) {
  refuse(`Node ${process.versions.node} is too old.`, 'Install Node 20.20 or newer.')
}
if (purpose.root && process.getuid?.() !== 0) {
  refuse(
    'Network namespaces, routes and interfaces need root.',
    `Run it as root, for example: sudo npm run ${process.argv[2]}`,
  )
}
if (purpose.programs.length > 0) installDebianPackages(purpose.programs)
installNpmPackages()
if (process.argv[2] === 'test') buildTestRunner()
