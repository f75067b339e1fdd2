import { type Family } from '@network/net'
import { type AfiSafi, ipv4Unicast, ipv6Unicast } from '../codec/iana.ts'

export function familyOf(afiSafi: AfiSafi): Family {
  return afiSafi === ipv4Unicast ? 'ipv4' : 'ipv6'
}

export function afiSafiOf(family: Family): AfiSafi {
  return family === 'ipv4' ? ipv4Unicast : ipv6Unicast
}
