/**
 * CNI as a face of the agent. The runtime executes a small program (client/) which carries environment and standard input
 * to `cni.sock` beside the agent's own socket; here they are read, the verb is carried out in the agent's process, and
 * status and body go back. A status of 200 is exit status 0, and the body is standard output either way.
 */
import path from 'node:path'
import type { Face, FaceAnswer, FaceServices } from '@network/agent/client'
import type { Timer } from '@network/net'
import { CniError, asCniError, formatError } from './cni-error.ts'
import { createDelegates } from './delegates.ts'
import { type PluginName, checkEnvironment, readCall } from './input/call.ts'
import { versionOf } from './input/configuration.ts'
import { add } from './operations/add.ts'
import { assign, checkAssigned, unassign } from './operations/assign.ts'
import { check } from './operations/check.ts'
import { del } from './operations/del.ts'
import { gc } from './operations/gc.ts'
import type { Operation, OperationModules } from './operations/operations.ts'
import { keepPromises, settleMemories } from './operations/promised.ts'
import { status } from './operations/status.ts'
import { createTurns } from './operations/turns.ts'
import { version } from './operations/version.ts'
import { openPromises } from './promises.ts'
import { openRemembered } from './remembered.ts'
import { newestVersion } from './result/versions.ts'

export const CNI_SOCKET_NAME = 'cni.sock'
/** Below the state directory. */
export const PROMISES_FOLDER = path.join('journal', 'cni')

/** A configuration of 1 MiB, each byte as %XX, and the environment. */
const MOST_BODY_BYTES = 8 * 1024 * 1024
const KEEP_PROMISES_EVERY_MS = 30_000
const STOP_MS = 5_000

const operations: Readonly<Record<PluginName, Readonly<Record<string, Operation>>>> = {
  drover: { ADD: add, DEL: del, CHECK: check, GC: gc, STATUS: status, VERSION: version },
  'drover-ipam': {
    ADD: assign,
    DEL: unassign,
    CHECK: checkAssigned,
    GC: gc,
    STATUS: status,
    VERSION: version,
  },
}

/** The face of CNI, for the command `drover agent` to hand to the agent. */
export function createCniFace(): Face {
  return {
    name: 'cni',
    async start(services) {
      const { stateDirectory, log } = services
      const modules: OperationModules = {
        services,
        promises: await openPromises({ log }, { folder: path.join(stateDirectory, PROMISES_FOLDER) }),
        remembered: await openRemembered({ log }, { folder: path.join(stateDirectory, 'cni') }),
        delegates: createDelegates(),
        turns: createTurns(),
      }
      const server = await services.serve({
        socketPath: path.join(path.dirname(services.socketPath), CNI_SOCKET_NAME),
        maxBodyBytes: MOST_BODY_BYTES,
        answer: ({ body }) => answer(modules, body),
        refuse: ({ message }) => failure(new CniError('decode', message), newestVersion),
      })
      const keeping = keepAgainAndAgain(services, modules)
      return {
        async stop() {
          await Promise.all([keeping.stop(), server.close(STOP_MS)])
        },
      }
    },
  }
}

async function answer(modules: OperationModules, form: Buffer): Promise<FaceAnswer> {
  let cniVersion: string = newestVersion
  try {
    const call = readCall(form)
    cniVersion = versionOf(call.stdin) ?? newestVersion
    checkEnvironment(call)
    const operation = operations[call.plugin][call.command]
    if (operation === undefined) throw new CniError('environment', 'CNI_COMMAND is missing.')
    return { status: 200, body: await operation(modules, call) }
  } catch (error) {
    const cniError = asCniError(error)
    const { log } = modules.services
    if (cniError.code === 'internal')
      log.error({ error: error instanceof Error ? error.stack : String(error) }, 'a call failed by a bug')
    else log.warn({ code: cniError.cniCode }, cniError.message)
    return failure(cniError, cniVersion)
  }
}

function failure(error: CniError, cniVersion: string): FaceAnswer {
  return { status: 422, body: formatError(error, cniVersion) }
}

/**
 * Promises are kept as soon as the agent is ready; an executable whose call broke off may make one at any time. `stop`
 * begins nothing more and waits for the one that is being kept, a few seconds at most.
 */
function keepAgainAndAgain(services: FaceServices, modules: OperationModules): { stop(): Promise<void> } {
  const { clock, log, signal } = services
  let timer: Timer | undefined
  let stopped = false
  let underWay = Promise.resolve()
  const isOver = (): boolean => stopped || signal.aborted
  const keep = async (): Promise<void> => {
    try {
      await keepPromises(modules, isOver)
      await settleMemories(modules, isOver)
    } catch (error) {
      log.warn({ error: String(error) }, 'what waits to be taken back could not be looked at')
    }
    if (!isOver()) timer = clock.setTimeout(begin, KEEP_PROMISES_EVERY_MS)
  }
  const begin = (): void => {
    if (!isOver()) underWay = keep()
  }
  void services.ready.then(begin)
  return {
    async stop() {
      stopped = true
      timer?.cancel()
      await new Promise<void>((resolve) => {
        const patience = clock.setTimeout(resolve, STOP_MS)
        void underWay.then(() => {
          patience.cancel()
          resolve()
        })
      })
    },
  }
}
