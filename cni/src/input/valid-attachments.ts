import { CniError } from '../cni-error.ts'
import { asArray, asRecord, asText, parseJson } from '../json.ts'
import { isSince, readVersion } from '../result/versions.ts'

/** GC's list of what still stands. @throws CniError decode */
export function readValidAttachments(stdin: string): {
  readonly name: string
  readonly attachments: readonly { containerId: string; ifname: string }[]
} {
  const raw = asRecord(
    parseJson(stdin, 'The network configuration on standard input'),
    'The network configuration',
  )
  const version = readVersion(raw['cniVersion'])
  if (!isSince(version, '1.1.0')) {
    throw new CniError(
      'incompatibleVersion',
      `GC is of version 1.1.0, and the configuration's is ${version}.`,
    )
  }
  const place = 'cni.dev/valid-attachments'
  const list = raw[place] ?? raw['cni.dev/attachments']
  if (list === undefined) {
    throw new CniError(
      'configuration',
      `${place} is missing: without it everything would be taken for garbage.`,
    )
  }
  return {
    name: asText(raw['name'], 'name') ?? '',
    attachments: asArray(list, place).map((each, index) => {
      const record = asRecord(each, `${place}[${String(index)}]`)
      return {
        containerId: asText(record['containerID'], `${place}[${String(index)}].containerID`) ?? '',
        ifname: asText(record['ifname'], `${place}[${String(index)}].ifname`) ?? '',
      }
    }),
  }
}
