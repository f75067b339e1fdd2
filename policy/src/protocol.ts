const NUMBERS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
}

/** The number of a protocol in IANA's registry; undefined for a word that names none. */
export function protocolNumber(protocol: string | number): number | undefined {
  return typeof protocol === 'number' ? protocol : NUMBERS[protocol.toLowerCase()]
}
