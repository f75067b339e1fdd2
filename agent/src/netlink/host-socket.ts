/**
 * Sockets in the host's namespace that are used again. Opening one takes the system seven calls, as long as what it is then
 * asked. Never to be opened within another namespace.
 */
import { type NetlinkSocket, openNetlink } from './socket.ts'

const MOST_SPARE = 4

/** @returns opens a socket, or answers one that was closed; one on which an exchange has failed is not used again */
export function createHostSockets(open: () => NetlinkSocket = openNetlink): () => NetlinkSocket {
  const spare: NetlinkSocket[] = []
  return () => {
    const socket = spare.pop() ?? open()
    let isSound = true
    let closed = false
    const watched = async <T>(call: () => Promise<T>): Promise<T> => {
      if (closed) throw new TypeError('the netlink socket is closed')
      try {
        return await call()
      } catch (error) {
        isSound = false
        throw error
      }
    }
    return {
      exchange: (requests, options) => watched(() => socket.exchange(requests, options)),
      dump: (request) => watched(() => socket.dump(request)),
      close() {
        if (closed) return
        closed = true
        if (isSound && spare.length < MOST_SPARE) spare.push(socket)
        else socket.close()
      },
    }
  }
}

export const openHostNetlink = createHostSockets()
