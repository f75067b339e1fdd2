import type {
  ApplyReport,
  BestBatch,
  DesiredState,
  ExportExplanation,
  PeerStatus,
  RouteExplanation,
  RouteQuery,
  RouteStatus,
  SpeakerOptions,
  StopOptions,
} from '@network/bgp'
import type { Family } from '@network/net'

/*
 * What passes between the agent's thread and the speaker's. Everything survives structured clone. Calls carry an id
 * and are answered once; a batch of best routes is answered by its acknowledgement, and the next one of that family
 * is sent only then.
 */

/** Calls and what they answer. */
export interface SpeakerCalls {
  ready: { argument: undefined; answer: undefined }
  apply: { argument: DesiredState; answer: ApplyReport }
  peers: { argument: undefined; answer: readonly PeerStatus[] }
  routes: { argument: RouteQuery; answer: readonly RouteStatus[] }
  explain: { argument: { prefix: string }; answer: readonly RouteExplanation[] }
  explainExports: { argument: { prefix: string }; answer: readonly ExportExplanation[] }
  refresh: { argument: { peer: string; family: Family | undefined }; answer: boolean }
  stop: { argument: StopOptions; answer: undefined }
}

export type SpeakerCall = keyof SpeakerCalls

export type ToSpeaker =
  | { type: 'begin'; data: SpeakerBeginning }
  | {
      [K in SpeakerCall]: { type: 'call'; id: number; call: K; argument: SpeakerCalls[K]['argument'] }
    }[SpeakerCall]
  | { type: 'acknowledge'; batch: number }

export type FromSpeaker =
  | { type: 'answer'; id: number; value: unknown }
  | { type: 'failure'; id: number; error: SpeakerFailure }
  | { type: 'best'; batch: number; best: BestBatch }
  | { type: 'log'; level: 'debug' | 'info' | 'warn' | 'error'; data: object; message: string }

/** A DroverError on its way between threads; `code` undefined marks a bug. */
export interface SpeakerFailure {
  code: string | undefined
  message: string
  remedy: string | undefined
  details: Readonly<Record<string, unknown>>
}

/** What the worker begins with; its first message. */
export interface SpeakerBeginning {
  speaker: SpeakerOptions
  families: readonly Family[]
}
