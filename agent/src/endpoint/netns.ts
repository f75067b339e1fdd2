import { closeSync, constants, fstatSync, open, openSync, statSync, statfsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { promisify } from 'node:util'
import { WireError } from './wire-error.ts'

/**
 * A network namespace held open. Whoever needs it goes through `path`, which leads to the open file: the path that was
 * given can't be swapped in between, and its text reaches no command.
 */
export interface OpenNamespace {
  readonly path: string
  /** The open file. */
  readonly file: number
  /** `net:[4026532281]` */
  readonly id: string
  close(): Promise<void>
}

const openFile = promisify(open)

/**
 * Where runtimes keep namespaces lie in memory and answer at once, sooner than another thread is woken. Any other path may lead
 * to a file system that keeps whoever asks waiting.
 */
const inMemory = /^\/(?:proc|run|var\/run)\//

// Without O_NONBLOCK a path to a FIFO would hold the agent's thread for ever.
const openFlags = constants.O_RDONLY | constants.O_NONBLOCK

/** statfs(2)'s type of the file system that namespaces are files of: NSFS_MAGIC in linux/magic.h. */
const nsfsMagic = 0x6e736673

/**
 * Opens a network namespace by any path that names one.
 * @throws WireError `namespace-missing`, `not-a-namespace`, `own-namespace`
 */
export async function openNamespace(path: string): Promise<OpenNamespace> {
  if (!path.startsWith('/') || path.includes('\0') || path.length > 4095) {
    throw new WireError(
      'invalid',
      `'${path.slice(0, 200)}' is not an absolute path of a network namespace.`,
      {
        remedy: 'Give a path like /run/netns/NAME or /proc/PID/ns/net.',
        details: { netns: path },
      },
    )
  }
  let file: number
  try {
    file = inMemory.test(path) ? openSync(path, openFlags) : await openFile(path, openFlags)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESRCH') {
      throw new WireError('namespace-missing', `There is no network namespace at ${path}.`, {
        remedy: 'The container has ended, or its runtime uses another mount namespace than the agent.',
        details: { netns: path },
        cause,
      })
    }
    throw new WireError('not-a-namespace', `${path} can't be opened: ${code ?? String(cause)}.`, {
      remedy: 'The agent needs root to enter other namespaces.',
      details: { netns: path },
      cause,
    })
  }
  try {
    const through = `/proc/${String(process.pid)}/fd/${String(file)}`
    const { type } = inMemory.test(path) ? statfsSync(through) : await statfs(through)
    if (type !== nsfsMagic) {
      throw new WireError('not-a-namespace', `${path} is not a network namespace.`, {
        remedy: 'Give a path like /run/netns/NAME or /proc/PID/ns/net.',
        details: { netns: path },
      })
    }
    const { ino } = fstatSync(file)
    if (ino === statSync('/proc/self/ns/net').ino) {
      throw new WireError('own-namespace', `${path} is the host's own network namespace.`, {
        remedy: 'A workload in the network of its host needs no interface.',
        details: { netns: path },
      })
    }
    return {
      path: through,
      file,
      id: `net:[${String(ino)}]`,
      close: () => {
        closeSync(file)
        return Promise.resolve()
      },
    }
  } catch (error) {
    closeSync(file)
    throw error
  }
}
