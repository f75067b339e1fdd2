import { CniError, brief } from '../cni-error.ts'

/** What CNI_ARGS says, as far as it is known here. Texts are as the runtime gave them. */
export interface CniArgs {
  /** IP: fixed addresses, without length. */
  readonly addresses: readonly string[]
  readonly mac: string | undefined
  readonly podName: string | undefined
  readonly podNamespace: string | undefined
  readonly podUid: string | undefined
  /** NOMAD_*, without the prefix, lower case: region, namespace, job_id, group_name, alloc_id. */
  readonly nomad: Readonly<Record<string, string>>
}

const known = /^(IgnoreUnknown|IP|MAC|GATEWAY|K8S_POD_[A-Z_]+|NOMAD_[A-Z_]+|[A-Z]+_POD_[A-Z_]+)$/

/**
 * Reads `KEY=VALUE;KEY=VALUE`. A key that is not known is an error unless IgnoreUnknown is 1 or true, as with the
 * reference plugins.
 * @throws CniError environment
 */
export function readArgs(text: string): CniArgs {
  const values = new Map<string, string>()
  for (const pair of text.split(';')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    if (equals < 1) throw new CniError('environment', `CNI_ARGS has '${brief(pair)}', which is no KEY=VALUE.`)
    values.set(pair.slice(0, equals), pair.slice(equals + 1))
  }
  const ignores = /^(1|t|true)$/i.test(values.get('IgnoreUnknown') ?? '')
  const unknown = ignores ? undefined : [...values.keys()].find((key) => !known.test(key))
  if (unknown !== undefined) {
    throw new CniError(
      'environment',
      `CNI_ARGS has the key '${brief(unknown)}', which is not known.`,
      'Leave it out, or add IgnoreUnknown=1.',
    )
  }
  const given = (key: string): string | undefined => {
    const value = values.get(key)
    return value === undefined || value === '' ? undefined : value
  }
  return {
    addresses: (given('IP') ?? '')
      .split(',')
      .map((address) => address.trim().replace(/\/\d{1,3}$/, ''))
      .filter((address) => address !== ''),
    mac: given('MAC'),
    podName: given('K8S_POD_NAME'),
    podNamespace: given('K8S_POD_NAMESPACE'),
    podUid: given('K8S_POD_UID'),
    nomad: Object.fromEntries(
      [...values]
        .filter(([key, value]) => key.startsWith('NOMAD_') && value !== '')
        .map(([key, value]) => [key.slice(6).toLowerCase(), value]),
    ),
  }
}
