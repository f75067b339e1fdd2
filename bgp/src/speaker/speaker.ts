import { SpeakerError } from './error.ts'
import type { Speaker, SpeakerModules, SpeakerOptions } from './options.ts'

/**
 * Makes a speaker, which begins to listen at once. Nothing of it is global; after `stop` nothing of it is left.
 * Throws a SpeakerError if the options make no sense.
 */
export function createSpeaker(options: SpeakerOptions, modules: SpeakerModules = {}): Speaker {
  throw new SpeakerError('stopped', `No sessions yet for AS ${String(options.asn)} (${typeof modules}).`)
}
