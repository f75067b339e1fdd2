/**
 * An interface that was just set up drops what is sent through it until the kernel has got round to noticing its
 * carrier (linkwatch, on a worker thread that a busy machine lets wait). The first packet to a workload asks for its
 * address; a question that is dropped is repeated a second later, and so late is the workload reached. So an attach
 * waits until the interface runs. Since Linux 6.8 the question itself makes the kernel notice, and one is enough. An
 * interface that a runtime moves is asked for while it moves, for the same reason.
 */
import type { Clock } from '@network/net'
import { littleEndian, viewOf } from '../netlink/codec/attribute.ts'
import { getLink } from '../netlink/codec/link.ts'
import { MessageType } from '../netlink/codec/numbers.ts'
import type { NetlinkSocket } from '../netlink/socket.ts'

export interface CarrierModules {
  readonly clock: Clock
  /** A socket in the host's namespace. */
  readonly open: () => NetlinkSocket
}

/** IFF_RUNNING of netdevice(7): what is sent goes out. At 8 in struct ifinfomsg. */
const running = 0x40
const flagsOffset = 8
const firstPauseMs = 1
const longestPauseMs = 20

/** Whether what is sent through the interface goes out by now; undefined if there is none. */
export async function runsNow(
  socket: NetlinkSocket,
  link: { readonly index: number; readonly name?: string },
): Promise<boolean | undefined> {
  const [answer] = await socket.exchange([getLink(link)])
  if (answer?.ok !== true) return undefined
  const found = answer.messages.find(({ type }) => type === MessageType.newLink)
  if (found === undefined || found.body.length < flagsOffset + 4) return undefined
  return (viewOf(found.body).getUint32(flagsOffset, littleEndian) & running) !== 0
}

/** Resolves when the interface runs, is gone, or past `withinMs`: an attach does not fail for it. */
export async function interfaceRuns(
  modules: CarrierModules,
  index: number,
  withinMs = 1_000,
): Promise<boolean> {
  const { clock } = modules
  const end = clock.monotonic() + withinMs
  const socket = modules.open()
  try {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const runs = await runsNow(socket, { index })
      if (runs !== false) return runs === true
      if (clock.monotonic() >= end) return false
      await new Promise<void>((resolve) => clock.setTimeout(resolve, pauseMs))
    }
  } finally {
    socket.close()
  }
}
