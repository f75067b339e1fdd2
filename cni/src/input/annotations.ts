/** What a pod's annotations ask for. Ours begin with `drover.network/`; Calico's mean the same. Pure. */
import { CniError } from '../cni-error.ts'
import { asLabels, asTexts, parseJson } from '../json.ts'

export interface Wishes {
  /** Fixed addresses, without length. */
  readonly addresses: readonly string[]
  /** Addresses that nobody assigns. */
  readonly unassigned: readonly string[]
  readonly ipv4Pools: readonly string[] | undefined
  readonly ipv6Pools: readonly string[] | undefined
  readonly mac: string | undefined
  readonly reservation: string | undefined
  readonly profiles: readonly string[] | undefined
  readonly labels: Readonly<Record<string, string>>
}

/** @throws CniError decode that names the annotation */
export function readAnnotations(annotations: Readonly<Record<string, string>>): Wishes {
  const text = (...names: readonly string[]): { name: string; value: string } | undefined => {
    const name = names.find((each) => (annotations[each] ?? '') !== '')
    return name === undefined ? undefined : { name, value: annotations[name] ?? '' }
  }
  const list = (...names: readonly string[]): readonly string[] | undefined => {
    const found = text(...names)
    return found === undefined
      ? undefined
      : asTexts(parseJson(found.value, place(found.name)), place(found.name))
  }
  const labels = text('drover.network/labels')
  const addresses = list('drover.network/ipAddrs', 'cni.projectcalico.org/ipAddrs') ?? []
  const unassigned = list('drover.network/ipAddrsUnassigned', 'cni.projectcalico.org/ipAddrsNoIpam') ?? []
  if (addresses.length > 0 && unassigned.length > 0) {
    throw new CniError(
      'configuration',
      'The annotations ipAddrs and ipAddrsNoIpam are both set: only one can be meant.',
    )
  }
  return {
    addresses,
    unassigned,
    ipv4Pools: list('drover.network/ipv4Pools', 'cni.projectcalico.org/ipv4pools'),
    ipv6Pools: list('drover.network/ipv6Pools', 'cni.projectcalico.org/ipv6pools'),
    mac: text('drover.network/mac', 'cni.projectcalico.org/hwAddr')?.value,
    reservation: text('drover.network/reservation')?.value,
    profiles: list('drover.network/profiles'),
    labels:
      labels === undefined ? {} : asLabels(parseJson(labels.value, place(labels.name)), place(labels.name)),
  }
}

function place(name: string): string {
  return `the annotation ${name}`
}
