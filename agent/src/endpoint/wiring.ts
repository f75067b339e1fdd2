import { type Clock, DroverError, type Log, hostPrefixText } from '@network/net'
import { ownership } from '../drivers/driver.ts'
import {
  type SysctlSetting,
  differingSysctls,
  hostInterfaceIpv4Settings,
  hostInterfaceOtherSysctls,
  hostInterfaceSysctls,
  writeFreshSysctls,
  writeSysctls,
} from '../drivers/sysctl.ts'
import { type Exec } from '../exec.ts'
import { addLink, dumpLinks, setLink } from '../netlink/codec/link.ts'
import { openHostNetlink } from '../netlink/host-socket.ts'
import { type NetlinkSocket } from '../netlink/socket.ts'
import { runsNow } from './carrier.ts'
import { createLinkRemoval } from './link-removal.ts'
import { applyNamespaceSettings, compareNamespaceSettings } from './namespace-settings.ts'
import { type WireErrorCode, WireError } from './wire-error.ts'
import {
  type Inside,
  enter,
  isPair,
  make,
  onHost,
  read,
  readLink,
  readNamespace,
  removeOrphanRules,
} from './wire-kernel.ts'
import { type WirePlan, announcedRoutes, gateways, planHost, planNamespace } from './wire-plan.ts'
import { type CheckedSpec, checkWireSpec, hostMac } from './wire-spec.ts'
import { type LinkState, type NamespaceState, readLinks } from './wire-state.ts'
import { type Wire, type WireDifference, type WireSpec, type Wired } from './wire.ts'

function checked(spec: WireSpec): CheckedSpec {
  const result = checkWireSpec(spec)
  if (result.ok) return result.value
  const { field, value, reason } = result.error
  throw new WireError(
    'invalid',
    `The interface can't be made: ${field} ${JSON.stringify(value)} ${reason}.`,
    {
      remedy: `Give another ${field}.`,
      details: { field, value },
    },
  )
}

const NOT_YET: ReadonlySet<WireErrorCode> = new Set(['namespace-missing', 'not-a-namespace'])

function refuse(code: WireErrorCode, message: string, remedy: string, details: object): never {
  throw new WireError(code, message, { remedy, details: { ...details } })
}

/** Whether each family of these addresses has a default route, by whatever interface. */
function hasDefaultRoutes(routes: NamespaceState['routes'], addresses: readonly string[]): boolean {
  return addresses.every((address) =>
    routes.some(
      ({ table, destination }) =>
        table === 'main' && destination === (address.includes(':') ? '::/0' : '0.0.0.0/0'),
    ),
  )
}

/**
 * Wires workloads by rtnetlink: a socket in the host's namespace and one in the workload's, both only as long as a call.
 * @param options `prefix` of host interface names
 */
