import { namedPort } from '../formats.ts'
import { integer, list, object, oneOf, required, type Schema, text, union } from '../schema.ts'
import { type Protocol } from './rule.ts'

/** A port under a name, on an endpoint of either kind. */
export interface EndpointPort {
  name: string
  protocol: Protocol
  port: number
}

export const endpointPorts: Schema<EndpointPort[]> = list(
  object<EndpointPort>({
    name: required(text(namedPort), 'Name that rules use.'),
    protocol: required(
      union<Protocol>('TCP, UDP, SCTP, UDPLite or a protocol number', [
        oneOf(['TCP', 'UDP', 'SCTP', 'UDPLite']),
        integer(1, 255),
      ]),
      'Protocol of the port.',
    ),
    port: required(integer(1, 65535), 'Number of the port.'),
  }),
  { max: 256 },
)
