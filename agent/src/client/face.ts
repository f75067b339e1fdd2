/**
 * The seam between the agent and its faces (CNI, Docker). The agent imports no face: the command `drover agent` hands
 * them to it, and the agent starts each one early, before the store is there, since a runtime that finds no socket
 * waits or gives up. Until the agent has its parts every operation fails with 'not-ready' and says what is waited for.
 * A face may be killed at any line together with the agent: what it must not forget lies in the store or below
 * `stateDirectory`.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import type { Clock, DroverError, Log } from '@network/net'
import type { Allocator, Resources } from '@network/datastore'
import type { KindName, ResourceOf } from '@network/datastore/model'
import type { AgentClient } from './client.ts'
import type { Handover } from './handover.ts'

/** A protocol under which runtimes speak to the agent. */
export interface Face {
  /** 'cni', 'docker': for the log and for errors. */
  readonly name: string
  /**
   * Opens its sockets and begins its work. A failure ends the agent with its error: throw only what waiting does
   * not mend. Nothing here may wait for `services.ready`.
   */
  start(services: FaceServices): Promise<RunningFace>
}

export interface RunningFace {
  /** No new calls; resolves when those under way have ended or a few seconds have passed. */
  stop(): Promise<void>
}

/** What the agent does for its faces, in its own process. */
export interface FaceServices {
  readonly node: string
  /** The agent's own socket; a face puts its sockets beside it unless its runtime wants another place. */
  readonly socketPath: string
  /** Folder for what outlives the process; exists, 0700. A face makes a folder of its own below. */
  readonly stateDirectory: string
  readonly clock: Clock
  /** With the face's name bound. */
  readonly log: Log
  /** Aborted when the agent ends. */
  readonly signal: AbortSignal
  /** Resolves when the agent serves attaches for the first time; never rejects; stays pending if the agent ends before. */
  readonly ready: Promise<void>
  /** The calls of the local API, checked in the same way. Failures are DroverError with the agent's codes. */
  readonly agent: Pick<
    AgentClient,
    'attach' | 'detach' | 'check' | 'endpoints' | 'health' | 'ready' | 'node' | 'config' | 'audit'
  >
  /** The handle by which an attach of this node holds its addresses, and by which a detach finds them. */
  handleOf(containerId: string, interfaceName: string): string
  /** Resources in the store, read and written. @throws DroverError 'not-ready' before there is a store */
  resources(): Resources
  /** Addresses without an interface: for runtimes that ask for them by themselves. @throws DroverError 'not-ready' */
  allocator(): Allocator
  /** For runtimes that move interfaces themselves. @throws DroverError 'not-ready' */
  handover(): Handover
  /** Resources as the agent last heard of them: no round trip. @throws DroverError 'not-ready' before they are complete */
  model(): FaceModel
  /** Serves HTTP on a unix socket of the face's own; it is closed with the agent. */
  serve(options: ServeOptions): Promise<FaceServer>
}

export interface FaceModel {
  get<K extends KindName>(kind: K, name: string): ResourceOf<K> | undefined
  list<K extends KindName>(kind: K): readonly ResourceOf<K>[]
}

export interface ServeOptions {
  /** Replaced if nobody listens there; its folder is made. Only root may open it. */
  readonly socketPath: string
  /** Larger requests are answered with status 413. Default 1 MiB. */
  readonly maxBodyBytes?: number
  /** The answer to a request that is too large or broke off; default status 413 or 408. */
  refuse?(error: DroverError): FaceAnswer
  /** What this rejects with becomes status 500 and a line in the log. */
  answer(request: FaceRequest): Promise<FaceAnswer>
}

export interface FaceRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface FaceAnswer {
  readonly status: number
  readonly headers?: OutgoingHttpHeaders
  readonly body: string | Buffer
}

export interface FaceServer {
  /** Takes no more calls, waits up to `graceMs` for those under way. */
  close(graceMs: number): Promise<void>
}
