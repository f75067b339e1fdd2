/**
 * Removing interfaces of the host without waiting for what nobody can see. RTM_DELLINK takes an interface out of the
 * namespace in a fraction of a millisecond, its addresses and routes with it, and then keeps its caller waiting for a
 * grace period of the kernel (rcu_barrier, about 20 ms) outside of every lock, until its memory is free. A removal is
 * therefore sent on another thread and answered as soon as the interface's settings below /proc/sys are gone, which can be
 * seen without the kernel's lock (rtnl) that the removal holds. At most three removals
 * are under way, so that a thread of the pool is left for others; whatever is asked meanwhile is gathered, put into
 * a group of its own and removed as one group, which waits once.
 */
import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { type Clock } from '@network/net'
import { deleteLink, setLink } from '../netlink/codec/link.ts'
import { type Answer, type NetlinkSocket, isGone } from '../netlink/socket.ts'
import { WireError } from './wire-error.ts'

export interface LinkRemoval {
  /**
   * Resolves when the host has no interface of that index any more, also if there was none.
   * @throws WireError `kernel`
   */
  remove(link: { readonly name: string; readonly index: number }): Promise<void>
}

interface Item {
  readonly name: string
  readonly index: number
  settle(error?: WireError): void
}

const atOnce = 3
const lookAgainMs = 1
const patienceMs = 10_000

/** @param modules `open`: a socket in the host's namespace */
export function createLinkRemoval(modules: { open: () => NetlinkSocket; clock: Clock }): LinkRemoval {
  const { open, clock } = modules
  let waiting: Item[] = []
  let underWay = 0
  // A number that was never given to an interface: what stands in a group is removed with it.
  let group = randomInt(0x40000000, 0x7fff0000)

  const sleep = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      clock.setTimeout(resolve, ms)
    })

  function judge(item: Item, answer: Answer | undefined): void {
    if (answer?.ok === true || (answer !== undefined && isGone(answer.code))) {
      item.settle()
      return
    }
    const words = answer?.words ?? 'no answer'
    item.settle(
      new WireError('kernel', `Interface ${item.name} can't be removed: ${words}.`, {
        details: { hostInterface: item.name, kernel: words },
      }),
    )
  }

  async function removeOneByOne(socket: NetlinkSocket, items: readonly Item[]): Promise<void> {
    for (const item of items) {
      const [answer] = await socket.exchange([deleteLink({ index: item.index })], { later: true })
      judge(item, answer)
    }
  }

  async function removeGroup(socket: NetlinkSocket, items: readonly Item[]): Promise<void> {
    const number = ++group
    const marked = await socket.exchange(items.map(({ index }) => setLink({ index, group: number })))
    if (!marked.some((answer) => answer.ok)) {
      items.forEach((item, i) => judge(item, marked[i]))
      return
    }
    const [answer] = await socket.exchange([deleteLink({ index: 0, group: number })], { later: true })
    if (answer?.ok !== true) {
      await removeOneByOne(socket, items)
      return
    }
    items.forEach((item, i) => judge(item, marked[i]))
  }

  /** Settles those that can't be found any more while their removal still waits in the kernel. */
  async function watch(items: readonly Item[], ended: () => boolean): Promise<void> {
    let left = items
    while (left.length > 0 && !ended()) {
      await sleep(lookAgainMs)
      left = left.filter((item) => {
        if (existsSync(`/proc/sys/net/ipv4/conf/${item.name}`)) return true
        item.settle()
        return false
      })
    }
  }

  async function run(items: readonly Item[]): Promise<void> {
    let ended = false
    let socket: NetlinkSocket | undefined
    try {
      socket = open()
      const removal = items.length === 1 ? removeOneByOne(socket, items) : removeGroup(socket, items)
      // What the watch can't see, the removal's own answer tells.
      const watching = watch(items, () => ended).catch(() => undefined)
      await removal.finally(() => (ended = true))
      await watching
    } catch (error) {
      for (const item of items) {
        item.settle(
          new WireError('kernel', `Interface ${item.name} can't be removed: ${(error as Error).message}`, {
            details: { hostInterface: item.name },
            cause: error,
          }),
        )
      }
    } finally {
      socket?.close()
      underWay--
      pump()
    }
  }

  function pump(): void {
    while (waiting.length > 0 && underWay < atOnce) {
      const items = waiting
      waiting = []
      underWay++
      void run(items)
    }
  }

  return {
    remove: ({ name, index }) =>
      new Promise((resolve, reject) => {
        const timer = clock.setTimeout(() => {
          waiting = waiting.filter((other) => other !== item)
          reject(
            new WireError('kernel', `Interface ${name} is not gone after ${String(patienceMs)} ms.`, {
              remedy: "The kernel's log says what holds it: look for 'unregister_netdevice: waiting for'.",
              details: { hostInterface: name },
            }),
          )
        }, patienceMs)
        const item: Item = {
          name,
          index,
          settle(error) {
            timer.cancel()
            if (error === undefined) resolve()
            else reject(error)
          },
        }
        waiting.push(item)
        pump()
      }),
  }
}
