import { type AgentSettings, DNS_PORT, splitAddressAndPort } from '@network/datastore/model'
import type { Failsafe, RenderOptions } from '@network/policy'

const protocols: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 }

/** 'tcp:22' or 'udp:53@10.0.0.0/8', checked when it was set. */
function failsafeOf(text: string): Failsafe[] {
  const [, protocol = '', port, net] = /^(tcp|udp|sctp):(\d+)(?:@(.+))?$/.exec(text) ?? []
  const number = protocols[protocol]
  if (number === undefined || port === undefined) return []
  return [{ protocol: number, port: Number(port), ...(net === undefined ? {} : { net }) }]
}

/** What the agent's settings mean for rendering. */
export function renderOptionsOf(settings: AgentSettings): RenderOptions {
  const [from, to = from] =
    settings.natPortRange === 'none' ? [] : settings.natPortRange.split(/[:-]/).map(Number)
  const address = settings.natOutgoingAddress
  return {
    interfacePrefix: settings.interfacePrefix,
    markMask: Number(settings.iptablesMarkMask),
    failsafeInbound: settings.failsafeInbound.flatMap(failsafeOf),
    failsafeOutbound: settings.failsafeOutbound.flatMap(failsafeOf),
    endpointToHostAction: settings.endpointToHostAction,
    resolvers: settings.dnsListen.flatMap((text) => {
      const listens = splitAddressAndPort(text)
      return listens.ok ? [{ address: listens.value.address, port: listens.value.port ?? DNS_PORT }] : []
    }),
    natPortRange: from === undefined || to === undefined ? undefined : { from, to },
    natOutgoingAddress:
      address === 'none' ? {} : address.includes(':') ? { ipv6: address } : { ipv4: address },
    denyLogGroup: settings.denyLogGroup === 0 ? undefined : settings.denyLogGroup,
  }
}
