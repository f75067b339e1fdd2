/** Numbers of linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h and linux/fib_rules.h that we speak of. */

export const MessageType = {
  noop: 1,
  error: 2,
  done: 3,
  overrun: 4,
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  setLink: 19,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
  newRule: 32,
  deleteRule: 33,
  getRule: 34,
} as const

export const MessageFlag = {
  request: 0x1,
  multipart: 0x2,
  acknowledge: 0x4,
  /** The answer to a dump is of more than one state of the kernel. */
  dumpInterrupted: 0x10,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  /** In an error: the request was left out after its header. */
  capped: 0x100,
  /** In an error: attributes follow. */
  attributes: 0x200,
} as const

export const AddressFamily = { unspecified: 0, ipv4: 2, ipv6: 10 } as const

export const LinkFlag = { up: 0x1 } as const

export const LinkAttribute = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  info: 18,
  familySpecific: 26,
  group: 27,
  namespaceFile: 28,
  extendedMask: 29,
  linkNamespace: 37,
} as const

/** IFLA_INFO_KIND and IFLA_INFO_DATA; in the data of a veth, VETH_INFO_PEER. */
export const LinkInfo = { kind: 1, data: 2, vethPeer: 1 } as const

/** IFLA_INET6_ADDR_GEN_MODE and its value IN6_ADDR_GEN_MODE_NONE. */
export const Inet6Attribute = { addressGeneration: 8, noAddress: 1 } as const

/** IFLA_INET_CONF */
export const Inet4Attribute = { settings: 1 } as const

/** IPV4_DEVCONF_* of linux/ip.h by the names that sysctl has for them below net.ipv4.conf. */
export const ipv4Settings = {
  forwarding: 1,
  proxy_arp: 3,
  accept_redirects: 4,
  send_redirects: 6,
  rp_filter: 8,
  route_localnet: 26,
} as const
export type Ipv4Setting = keyof typeof ipv4Settings

/** RTEXT_FILTER_SKIP_STATS: a link without its counters. */
export const skipStatistics = 8

export const AddressAttribute = { address: 1, local: 2, flags: 8 } as const

/** IFA_F_NODAD */
export const AddressFlag = { noDuplicateDetection: 0x2 } as const

export const RouteAttribute = {
  destination: 1,
  device: 4,
  gateway: 5,
  priority: 6,
  preferredSource: 7,
  table: 15,
} as const

/** RTNH_F_ONLINK and RTM_F_CLONED. */
export const RouteFlag = { onLink: 0x4, cloned: 0x200 } as const

export const RouteType = { unspecified: 0, unicast: 1 } as const

export const Scope = { universe: 0, link: 253, host: 254, nowhere: 255 } as const

export const Table = { unspecified: 0, main: 254 } as const

export const RuleAttribute = { destination: 1, source: 2, priority: 6, table: 15, protocol: 21 } as const

/** FR_ACT_TO_TBL */
export const RuleAction = { any: 0, toTable: 1 } as const

/** NLMSGERR_ATTR_MSG and NLMSGERR_ATTR_OFFS. */
export const ErrorAttribute = { text: 1, offset: 2 } as const