export function createWire(
  modules: { readonly exec?: Exec; readonly clock: Clock; readonly log: Log },
  options: { prefix?: string } = {},
): Wire & { close(): void } {
  const { clock, log } = modules
  const prefix = options.prefix ?? ownership.interfacePrefix
  const removal = createLinkRemoval({ open: openHostNetlink, clock })

  /**
   * Makes both ends, and the host's settings as far as netlink takes them: a tenth of what their files would cost.
   * @param file an open file of the namespace of the workload's end; undefined: it stays on the host
   * @returns the settings that are still to be made
   */
  async function createPair(
    host: NetlinkSocket,
    file: number | undefined,
    spec: CheckedSpec,
  ): Promise<readonly SysctlSetting[]> {
    const { hostName, interfaceName, mtuBytes } = spec
    const [made, settled] = await host.exchange([
      addLink({
        index: 0,
        name: hostName,
        mac: hostMac,
        mtuBytes,
        kind: 'veth',
        peer: {
          index: 0,
          name: interfaceName,
          mac: spec.mac,
          mtuBytes,
          ...(file === undefined ? {} : { namespaceFile: file }),
        },
      }),
      setLink({
        index: 0,
        name: hostName,
        ipv4Settings: hostInterfaceIpv4Settings(spec),
        // Otherwise it would get a link-local address beside fe80::1.
        ...(spec.addresses.ipv6.length > 0 ? { noOwnAddress: true } : {}),
      }),
    ])
    if (made?.ok === true) {
      return settled?.ok === true ? hostInterfaceOtherSysctls(hostName) : hostInterfaceSysctls(hostName, spec)
    }
    const words = made?.words ?? 'no answer'
    throw new WireError('kernel', `Interfaces ${hostName} and ${interfaceName} can't be made: ${words}.`, {
      details: { hostInterface: hostName, interface: interfaceName, kernel: words },
    })
  }

  async function removePair(hostName: string): Promise<void> {
    const link = await onHost((host) => readLink(host, hostName, { withAddresses: false }))
    if (link === undefined) return
    refuseForeign(link)
    await removal.remove(link)
  }

  function refuseForeign(outer: LinkState): void {
    if (outer.kind === 'veth') return
    refuse(
      'host-interface-taken',
      `The host has an interface ${outer.name} of kind ${outer.kind} that is not ours.`,
      `Rename or delete it: ip link delete ${outer.name}`,
      { hostInterface: outer.name, kind: outer.kind },
    )
  }

  function checkDefault(spec: CheckedSpec, plan: WirePlan): void {
    if (plan.defaultTakenBy === undefined) return
    refuse(
      'default-route-taken',
      `A default route through ${spec.interfaceName} was asked for, but the namespace has one through ${plan.defaultTakenBy}.`,
      'Leave defaultRoute open: the interface then answers from its own address by a table of its own.',
      { interface: spec.interfaceName, device: plan.defaultTakenBy },
    )
  }

  /** Looks at both ends; says which of them is in the way. */
  function judge(
    spec: CheckedSpec,
    outer: LinkState | undefined,
    inner: LinkState | undefined,
  ): 'build' | 'keep' | 'rebuild' {
    if (outer !== undefined) refuseForeign(outer)
    if (outer !== undefined && inner !== undefined && isPair(outer, inner)) return 'keep'
    if (inner !== undefined) {
      refuse(
        'interface-taken',
        `The workload already has an interface ${spec.interfaceName} (kind ${inner.kind}, MAC ${inner.mac}).`,
        'Ask for another interface name, or remove that interface first.',
        { interface: inner.name, kind: inner.kind, mac: inner.mac },
      )
    }
    return outer === undefined ? 'build' : 'rebuild'
  }

  async function wireInside(
    { host, inside }: { host: NetlinkSocket; inside: Inside },
    spec: CheckedSpec,
    agreement?: Promise<void>,
  ): Promise<Wired> {
    const steps: Record<string, number> = {}
    let mark = clock.monotonic()
    const step = (name: string): void => {
      const now = clock.monotonic()
      steps[name] = Math.round((now - mark) * 100) / 100
      mark = now
    }
    const [outerBefore, before] = await Promise.all([readLink(host, spec.hostName), readNamespace(inside)])
    step('read')
    const verdict = judge(spec, outerBefore, before.links.get(spec.interfaceName))
    const build = verdict !== 'keep'
    // Refusals come before anything is made; the index does not matter for them.
    if (build) checkDefault(spec, planNamespace(spec, placeholder(spec), before))
    try {
      let outer = outerBefore
      let state = before
      let due: readonly SysctlSetting[] | undefined
      if (build) {
        if (verdict === 'rebuild') await removePair(spec.hostName)
        due = await createPair(host, inside.namespace.file, spec)
        step('create')
        applyNamespaceSettings(inside.namespace.file, spec)
        const [link, links] = await Promise.all([
          readLink(host, spec.hostName, { withAddresses: false }),
          readMadeLinks(inside, before, spec),
        ])
        outer = link
        state = { ...before, links }
        step('settings')
      }
      // What stands there may be in use.
      if (!build) await agreement
      const inner = state.links.get(spec.interfaceName)
      if (outer === undefined || inner === undefined) {
        throw new WireError('kernel', `Interface ${spec.hostName} vanished while it was being set up.`, {
          remedy: 'Something else removes interfaces on this host; try again.',
        })
      }
      const hostFacts = planHost(spec, outer)
      const plan = planNamespace(spec, inner, state)
      checkDefault(spec, plan)
      const different = [...hostFacts, ...plan.facts].some((fact) => fact.expected !== fact.actual)
      const drifted = !build && compareNamespaceSettings(inside.namespace.file, spec).length > 0
      if (drifted || (!build && different)) applyNamespaceSettings(inside.namespace.file, spec)
      let settingsMade = 0
      if (due === undefined) settingsMade = writeSysctls(hostInterfaceSysctls(spec.hostName, spec))
      else writeFreshSysctls(due)
      await make(plan.facts, 'container', inside.socket)
      step('container')
      // Until the host's end is up nothing passes.
      if (build) await agreement
      step('agreement')
      await make(hostFacts, 'host', host)
      step('host')
      return {
        hostInterface: { name: outer.name, mac: hostMac, index: outer.index },
        containerInterface: { name: spec.interfaceName, mac: spec.mac, mtuBytes: spec.mtuBytes },
        addresses: [
          ...spec.addresses.ipv4.map((a) => ({ address: `${a}/32`, gateway: gateways.ipv4 })),
          ...spec.addresses.ipv6.map((a) => ({ address: `${a}/128`, gateway: gateways.ipv6 })),
        ],
        routes: announcedRoutes(spec, plan.layouts),
        namespace: inside.namespace.id,
        changed: build || different || drifted || settingsMade > 0,
        stepsMs: steps,
      }
    } catch (error) {
      if (build) {
        await removePair(spec.hostName).catch((cause: unknown) =>
          log.error({ hostInterface: spec.hostName, error: cause }, 'a half-made interface stays behind'),
        )
      }
      throw error
    }
  }

  /** Both ends on the host. What stands there already is kept if it is such a pair, wherever its other end is by now. */
  async function offerOnHost(
    host: NetlinkSocket,
    spec: CheckedSpec,
  ): Promise<{ mac: string; changed: boolean }> {
    const before = await readLink(host, spec.hostName)
    if (before !== undefined) refuseForeign(before)
    const end = await readLink(host, spec.interfaceName)
    const keep = before !== undefined && end !== undefined && isPair(before, end)
    if (!keep) {
      if (before !== undefined) await removePair(spec.hostName)
      await createPair(host, undefined, spec)
    }
    try {
      const outer = keep ? before : await readLink(host, spec.hostName)
      if (outer === undefined) {
        throw new WireError('kernel', `Interface ${spec.hostName} vanished while it was being set up.`, {
          remedy: 'Something else removes interfaces on this host; try again.',
        })
      }
      writeSysctls(hostInterfaceSysctls(spec.hostName, spec))
      await make(planHost(spec, outer), 'host', host)
      return { mac: spec.mac, changed: !keep }
    } catch (error) {
      await removePair(spec.hostName).catch((cause: unknown) =>
        log.error({ hostInterface: spec.hostName, error: cause }, 'a half-made interface stays behind'),
      )
      throw error
    }
  }

  /** Stands for the interface that is not made yet, to ask what its routes would be. */
  function placeholder(spec: CheckedSpec): LinkState {
    return {
      name: spec.interfaceName,
      index: 0,
      peerIndex: undefined,
      kind: 'veth',
      mac: spec.mac,
      mtuBytes: spec.mtuBytes,
      up: false,
      addresses: [],
    }
  }

  /** The namespace's interfaces after one was made. */
  async function readMadeLinks(
    inside: Inside,
    before: NamespaceState,
    spec: CheckedSpec,
  ): Promise<ReadonlyMap<string, LinkState>> {
    const made = await readLink(inside.socket, spec.interfaceName, { withAddresses: false })
    return made === undefined ? before.links : new Map([...before.links, [made.name, made]])
  }

  function inspectSettings(inside: Inside, spec: CheckedSpec): readonly WireDifference[] {
    return [
      ...compareNamespaceSettings(inside.namespace.file, spec),
      ...differingSysctls(hostInterfaceSysctls(spec.hostName, spec)).map(({ path, ...difference }) => ({
        field: `host.sysctl ${path}`,
        ...difference,
      })),
    ]
  }

  /** An error of the socket or of a setting becomes one of the wiring, its words kept. */
  function asWireError(error: unknown): unknown {
    if (error instanceof WireError || !(error instanceof DroverError)) return error
    return new WireError('kernel', error.message, {
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
      details: error.details,
      cause: error,
    })
  }

  return {
    async wireWorkload(spec, { agreement } = {}) {
      const clean = checked(spec)
      try {
        return await enter(spec.netns, (inside) =>
          onHost((host) => wireInside({ host, inside }, clean, agreement)),
        )
      } catch (error) {
        throw asWireError(error)
      }
    },

    async offer(spec) {
      const clean = checked({ ...spec, netns: '' })
      try {
        return await onHost((host) => offerOnHost(host, clean))
      } catch (error) {
        throw asWireError(error)
      }
    },

    async endInside({ hostInterfaceName, netns, addresses, awaitDefaultRoute }) {
      try {
        // Up on the other side: a runtime gives addresses before and routes after. It is also the cheapest of questions.
        const runs = await onHost((host) => runsNow(host, { index: 0, name: hostInterfaceName }))
        if (runs !== true) return undefined
        return await enter(netns, async (inside) => {
          const outer = await onHost((host) => readLink(host, hostInterfaceName))
          if (outer === undefined) return undefined
          const { links, routes } = await readNamespace(inside)
          const inner = [...links.values()].find((link) => isPair(outer, link))
          const present = new Set(inner?.addresses.map(({ address }) => address))
          const finished =
            inner?.up === true &&
            addresses.every((address) => present.has(hostPrefixText(address))) &&
            (!awaitDefaultRoute || hasDefaultRoutes(routes, addresses))
          return finished ? { name: inner.name, namespace: inside.namespace.id } : undefined
        })
      } catch (error) {
        // Its file is made first, and then becomes the namespace.
        if (error instanceof WireError && NOT_YET.has(error.code)) return undefined
        throw asWireError(error)
      }
    },

    async unwire({ hostInterfaceName, netns }) {
      if (!hostInterfaceName.startsWith(prefix) || !/^[A-Za-z0-9_.-]{1,15}$/.test(hostInterfaceName)) {
        refuse(
          'invalid',
          `'${hostInterfaceName.slice(0, 100)}' is not an interface of ours: its name would begin with ${prefix}.`,
          'Name the interface that wiring answered.',
          { hostInterface: hostInterfaceName },
        )
      }
      try {
        await removePair(hostInterfaceName)
        if (netns === undefined || netns === '') return
        await enter(netns, removeOrphanRules)
      } catch (error) {
        // The pair is gone; a namespace that has ended took its rules with it.
        if (error instanceof WireError && error.code === 'namespace-missing') return
        throw asWireError(error)
      }
    },

    async inspect(spec) {
      const clean = checked(spec)
      try {
        return await enter(spec.netns, async (inside) => {
          const [outer, state] = await Promise.all([
            onHost((host) => readLink(host, clean.hostName)),
            readNamespace(inside),
          ])
          const inner = state.links.get(clean.interfaceName)
          const absent: WireDifference[] = []
          const missing = (field: string): number =>
            absent.push({ field, expected: 'present', actual: 'absent' })
          if (outer === undefined) missing('host.interface')
          if (inner === undefined) missing('container.interface')
          if (outer === undefined || inner === undefined) return absent
          if (!isPair(outer, inner)) {
            return [
              {
                field: 'container.peer',
                expected: `index ${String(outer.index)}`,
                actual: `index ${String(inner.peerIndex ?? 'none')}`,
              },
            ]
          }
          const facts = [...planHost(clean, outer), ...planNamespace(clean, inner, state).facts]
          return [
            ...facts
              .filter((fact) => fact.expected !== fact.actual)
              .map(({ field, expected, actual }) => ({ field, expected, actual })),
            ...inspectSettings(inside, clean),
          ]
        })
      } catch (error) {
        throw asWireError(error)
      }
    },

    async listOurs() {
      const links = await onHost((host) => host.dump(dumpLinks()))
      return [...readLinks(read('Interfaces', links), []).values()]
        .filter(({ name, kind }) => name.startsWith(prefix) && kind === 'veth')
        .map(({ name, index, mac, mtuBytes, up, kind }) => ({ name, index, mac, mtuBytes, up, kind }))
    },

    close: () => undefined,
  }
}
