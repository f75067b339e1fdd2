import { defineKind } from '../kind.ts'
import { boolean, object, optional, string, withDefault } from '../schema.ts'

export interface ClusterInformationSpec {
  clusterID?: string
  version?: string
  /** False makes every agent refuse to attach. */
  datastoreReady: boolean
}

export const clusterInformation = defineKind<ClusterInformationSpec>()({
  kind: 'ClusterInformation',
  plural: 'clusterinformations',
  aliases: ['clusterinformation', 'clusterinfo'],
  description: 'What the cluster is, and whether its data is ready to be used.',
  names: 'default',
  immutable: ['clusterID'],
  spec: object<ClusterInformationSpec>({
    clusterID: optional(string({ minLength: 1, maxLength: 64 }), 'Made once. Cannot change.'),
    version: optional(string({ maxLength: 64 }), 'Version that last wrote the data.'),
    datastoreReady: withDefault(boolean(), true, 'False: agents attach and change nothing until it is true.'),
  }),
})
