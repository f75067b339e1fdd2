/** Nameservers as a host's resolv.conf lists them. */
import { DNS_PORT, splitAddressAndPort } from '@network/datastore/model'

export interface Server {
  /** '192.0.2.53', 'fe80::1%eth0' */
  readonly address: string
  readonly port: number
}

/** 'ADDRESS' or 'ADDRESS:PORT', as settings have it. */
export function serverOf(text: string): Server | undefined {
  const split = splitAddressAndPort(text)
  return split.ok ? { address: split.value.address, port: split.value.port ?? DNS_PORT } : undefined
}

/** The `nameserver` lines of resolv.conf(5); what else it says, and what is no address, is passed over. */
export function nameserversOf(text: string): readonly Server[] {
  return text.split('\n').flatMap((line) => {
    const [, address = '', zone = ''] =
      /^\s*nameserver\s+([0-9a-fA-F.:]+)(%[\w.-]{1,15})?\s*$/.exec(line) ?? []
    const server = address === '' ? undefined : serverOf(address.includes(':') ? `[${address}]` : address)
    return server === undefined ? [] : [{ ...server, address: `${server.address}${zone}` }]
  })
}
