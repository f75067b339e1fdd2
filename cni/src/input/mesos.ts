import { type JsonRecord, asArray, asKeyValues, asRecord } from '../json.ts'
import { type PortMapping, readPortMapping } from './capabilities.ts'

/** Mesos' NetworkInfo: labels are policy's, port mappings the agent's. */
export function mesosOf(args: JsonRecord): {
  present: boolean
  labels: Readonly<Record<string, string>>
  portMappings: readonly PortMapping[]
} {
  const mesos = args['org.apache.mesos']
  if (mesos === undefined || mesos === null) return { present: false, labels: {}, portMappings: [] }
  const at = 'args.org.apache.mesos'
  const info = asRecord(asRecord(mesos, at)['network_info'] ?? {}, `${at}.network_info`)
  const labels = info['labels'] === undefined ? {} : asRecord(info['labels'], `${at}.network_info.labels`)
  return {
    present: true,
    labels: asKeyValues(labels['labels'], `${at}.network_info.labels.labels`),
    portMappings: asArray(info['port_mappings'], `${at}.network_info.port_mappings`).flatMap(
      (each, index) => {
        const place = `${at}.network_info.port_mappings[${String(index)}]`
        const record = asRecord(each, place)
        return readPortMapping(
          {
            hostPort: record['host_port'] ?? null,
            containerPort: record['container_port'] ?? null,
            protocol: record['protocol'] ?? null,
          },
          place,
        )
      },
    ),
  }
}
