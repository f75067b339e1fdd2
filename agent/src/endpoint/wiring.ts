import { type Clock, DroverError, type Log } from '@network/net'
import { ownership } from '../drivers/driver.ts'
import { readInterfaces } from '../drivers/interface-driver.ts'
import { type IpAnswer, type IpSession, change, createIpSession, show } from '../drivers/ip-session.ts'
import { type SysctlSetting, hostInterfaceSysctls, readSysctl, writeSysctls } from '../drivers/sysctl.ts'
import { type Exec } from '../exec.ts'
import { type NamespaceSettings, startNamespaceSettings } from './namespace-settings.ts'
import { type OpenNamespace, openNamespace } from './netns.ts'
import { type WireErrorCode, WireError } from './wire-error.ts'
import {
  type CheckedSpec,
  type Fact,
  type WirePlan,
  announcedRoutes,
  checkWireSpec,
  gateways,
  hostMac,
  orphanRules,
  planHost,
  planNamespace,
  ruleRemovalLine,
} from './wire-plan.ts'
import { type LinkState, type NamespaceState, readLinks, readRoutes, readRules } from './wire-state.ts'
import { type Wire, type WireDifference, type WireSpec, type Wired } from './wire.ts'

interface Inside {
  readonly namespace: OpenNamespace
  readonly session: IpSession
  /** For `rule` in IPv6, which needs an `ip -6` of its own; opened when first asked for. */
  readonly ipv6: () => IpSession
}

/** Settings inside the workload's namespace. */
function namespaceSysctls(spec: CheckedSpec): readonly SysctlSetting[] {
  const ipv6 = readSysctl('net/ipv6/conf/all/forwarding') !== undefined
  const dev = spec.interfaceName
  const paths = [
    'net/ipv4/ip_forward',
    ...(ipv6 ? ['net/ipv6/conf/all/forwarding', `net/ipv6/conf/${dev}/accept_ra`] : []),
    ...(spec.addresses.ipv6.length > 0
      ? [`net/ipv6/conf/${dev}/accept_dad`, `net/ipv6/conf/${dev}/disable_ipv6`]
      : []),
  ]
  return paths.map((path) => ({ path, value: '0' }))
}

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

function refuse(code: WireErrorCode, message: string, remedy: string, details: object): never {
  throw new WireError(code, message, { remedy, details: { ...details } })
}

/** What a deletion may say when there is nothing left to delete. */
function alreadyGone(words: string): boolean {
  return /Cannot find device|No such (device|process|file)/.test(words)
}

/**
 * Wires workloads with `ip`: one kept session in the host's namespace, one short one in each workload's.
 * @param options `prefix` of host interface names
 */
