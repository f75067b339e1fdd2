/** What wiring asks of the kernel and tells it, on the host and inside a workload's namespace, by rtnetlink. */
import { dumpAddresses } from '../netlink/codec/address.ts'
import { dumpLinks, getLink } from '../netlink/codec/link.ts'
import { type Message, type Request } from '../netlink/codec/message.ts'
import { dumpRoutes } from '../netlink/codec/route.ts'
import { dumpRules } from '../netlink/codec/rule.ts'
import { NamespaceError, inNamespace } from '../netlink/namespace.ts'
import { openHostNetlink } from '../netlink/host-socket.ts'
import { type Answer, type NetlinkSocket, isGone, openNetlink } from '../netlink/socket.ts'
import { type OpenNamespace, openNamespace } from './netns.ts'
import { WireError } from './wire-error.ts'
import { type Fact, isRuleOfOurs, orphanRules, ruleRemoval } from './wire-plan.ts'
import { type LinkState, type NamespaceState, readLinks, readRoutes, readRules } from './wire-state.ts'

/** A workload's namespace that is held open, and a socket in it. */
export interface Inside {
  readonly namespace: OpenNamespace
  readonly socket: NetlinkSocket
}

/** With a socket in the host's namespace, as long as `use` takes. */
export async function onHost<T>(use: (host: NetlinkSocket) => Promise<T>): Promise<T> {
  const host = openHostNetlink()
  try {
    return await use(host)
  } finally {
    host.close()
  }
}

/** The messages of an answer. @throws WireError `kernel` that says what could not be read */
export function read(what: string, answer: Answer | undefined): readonly Message[] {
  if (answer?.ok === true) return answer.messages
  throw new WireError('kernel', `${what} can't be read: ${answer?.words ?? 'no answer'}.`)
}

/**
 * One interface; undefined if there is none.
 *
 * @param withAddresses false where nobody asks for them, or an interface that was just made has none
 */
export async function readLink(
  socket: NetlinkSocket,
  name: string,
  { withAddresses = true } = {},
): Promise<LinkState | undefined> {
  const [answer] = await socket.exchange([getLink({ index: 0, name })])
  if (answer?.ok === false && isGone(answer.code)) return undefined
  const messages = read(`Interface ${name}`, answer)
  const bare = readLinks(messages, []).get(name)
  if (bare === undefined || !withAddresses) return bare
  const addresses = read('Addresses', await socket.dump(dumpAddresses(bare.index)))
  return readLinks(messages, addresses).get(name)
}

async function dumpInside(inside: Inside, what: string, request: Request): Promise<readonly Message[]> {
  return read(`${what} of the namespace`, await inside.socket.dump(request))
}

/** Interfaces, addresses, routes and rules of a workload's namespace. */
export async function readNamespace(inside: Inside): Promise<NamespaceState> {
  const links = readLinks(
    await dumpInside(inside, 'The interfaces', dumpLinks()),
    await dumpInside(inside, 'The addresses', dumpAddresses()),
  )
  return {
    links,
    routes: readRoutes(await dumpInside(inside, 'The routes', dumpRoutes()), links),
    rules: readRules(await dumpInside(inside, 'The rules', dumpRules())),
  }
}

/** Takes away the rules that interfaces of ours left. Most namespaces have none of ours at all, and are read no further. */
export async function removeOrphanRules(inside: Inside): Promise<void> {
  const present = readRules(await dumpInside(inside, 'The rules', dumpRules()))
  if (!present.some(isRuleOfOurs)) return
  const rules = orphanRules(await readNamespace(inside))
  if (rules.length > 0) await inside.socket.exchange(rules.map(ruleRemoval))
}

/** With a namespace held open and a socket in it, as long as `use` takes. @throws WireError, NamespaceError */
export async function enter<T>(path: string, use: (inside: Inside) => Promise<T>): Promise<T> {
  const namespace = await openNamespace(path)
  let socket: NetlinkSocket | undefined
  try {
    socket = inNamespace(namespace.file, () => openNetlink())
    return await use({ namespace, socket })
  } catch (error) {
    if (error instanceof NamespaceError && error.details['code'] === 'EINVAL') {
      throw new WireError('not-a-namespace', `${path} is a namespace, but not one of networks.`, {
        remedy: 'Give a path like /run/netns/NAME or /proc/PID/ns/net.',
        details: { netns: path },
        cause: error,
      })
    }
    throw error
  } finally {
    socket?.close()
    await namespace.close()
  }
}

/** Whether two interfaces are the ends of one veth. */
export function isPair(outer: LinkState, inner: LinkState): boolean {
  return outer.kind === 'veth' && outer.peerIndex === inner.index && inner.peerIndex === outer.index
}

/** Makes those facts of one end true that are not. @throws WireError `kernel` that names the first that can't be */
export async function make(facts: readonly Fact[], at: Fact['at'], socket: NetlinkSocket): Promise<void> {
  const due = facts.filter((fact) => fact.at === at && fact.expected !== fact.actual)
  if (due.length === 0) return
  const answers = await socket.exchange(due.map((fact) => fact.request))
  const failed = answers.findIndex((answer) => !answer.ok && !isGone(answer.code))
  const fact = due[failed]
  const answer = answers[failed]
  if (fact === undefined || answer?.ok !== false) return
  throw new WireError('kernel', `${fact.field} can't be made ${fact.expected}: ${answer.words}.`, {
    details: { field: fact.field, expected: fact.expected, kernel: answer.words },
  })
}
