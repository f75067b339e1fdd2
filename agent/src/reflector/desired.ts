/** A reflector's file in the words of the speaker. */
import type { DesiredState, PeerOptions, SpeakerOptions } from '@network/bgp'
import type { Policy } from '@network/bgp/filter'
import type { PeerConfiguration, ReflectorConfiguration } from './configuration.ts'

/**
 * What can't change while it runs. A reflector is not in the path of packets, so whatever its peers have forwarded goes on
 * while it restarts: it always comes up as a restarting speaker (RFC 4724 section 4.1), and its clients keep their routes.
 */
export function speakerOptions(configuration: ReflectorConfiguration): SpeakerOptions {
  const { asNumber, routerID, clusterID, listen, maximumPaths, asPathRelax } = configuration
  const { selectionDeferralSeconds } = configuration
  return {
    asn: asNumber,
    routerId: routerID,
    listen,
    ...given({ clusterId: clusterID, maximumPaths, asPathRelax }),
    gracefulRestart: { restarting: true, ...given({ selectionDeferralSeconds }) },
  }
}

/** `passwords`: what was read for peers with a passwordFile, by their place in the list. */
export function desiredState(
  configuration: ReflectorConfiguration,
  passwords: ReadonlyMap<number, string>,
): DesiredState {
  return {
    peers: configuration.peers.map((peer, index) =>
      peerOptions(peer, configuration.filters, passwords.get(index)),
    ),
    routes: configuration.routes.map(({ prefix, ...attributes }) => ({ prefix, attributes })),
  }
}

/** Names of fields of the file that differ and that only a new start brings in force. */
export function fixedChanges(
  before: ReflectorConfiguration,
  after: ReflectorConfiguration,
): readonly (keyof ReflectorConfiguration)[] {
  const fixed = [
    'asNumber',
    'routerID',
    'clusterID',
    'listen',
    'maximumPaths',
    'asPathRelax',
    'selectionDeferralSeconds',
  ] as const
  return fixed.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
}

function peerOptions(
  peer: PeerConfiguration,
  filters: Readonly<Record<string, Policy>>,
  password: string | undefined,
): PeerOptions {
  const {
    asNumber,
    localASNumber,
    passwordFile: _passwordFile,
    import: importing,
    export: exporting,
    numAllowedLocalASNumbers,
    removePrivateAS,
    enforceFirstAS,
    limits,
    gracefulRestart,
    ...same
  } = peer
  const policyOf = (policy: string | Policy | undefined): Policy | undefined =>
    typeof policy === 'string' ? named(policy, filters[policy]) : policy
  return {
    ...same,
    asn: asNumber,
    ...given({
      localAsn: localASNumber,
      allowOwnAsn: numAllowedLocalASNumbers,
      removePrivateAs: removePrivateAS,
      enforceFirstAs: enforceFirstAS,
      prefixLimit: limits,
      gracefulRestart: gracefulRestart === true ? {} : gracefulRestart,
      import: policyOf(importing),
      export: policyOf(exporting),
      password: password ?? peer.password,
    }),
  }
}

function named(name: string, policy: Policy | undefined): Policy | undefined {
  return policy === undefined ? undefined : { name, ...policy }
}

/** The properties that are not undefined. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
