import { DroverError } from '@network/net'

export type WireErrorCode =
  /** Nothing at the path. */
  | 'namespace-missing'
  | 'not-a-namespace'
  | 'own-namespace'
  /** The name inside the namespace belongs to something else. */
  | 'interface-taken'
  /** The name in the host's namespace belongs to something that is no veth. */
  | 'host-interface-taken'
  /** A default route was demanded and another stands there. */
  | 'default-route-taken'
  /** A value of the spec can't be. */
  | 'invalid'
  /** The kernel, or the way to it, refused a step. */
  | 'kernel'

/** A workload's interface could not be made; what this call had begun has been taken back. */
export class WireError extends DroverError {
  declare readonly code: WireErrorCode

  constructor(
    code: WireErrorCode,
    message: string,
    options: { remedy?: string; details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(code, message, options)
  }
}