export function createWire(
  modules: { exec: Exec; clock: Clock; log: Log },
  options: { prefix?: string } = {},
): Wire & { close(): void } {
  const { exec, clock, log } = modules
  const prefix = options.prefix ?? ownership.interfacePrefix
  const host = createIpSession({ exec, clock })

  async function readHostLink(name: string): Promise<LinkState | undefined> {
    const [answer] = await host.run([show(`addr show dev ${name}`)])
    return readLinks(answer?.output).get(name)
  }

  async function readNamespace(inside: Inside, withIpv6Rules: boolean): Promise<NamespaceState> {
    const [links, routes, rules] = await inside.session.run([
      show('addr show'),
      show('route show table all'),
      show('rule show'),
    ])
    if (links?.ok !== true) {
      throw new WireError('kernel', `The namespace can't be read: ${links?.error ?? 'no answer'}.`)
    }
    const state = {
      links: readLinks(links.output),
      routes: readRoutes(routes?.output),
      rules: readRules(rules?.output),
    }
    if (!withIpv6Rules) return state
    const [more] = await inside.ipv6().run([show('rule show')])
    return { ...state, rules: [...state.rules, ...readRules(more?.output)] }
  }

  /** Whether IPv6 rules matter: only a namespace with another interface, or with IPv4 rules of ours, can have any. */
  function mayHaveIpv6Rules(spec: CheckedSpec, state: NamespaceState): boolean {
    if (spec.addresses.ipv6.length === 0) return false
    return spec.defaultRoute === false || state.links.size > 2 || orphanRules(state).length > 0
  }

  async function readFully(inside: Inside, spec: CheckedSpec): Promise<NamespaceState> {
    const state = await readNamespace(inside, false)
    return mayHaveIpv6Rules(spec, state) ? readNamespace(inside, true) : state
  }

  async function enter<T>(path: string, use: (inside: Inside) => Promise<T>): Promise<T> {
    const namespace = await openNamespace(path)
    const session = createIpSession({ exec, clock }, { namespace: namespace.path })
    session.open()
    let ipv6: IpSession | undefined
    try {
      return await use({
        namespace,
        session,
        ipv6: () =>
          (ipv6 ??= createIpSession({ exec, clock }, { namespace: namespace.path, family: 'ipv6' })),
      })
    } catch (error) {
      if (error instanceof DroverError && /reassociate to namespace/.test(error.message)) {
        throw new WireError('not-a-namespace', `${path} is a namespace, but not one of networks.`, {
          remedy: 'Give a path like /run/netns/NAME or /proc/PID/ns/net.',
          details: { netns: path },
          cause: error,
        })
      }
      throw error
    } finally {
      session.close()
      ipv6?.close()
      await namespace.close()
    }
  }

  function isPair(outer: LinkState, inner: LinkState): boolean {
    return outer.kind === 'veth' && outer.peerIndex === inner.index && inner.peerIndex === outer.index
  }

  function checkAnswers(facts: readonly Fact[], answers: readonly IpAnswer[]): void {
    const failed = answers.findIndex((answer) => !answer.ok && !alreadyGone(answer.error))
    const fact = facts[failed]
    if (fact === undefined) return
    const words = (answers[failed]?.error ?? '').replace(/^RTNETLINK answers: /, '')
    throw new WireError(
      'kernel',
      `${fact.field} can't be made ${fact.expected}: ${words} (ip ${fact.line}).`,
      {
        details: { field: fact.field, expected: fact.expected, kernel: words },
      },
    )
  }

  async function make(facts: readonly Fact[], at: Fact['at'], session: () => IpSession): Promise<void> {
    const due = facts.filter((fact) => fact.at === at && fact.expected !== fact.actual)
    if (due.length === 0) return
    const answers = await session().run(due.map((fact) => change(fact.line)))
    checkAnswers(due, answers)
  }

  /**
   * Makes the pair from inside the workload's namespace, where the session is short: `ip` never closes the file of a
   * namespace that a line names, and the host's session would hold the workload's alive for ever.
   */
  async function createPair(inside: Inside, spec: CheckedSpec): Promise<ReadonlyMap<string, LinkState>> {
    const mtu = `mtu ${String(spec.mtuBytes)}`
    const { hostName, interfaceName } = spec
    const [made, links] = await inside.session.run([
      change(
        `link add dev ${interfaceName} ${mtu} address ${spec.mac} type veth peer name ${hostName} ${mtu} ` +
          `address ${hostMac} netns /proc/${String(process.pid)}/ns/net`,
      ),
      show('addr show'),
    ])
    if (made?.ok !== true) {
      const words = (made?.error ?? 'no answer').replace(/^RTNETLINK answers: /, '')
      throw new WireError('kernel', `Interfaces ${hostName} and ${interfaceName} can't be made: ${words}.`, {
        details: { hostInterface: hostName, interface: interfaceName, kernel: words },
      })
    }
    return readLinks(links?.output)
  }

  /** The host's end just after it was made. Without addrgenmode it would get a link-local address beside fe80::1. */
  async function prepareHostEnd(spec: CheckedSpec): Promise<LinkState | undefined> {
    if (spec.addresses.ipv6.length > 0) {
      await host.run([change(`link set dev ${spec.hostName} addrgenmode none`)])
    }
    return readHostLink(spec.hostName)
  }

  async function removePair(hostName: string): Promise<void> {
    const [answer] = await host.run([change(`link del dev ${hostName}`)])
    if (answer?.ok === true || alreadyGone(answer?.error ?? '')) return
    throw new WireError(
      'kernel',
      `Interface ${hostName} can't be removed: ${answer?.error ?? 'no answer'}.`,
      {
        details: { hostInterface: hostName },
      },
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
    if (outer !== undefined && outer.kind !== 'veth') {
      refuse(
        'host-interface-taken',
        `The host has an interface ${outer.name} of kind ${outer.kind} that is not ours.`,
        `Rename or delete it: ip link delete ${outer.name}`,
        { hostInterface: outer.name, kind: outer.kind },
      )
    }
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

  async function wireInside(inside: Inside, settings: NamespaceSettings, spec: CheckedSpec): Promise<Wired> {
    const steps: Record<string, number> = {}
    let mark = clock.monotonic()
    const step = (name: string): void => {
      const now = clock.monotonic()
      steps[name] = Math.round((now - mark) * 100) / 100
      mark = now
    }
    const [outerBefore, before] = await Promise.all([readHostLink(spec.hostName), readFully(inside, spec)])
    step('read')
    const verdict = judge(spec, outerBefore, before.links.get(spec.interfaceName))
    const build = verdict !== 'keep'
    // Refusals come before anything is made; the index does not matter for them.
    if (build) checkDefault(spec, planNamespace(spec, placeholder(spec), before))
    try {
      let outer = outerBefore
      let state = before
      if (build) {
        if (verdict === 'rebuild') await removePair(spec.hostName)
        const links = await createPair(inside, spec)
        step('create')
        const [link] = await Promise.all([prepareHostEnd(spec), settings.apply(namespaceSysctls(spec))])
        outer = link
        state = { ...before, links }
        step('settings')
      }
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
      if (!build && different) await settings.apply(namespaceSysctls(spec))
      const settingsMade = writeSysctls(hostInterfaceSysctls(spec.hostName))
      await Promise.all([
        make(hostFacts, 'host', () => host),
        make(plan.facts, 'container', () => inside.session),
      ])
      await make(plan.facts, 'container-ipv6-rules', inside.ipv6)
      step('configure')
      return {
        hostInterface: { name: outer.name, mac: hostMac, index: outer.index },
        containerInterface: { name: spec.interfaceName, mac: spec.mac, mtuBytes: spec.mtuBytes },
        addresses: [
          ...spec.addresses.ipv4.map((a) => ({ address: `${a}/32`, gateway: gateways.ipv4 })),
          ...spec.addresses.ipv6.map((a) => ({ address: `${a}/128`, gateway: gateways.ipv6 })),
        ],
        routes: announcedRoutes(spec, plan.layouts),
        namespace: inside.namespace.id,
        changed: build || different || settingsMade > 0,
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

  async function inspectSettings(inside: Inside, spec: CheckedSpec): Promise<readonly WireDifference[]> {
    const paths = namespaceSysctls(spec)
      .map(({ path }) => path)
      .filter((path) => !path.endsWith('accept_dad'))
    const args = [`--net=${inside.namespace.path}`, '--', 'cat', ...paths.map((path) => `/proc/sys/${path}`)]
    const { stdout } = await exec.run('nsenter', args)
    const values = stdout.split('\n')
    return [
      ...paths.map((path, i) => ({
        field: `container.sysctl ${path}`,
        expected: '0',
        actual: values[i] ?? 'absent',
      })),
      ...hostInterfaceSysctls(spec.hostName).map(({ path, value }) => ({
        field: `host.sysctl ${path}`,
        expected: value,
        actual: readSysctl(path) ?? 'absent',
      })),
    ].filter((difference) => difference.expected !== difference.actual)
  }

  /** An error of the session or of a setting becomes one of the wiring, its words kept. */
  function asWireError(error: unknown): unknown {
    if (error instanceof WireError || !(error instanceof DroverError)) return error
    return new WireError('kernel', error.message, {
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
      details: error.details,
      cause: error,
    })
  }

  return {
    async wireWorkload(spec) {
      const clean = checked(spec)
      try {
        return await enter(spec.netns, async (inside) => {
          const settings = startNamespaceSettings(exec, inside.namespace.path)
          try {
            return await wireInside(inside, settings, clean)
          } finally {
            settings.close()
          }
        })
      } catch (error) {
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
        await enter(netns, async (inside) => {
          const state = await readNamespace(inside, false)
          // With nothing left but lo, what is left of IPv6 rules leads nowhere and dies with the namespace.
          const full = state.links.size > 1 ? await readNamespace(inside, true) : state
          const rules = orphanRules(full)
          for (const [session, isIpv6] of [
            [() => inside.session, false],
            [inside.ipv6, true],
          ] as const) {
            const lines = rules
              .filter((rule) => rule.source.includes(':') === isIpv6)
              .map((rule) => change(ruleRemovalLine(rule)))
            if (lines.length > 0) await session().run(lines)
          }
        })
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
          const [outer, state] = await Promise.all([readHostLink(clean.hostName), readFully(inside, clean)])
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
            ...(await inspectSettings(inside, clean)),
          ]
        })
      } catch (error) {
        throw asWireError(error)
      }
    },

    async listOurs() {
      const found = await readInterfaces(host, prefix)
      return found.filter((link) => link.kind === 'veth')
    },

    close: () => host.close(),
  }
}
