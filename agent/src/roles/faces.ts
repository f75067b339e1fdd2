/** The faces of an agent: started early and served with what there is by then. */
import path from 'node:path'
import type { Allocator, Resources } from '@network/datastore'
import { type Clock, DroverError, type Log } from '@network/net'
import type { AgentOperations } from '../api/operations.ts'
import { readAttachRequest, readAuditRequest, readCheckRequest, readDetachRequest } from '../api/requests.ts'
import { createSocketServer } from '../api/socket-server.ts'
import type { Face, FaceModel, FaceServices, RunningFace, ServeOptions } from '../client/face.ts'
import type { Handover } from '../client/handover.ts'
import { handleOf } from '../endpoint/handle.ts'
import type { Life } from './life.ts'

/** What faces can use once the agent has it. */
export interface FaceParts {
  readonly resources: Resources
  readonly allocator: Allocator
  readonly handover: () => Handover
  readonly model: FaceModel & { complete(): boolean }
}

export interface Faces {
  /** There is a store. */
  provide(parts: FaceParts): void
  /** Attaches are served from now on. */
  ready(): void
  /** No new calls; resolves when those under way have ended or a few seconds have passed. */
  stop(): Promise<void>
}

export interface FacesOptions {
  readonly node: string
  readonly socketPath: string
  readonly stateDirectory: string
}

/** @throws DroverError of a face that can't be started */
export async function startFaces(
  faces: readonly Face[],
  modules: { operations: AgentOperations; clock: Clock; log: Log; life: Life },
  options: FacesOptions,
): Promise<Faces> {
  const { operations, clock, life } = modules
  let parts: FaceParts | undefined
  let announceReady = (): void => undefined
  const ready = new Promise<void>((resolve) => {
    announceReady = resolve
  })
  const present = (): FaceParts => {
    if (parts === undefined) throw notReady('it has not opened its store yet')
    return parts
  }
  const agent: FaceServices['agent'] = {
    attach: async (request) => operations.attach(readAttachRequest(request)),
    detach: async (request) => operations.detach(readDetachRequest(request)),
    check: async (request) => operations.check(readCheckRequest(request)),
    endpoints: () => operations.endpoints(),
    health: async () => Promise.resolve(operations.health('health')),
    ready: async () => Promise.resolve(operations.health('ready')),
    node: () => operations.node(),
    config: async () => Promise.resolve(operations.config()),
    audit: async (request) => operations.audit(readAuditRequest(request)),
  }

  const running: { name: string; face: RunningFace }[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(
      running.splice(0).map(async ({ name, face }) => {
        try {
          await face.stop()
        } catch (error) {
          modules.log.warn({ face: name, error: String(error) }, 'a face did not stop in order')
        }
      }),
    )
  }
  try {
    for (const face of faces) {
      const log = modules.log.child({ face: face.name })
      const started = await face.start({
        ...options,
        stateDirectory: path.resolve(options.stateDirectory),
        clock,
        log,
        signal: life.signal,
        ready,
        agent,
        handleOf: (containerId, interfaceName) => handleOf(containerId, interfaceName, options.node),
        resources: () => present().resources,
        allocator: () => present().allocator,
        handover: () => present().handover(),
        model: () => {
          const { model } = present()
          if (!model.complete()) throw notReady('its model is not in sync with etcd yet')
          return model
        },
        serve: (given) => serve(face.name, log, given),
      })
      running.push({ name: face.name, face: started })
    }
  } catch (error) {
    await stop()
    throw error
  }
  return {
    provide: (given) => {
      parts = given
    },
    ready: () => announceReady(),
    stop,
  }
}

async function serve(face: string, log: Log, options: ServeOptions): ReturnType<FaceServices['serve']> {
  const server = createSocketServer(
    {
      who: face,
      log,
      answer: async (request) => {
        try {
          return await options.answer(request)
        } catch (error) {
          log.error({ error: error instanceof Error ? error.stack : String(error) }, 'a call failed by a bug')
          return { status: 500, body: `{"error":"The agent failed in a way it did not foresee."}` }
        }
      },
      refuse: (error) =>
        options.refuse?.(error) ?? {
          status: error.code === 'body-too-large' ? 413 : 408,
          body: JSON.stringify({ error: error.message }),
        },
    },
    {
      socketPath: options.socketPath,
      ...(options.maxBodyBytes === undefined ? {} : { maxBodyBytes: options.maxBodyBytes }),
    },
  )
  await server.listen()
  return server
}

function notReady(why: string): DroverError {
  return new DroverError('not-ready', `The agent is still starting: ${why}.`, {
    remedy: 'Try again in a moment.',
  })
}
