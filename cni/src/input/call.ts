import { CniError, brief } from '../cni-error.ts'

/** Which of the two executables was run: the plugin, or the IPAM plugin for other plugins' chains. */
export type PluginName = 'drover' | 'drover-ipam'

/** One execution of the plugin: what the runtime set in the environment ('' where it did not) and wrote to its input. */
export interface CniCall {
  readonly plugin: PluginName
  readonly command: string
  readonly containerId: string
  readonly netns: string
  readonly ifname: string
  readonly args: string
  readonly path: string
  readonly netnsOverride: string
  readonly stdin: string
}

const MOST_INPUT_BYTES = 1024 * 1024
const names = {
  plugin: 'plugin',
  command: 'CNI_COMMAND',
  containerId: 'CNI_CONTAINERID',
  netns: 'CNI_NETNS',
  ifname: 'CNI_IFNAME',
  args: 'CNI_ARGS',
  path: 'CNI_PATH',
  netnsOverride: 'CNI_NETNS_OVERRIDE',
  stdin: 'stdin',
} as const

/**
 * Reads the form that the executable sends: `name=value` joined by `&`, each byte but letters, digits and -_.~ as %XX.
 * Pure. Text that is not UTF-8 is refused: it could be neither stored nor shown.
 * @throws CniError environment, decode
 */
export function readCall(form: Buffer): CniCall {
  const values = new Map<string, Buffer>()
  for (const pair of form.toString('latin1').split('&')) {
    const equals = pair.indexOf('=')
    if (equals > 0) values.set(pair.slice(0, equals), percentDecoded(pair.slice(equals + 1)))
  }
  const text = (name: string): string => {
    const bytes = values.get(name) ?? Buffer.alloc(0)
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch {
      throw name === names.stdin
        ? new CniError('decode', 'The network configuration on standard input is not UTF-8.')
        : new CniError('environment', `${name} is not UTF-8.`)
    }
  }
  if ((values.get(names.stdin)?.length ?? 0) > MOST_INPUT_BYTES) {
    throw new CniError('decode', 'The network configuration on standard input is longer than 1 MiB.')
  }
  return {
    plugin: text(names.plugin) === 'drover-ipam' ? 'drover-ipam' : 'drover',
    command: text(names.command),
    containerId: text(names.containerId),
    netns: text(names.netns),
    ifname: text(names.ifname),
    args: text(names.args),
    path: text(names.path),
    netnsOverride: text(names.netnsOverride),
    stdin: text(names.stdin),
  }
}

function percentDecoded(text: string): Buffer {
  // curl writes a space as %20; a form's '+' is one too.
  const bytes = Buffer.from(text.replaceAll('+', ' '), 'latin1')
  if (!bytes.includes(0x25)) return bytes
  const out = Buffer.allocUnsafe(bytes.length)
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    const value = byte === 0x25 ? Number.parseInt(text.slice(at + 1, at + 3), 16) : Number.NaN
    if (Number.isNaN(value)) out[length++] = byte
    else {
      out[length++] = value
      at += 2
    }
  }
  return out.subarray(0, length)
}

/** The verbs, and what each needs of the environment. */
const verbs: Readonly<Record<string, { needs: readonly (keyof CniCall)[] }>> = {
  ADD: { needs: ['containerId', 'netns', 'ifname', 'path'] },
  DEL: { needs: ['containerId', 'ifname', 'path'] },
  CHECK: { needs: ['containerId', 'netns', 'ifname', 'path'] },
  GC: { needs: ['path'] },
  STATUS: { needs: [] },
  VERSION: { needs: [] },
}

/** SPEC.md 1.1.0, "Parameters"; for the interface, Linux's dev_valid_name. */
const containerPattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/
const interfacePattern = /^(?!\.{1,2}$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/

/** Checks the environment against the verb. @throws CniError environment */
export function checkEnvironment(call: CniCall): void {
  const verb = Object.hasOwn(verbs, call.command) ? verbs[call.command] : undefined
  if (verb === undefined) {
    throw new CniError(
      'environment',
      call.command === ''
        ? 'CNI_COMMAND is missing.'
        : `CNI_COMMAND is '${brief(call.command)}', which is none of ${Object.keys(verbs).join(', ')}.`,
    )
  }
  const missing = verb.needs.filter((field) => call[field] === '')
  if (missing.length > 0) {
    const list = missing.map((field) => names[field]).join(', ')
    throw new CniError('environment', `${call.command} needs ${list}, which the runtime did not set.`)
  }
  if (
    call.containerId !== '' &&
    verb.needs.includes('containerId') &&
    !containerPattern.test(call.containerId)
  ) {
    throw new CniError(
      'environment',
      `CNI_CONTAINERID is '${brief(call.containerId)}', which is no container id: 1 to 200 letters, digits, '_', '.' and '-', beginning with a letter or digit.`,
    )
  }
  if (verb.needs.includes('ifname') && !interfacePattern.test(call.ifname)) {
    throw new CniError(
      'environment',
      `CNI_IFNAME is '${brief(call.ifname)}', which is no interface name: 1 to 15 letters, digits, '_', '.' and '-'.`,
    )
  }
}
