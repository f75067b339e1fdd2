import { formatAddress } from '@network/net'
import { asNumber, dotted, number, refuse, zonedAddress } from './option-values.ts'
import { type SpeakerOptions } from './options.ts'
import { type LocalSettings } from './settings.ts'
import { zoneOf } from '../network/zoned-address.ts'

/** Reads a speaker's options and fills its defaults in. Throws a SpeakerError that names the option and the remedy. */
export function resolveSpeaker(options: SpeakerOptions): LocalSettings {
  asNumber('asn', options.asn)
  const routerId = dotted('routerId', options.routerId)
  const listen = (options.listen ?? []).flatMap((text) => listenAddress(text))
  for (const [i, one] of listen.entries()) {
    const twice = listen.slice(0, i).some((other) => other.address === one.address && other.port === one.port)
    if (twice && one.port !== 0) {
      refuse(`listen names ${one.text} twice.`, 'Name each address and port once.')
    }
  }
  return {
    asn: options.asn,
    routerId,
    clusterId: options.clusterId === undefined ? routerId : dotted('clusterId', options.clusterId),
    listen,
    restarting: options.gracefulRestart?.restarting ?? false,
    selectionDeferralSeconds: number(
      'gracefulRestart.selectionDeferralSeconds',
      options.gracefulRestart?.selectionDeferralSeconds ?? 60,
      1,
      3600,
    ),
    maximumPaths: number('maximumPaths', options.maximumPaths ?? 16, 1, 256),
    asPathRelax: options.asPathRelax ?? true,
    workBudgetMs: number('workBudgetMs', options.workBudgetMs ?? 4, 0.1, 1000),
  }
}

/** '10.0.0.1:179', '[::1]:179', or ':179' for every address of both families. */
function listenAddress(text: string): readonly { address: string; port: number; text: string }[] {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65535) {
    refuse(`listen has '${text}'.`, "Write '10.0.0.1:179', '[2001:db8::1]:179' or ':179'.")
  }
  const address = match[1] ?? match[2] ?? ''
  if (address === '') {
    return [
      { address: '0.0.0.0', port, text },
      { address: '::', port, text },
    ]
  }
  const parsed = zonedAddress('listen', address)
  const zone = zoneOf(address)
  return [{ address: formatAddress(parsed) + (zone === undefined ? '' : `%${zone}`), port, text }]
}
