/**
 * What the kernel has of a workload's interface, read from the documents of `ip -json -details -N`. Pure: what comes
 * from the kernel is taken field by field, and what is not as expected counts as absent.
 */

export interface LinkState {
  readonly name: string
  readonly index: number
  /** Index of the other end of a veth, in its namespace. */
  readonly peerIndex: number | undefined
  readonly kind: string
  readonly mac: string
  readonly mtuBytes: number
  readonly up: boolean
  /** `10.0.0.5/32`, in the order in which the kernel has them. */
  readonly addresses: readonly { readonly address: string; readonly scope: string }[]
}

export interface RouteState {
  /** `10.0.0.0/8`, `0.0.0.0/0`, `::/0` */
  readonly destination: string
  readonly table: string
  readonly gateway: string | undefined
  readonly device: string | undefined
  readonly source: string | undefined
  readonly protocol: string
}

export interface RuleState {
  readonly priority: number
  readonly source: string
  readonly destination: string
  readonly table: string
  readonly protocol: string
}

/** A workload's namespace. */
export interface NamespaceState {
  readonly links: ReadonlyMap<string, LinkState>
  readonly routes: readonly RouteState[]
  readonly rules: readonly RuleState[]
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}

function entries(document: unknown): readonly Record<string, unknown>[] {
  if (!Array.isArray(document)) return []
  return document.filter(
    (entry): entry is Record<string, unknown> => typeof entry === 'object' && entry !== null,
  )
}

/** rtnetlink's numbers of scopes, which -N prints. */
const scopeNames: Readonly<Record<string, string>> = { '0': 'global', '253': 'link', '254': 'host' }

/** Reads `addr show`. */
export function readLinks(document: unknown): ReadonlyMap<string, LinkState> {
  const links = new Map<string, LinkState>()
  for (const entry of entries(document)) {
    const name = text(entry['ifname'])
    if (name === '') continue
    const peer = Number(entry['link_index'])
    const info = entries([entry['linkinfo']])[0]
    links.set(name, {
      name,
      index: Number(entry['ifindex']),
      peerIndex: Number.isInteger(peer) ? peer : undefined,
      kind: text(info?.['info_kind']) || 'none',
      mac: text(entry['address']),
      mtuBytes: Number(entry['mtu']),
      up: Array.isArray(entry['flags']) && entry['flags'].includes('UP'),
      addresses: entries(entry['addr_info']).map((a) => ({
        address: `${text(a['local'])}/${text(a['prefixlen'])}`,
        scope: scopeNames[text(a['scope'])] ?? text(a['scope']),
      })),
    })
  }
  return links
}

function prefixText(dst: string, isIpv6: boolean): string {
  if (dst === 'default' || dst === 'all') return isIpv6 ? '::/0' : '0.0.0.0/0'
  return dst.includes('/') ? dst : `${dst}/${dst.includes(':') ? '128' : '32'}`
}

/** Reads `route show table all`; only unicast routes with one next hop are of interest. */
export function readRoutes(document: unknown): readonly RouteState[] {
  return entries(document)
    .filter((entry) => ['', '1', 'unicast'].includes(text(entry['type'])))
    .map((entry) => ({
      destination: prefixText(text(entry['dst']), 'pref' in entry),
      table: text(entry['table']) === '' || text(entry['table']) === '254' ? 'main' : text(entry['table']),
      gateway: text(entry['gateway']) || undefined,
      device: text(entry['dev']) || undefined,
      source: text(entry['prefsrc']) || undefined,
      protocol: text(entry['protocol']),
    }))
}

/** Reads `rule show`. */
export function readRules(document: unknown): readonly RuleState[] {
  return entries(document).map((entry) => {
    const isIpv6 = text(entry['src']).includes(':') || text(entry['dst']).includes(':')
    const part = (address: string, length: string): string =>
      length === '' ? prefixText(address === '' ? 'all' : address, isIpv6) : `${address}/${length}`
    return {
      priority: Number(entry['priority']),
      source: part(text(entry['src']), text(entry['srclen'])),
      destination: part(text(entry['dst']), text(entry['dstlen'])),
      table: text(entry['table']),
      protocol: text(entry['protocol']),
    }
  })
}
