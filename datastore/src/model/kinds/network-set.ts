import { prefixOrAddress } from '../formats.ts'
import { defineKind } from '../kind.ts'
import { list, object, text, withDefault } from '../schema.ts'

/** Networks outside the cluster under labels, which the selectors of rules find as they find endpoints. */
export interface NetworkSetSpec {
  nets: string[]
}

/** As many as one value of etcd's holds (1.5 MB) with room for the longest prefixes. */
const NETS_LIMIT = 25_000

const fields = {
  nets: withDefault(
    list(text(prefixOrAddress), { max: NETS_LIMIT }),
    [],
    'Networks and addresses that its labels stand for.',
  ),
}

export type GlobalNetworkSetSpec = NetworkSetSpec

export const globalNetworkSet = defineKind<GlobalNetworkSetSpec>()({
  kind: 'GlobalNetworkSet',
  plural: 'globalnetworksets',
  aliases: ['globalnetworkset', 'gns'],
  description: 'Networks under labels, which rules of every namespace find by selector.',
  spec: object<GlobalNetworkSetSpec>(fields),
})

export const networkSet = defineKind<NetworkSetSpec>()({
  kind: 'NetworkSet',
  plural: 'networksets',
  aliases: ['networkset', 'netset', 'netsets'],
  namespaced: true,
  description: 'Networks under labels, which rules of its namespace find by selector.',
  spec: object<NetworkSetSpec>(fields),
})
