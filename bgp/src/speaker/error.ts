import { DroverError } from '@network/net'

/** What a speaker refuses or cannot do. `code` is one of SpeakerErrorCode. */
export class SpeakerError extends DroverError {
  declare readonly code: SpeakerErrorCode

  constructor(
    code: SpeakerErrorCode,
    message: string,
    options: {
      remedy?: string
      details?: Readonly<Record<string, unknown>>
      cause?: unknown
    } = {},
  ) {
    super(code, message, options)
  }
}

export type SpeakerErrorCode =
  | 'invalid-options'
  | 'duplicate-peer'
  | 'own-address'
  | 'address-in-use'
  | 'address-not-available'
  | 'permission-denied'
  | 'socket-option'
  | 'unknown-peer'
  | 'stopped'
