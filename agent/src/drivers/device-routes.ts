/**
 * Routes that lead straight into an interface, as those to workloads do. They come and go with every attach, which waits
 * for them: this thread tells the kernel itself, in the time that a program would take to be woken.
 */
import { getLink } from '../netlink/codec/link.ts'
import type { Request } from '../netlink/codec/message.ts'
import { littleEndian, viewOf } from '../netlink/codec/attribute.ts'
import { MessageFlag, MessageType, RouteType, Scope, Table } from '../netlink/codec/numbers.ts'
import { type Route, deleteRoute, encodeRoute } from '../netlink/codec/route.ts'
import type { Answer, NetlinkSocket } from '../netlink/socket.ts'
import { ownership } from './driver.ts'
import type { RouteForm } from './route.ts'

export interface RouteChange {
  readonly action: 'add' | 'replace' | 'remove'
  readonly form: RouteForm
}

/** At 4 in struct ifinfomsg. */
const indexOffset = 4
/** What the kernel gives an IPv6 route that names no metric, and what a removal then has to name. */
const usualIpv6Metric = 1024

/** Name of the interface that the route leads into; undefined if it leads elsewhere. */
export function deviceOf({ hops }: RouteForm): string | undefined {
  const [hop] = hops
  return hops.length === 1 && hop?.gateway === undefined ? hop?.device : undefined
}

/**
 * Makes changes of routes that lead into interfaces, in order; one that is refused does not stop the next.
 * @returns the kernel's words for each, empty where it agreed
 * @throws NetlinkError if not every answer came
 */
export async function changeDeviceRoutes(
  open: () => NetlinkSocket,
  changes: readonly RouteChange[],
): Promise<readonly string[]> {
  if (changes.length === 0) return []
  const socket = open()
  try {
    const names = [
      ...new Set(changes.flatMap(({ action, form }) => (action === 'remove' ? [] : (deviceOf(form) ?? [])))),
    ]
    const links = await socket.exchange(names.map((name) => getLink({ index: 0, name })))
    const indexes = new Map(names.map((name, i) => [name, indexOf(name, links[i])]))
    const words: string[] = []
    const requests: Request[] = []
    for (const { action, form } of changes) {
      const index = action === 'remove' ? undefined : indexes.get(deviceOf(form) ?? '')
      if (typeof index === 'string') words[requests.length] = index
      requests.push(requestOf(action, form, typeof index === 'number' ? index : 0))
    }
    const sent = requests.filter((_, i) => words[i] === undefined)
    const answers = (await socket.exchange(sent)).values()
    return requests.map((_, i) => words[i] ?? refusal(answers.next().value))
  } finally {
    socket.close()
  }
}

function refusal(answer: Answer | undefined): string {
  if (answer === undefined) return 'no answer'
  return answer.ok ? '' : answer.words
}

/** The interface's number, or why there is none. */
function indexOf(name: string, answer: Answer | undefined): number | string {
  if (answer?.ok === false && answer.code !== 'ENODEV') return answer.words
  const link = answer?.ok === true && answer.messages.find(({ type }) => type === MessageType.newLink)
  if (!link || link.body.length < indexOffset + 4) return `Cannot find device "${name}"`
  return viewOf(link.body).getInt32(indexOffset, littleEndian)
}

function requestOf(action: RouteChange['action'], form: RouteForm, device: number): Request {
  const [destination = '', length] = form.destination.split('/')
  const isIpv6 = destination.includes(':')
  const common = {
    destination,
    length: Number(length),
    table: Table.main,
    protocol: ownership.routeProtocol,
  }
  if (action === 'remove') {
    const priority = form.metric ?? (isIpv6 ? usualIpv6Metric : undefined)
    return deleteRoute({ ...common, ...(priority === undefined ? {} : { priority }) })
  }
  const route: Route = {
    ...common,
    scope: isIpv6 ? Scope.universe : Scope.link,
    type: RouteType.unicast,
    flags: 0,
    device,
    ...(form.source === undefined ? {} : { source: form.source }),
    ...(form.metric === undefined ? {} : { priority: form.metric }),
  }
  const flags = MessageFlag.create | (action === 'add' ? MessageFlag.exclusive : MessageFlag.replace)
  return { type: MessageType.newRoute, flags, body: encodeRoute(route) }
}
