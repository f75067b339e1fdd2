import { DroverError } from '@network/net'

/** Codes of the specification (SPEC.md, "Error"; 50 and 51 of STATUS), then our own from 100 on. */
export const CniErrorCode = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  environment: 4,
  io: 5,
  decode: 6,
  configuration: 7,
  namespace: 8,
  tryAgainLater: 11,
  notAvailable: 50,
  limitedConnectivity: 51,
  /** No pool has a free address for this node. */
  noAddress: 100,
  /** An address, a pool or a name that was asked for is somebody else's, or can't be had. */
  refused: 101,
  /** The interface's name, or the default route, belongs to something else in the namespace. */
  interfaceTaken: 102,
  /** The IPAM plugin that the configuration names failed. */
  delegate: 103,
  /** CHECK: something is not as ADD made it. */
  different: 104,
  /** The kernel refused a step. */
  kernel: 105,
  /** A bug of ours; the agent's log says more. */
  internal: 199,
} as const
export type CniErrorCode = (typeof CniErrorCode)[keyof typeof CniErrorCode]

/** A call that failed, in the words of the specification. `code` is the number's name. */
export class CniError extends DroverError {
  readonly cniCode: number

  constructor(code: keyof typeof CniErrorCode, message: string, remedy?: string) {
    super(code, message, remedy === undefined ? {} : { remedy })
    this.cniCode = CniErrorCode[code]
  }
}

/** By the agent's codes; what is not here is for the caller to mend: `refused`. */
const codeOfAgent: Readonly<Record<string, keyof typeof CniErrorCode>> = {
  'not-ready': 'tryAgainLater',
  unreachable: 'tryAgainLater',
  stopping: 'tryAgainLater',
  deadline: 'tryAgainLater',
  busy: 'tryAgainLater',
  'unknown-outcome': 'tryAgainLater',
  'no-space': 'tryAgainLater',
  'node-removed': 'tryAgainLater',
  'name-claimed': 'tryAgainLater',
  'address-claimed': 'tryAgainLater',
  'no-address': 'noAddress',
  'namespace-missing': 'unknownContainer',
  'not-a-namespace': 'namespace',
  'own-namespace': 'namespace',
  'interface-taken': 'interfaceTaken',
  'host-interface-taken': 'interfaceTaken',
  'default-route-taken': 'interfaceTaken',
  'invalid-request': 'configuration',
  invalid: 'configuration',
  'not-found': 'configuration',
  'not-in-pool': 'configuration',
  family: 'configuration',
  kernel: 'kernel',
  'missing-tool': 'kernel',
  internal: 'internal',
}

/** Any failure as one of the specification's. What is neither ours nor the agent's is a bug. */
export function asCniError(error: unknown): CniError {
  if (error instanceof CniError) return error
  if (error instanceof DroverError)
    return new CniError(codeOfAgent[error.code] ?? 'refused', error.message, error.remedy)
  return new CniError(
    'internal',
    'The agent failed in a way it did not foresee.',
    "Its log says more: journalctl -u drover, or where 'drover agent' writes.",
  )
}

/** What is written to standard output. `cniVersion` is that of the configuration, as far as it could be read. */
export function formatError(error: CniError, cniVersion: string): string {
  return JSON.stringify({
    cniVersion,
    code: error.cniCode,
    msg: error.message,
    details: error.remedy ?? '',
  })
}

/** A text of anybody's as it may stand in an error: short, control characters as \xNN. */
export function brief(text: string, longest = 80): string {
  const shown = Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0
    return code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, '0')}` : character
  }).join('')
  return shown.length > longest ? `${shown.slice(0, longest)}…` : shown
}
