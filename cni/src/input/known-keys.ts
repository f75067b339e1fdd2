/**
 * The keys that a network configuration may have: ours, the specification's own, and those of Calico's plugin that mean
 * the same or that an agent makes needless. A key that nobody knows is an error, since a mistyped `ipv4Pool` would
 * otherwise give the wrong address without a word. Pure.
 */
import { CniError, brief } from '../cni-error.ts'
import type { JsonRecord } from '../json.ts'

const words = (text: string): readonly string[] => text.trim().split(/\s+/)

const ofSpecification = words(`
  cniVersion cniVersions name type ipam dns capabilities runtimeConfig args prevResult ipMasq disableCheck disableGC
`)
const ofOurs = words(`
  network ipv4Pools ipv6Pools subnet assignIPv4 assignIPv6 mtu profile profiles labels defaultRoute keepAddresses
  allowUnassignedAddresses
`)
/** What the agent knows itself, or what has no meaning here. */
const needless = words(`
  num_queues nodename nodename_file nodename_file_optional datastore_type etcd_endpoints etcd_discovery_srv
  etcd_key_file etcd_cert_file etcd_ca_cert_file etcd_authority etcd_scheme hostname log_level log_file_path
  log_file_max_size log_file_max_age log_file_max_count ipam_lock_file policy kubernetes feature_control
  container_settings include_default_routes dataplane_options device_type readiness_gates
  policy_setup_timeout_seconds endpoint_status_dir require_mtu_file windows_use_single_network
`)
const ofIpam = words(`
  type ipv4Pools ipv6Pools ipv4_pools ipv6_pools subnet assignIPv4 assignIPv6 assign_ipv4 assign_ipv6
`)

/** By where they stand: in the plugin's configuration, in its `ipam`, in the `ipam` that `drover-ipam` is given. */
export const knownKeys = {
  plugin: [...ofSpecification, ...ofOurs, ...needless],
  ipam: ofIpam,
  ipamPlugin: [...ofIpam, ...words('network profile profiles labels keepAddresses')],
} as const

/** Keys of others' names (`cni.dev/…`) pass. @throws CniError unsupportedField */
export function refuseUnknown(record: JsonRecord, names: readonly string[], prefix: string): void {
  const unknown = Object.keys(record).find((key) => !names.includes(key) && !key.includes('/'))
  if (unknown === undefined) return
  const near = names.find((name) => plain(name) === plain(unknown))
  throw new CniError(
    'unsupportedField',
    `${prefix}${brief(unknown)} is ${brief(JSON.stringify(record[unknown]))}, and no such key is known.`,
    near === undefined ? 'Leave it out.' : `It is written ${prefix}${near}.`,
  )
}

/** How a key sounds: `ipv4_pool` like `ipv4Pools`. */
function plain(key: string): string {
  return key.toLowerCase().replaceAll(/[_-]/g, '').replace(/s$/, '')
}
