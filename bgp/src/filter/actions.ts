import { addressToBytes, parseAddress } from '@network/net'
import { prependAs } from '../codec/as-path.ts'
import { type PathAttributes } from '../codec/path-attributes.ts'
import {
  readCommunity,
  readCommunityPattern,
  readLargeCommunity,
  readLargeCommunityPattern,
} from './community-names.ts'
import { sameLarge } from './conditions.ts'
import { type PolicyActions } from './policy.ts'

/** What the actions make of attributes; next hop and priority are not among the attributes. */
export function applyActions(attributes: PathAttributes, actions: PolicyActions): PathAttributes {
  const communities = changed(
    attributes.communities,
    actions.removeCommunities?.map(readCommunityPattern),
    actions.addCommunities?.map(readCommunity),
    (a, b) => a === b,
  )
  const largeCommunities = changed(
    attributes.largeCommunities,
    actions.removeLargeCommunities?.map(readLargeCommunityPattern),
    actions.addLargeCommunities?.map(readLargeCommunity),
    sameLarge,
  )
  const asPath = actions.prependAsPath?.reduceRight(
    (path, asn) => prependAs(path, asn),
    attributes.asPath ?? [],
  )
  return {
    ...attributes,
    ...(actions.localPreference === undefined ? {} : { localPref: actions.localPreference }),
    ...(actions.med === undefined ? {} : { multiExitDisc: actions.med }),
    ...(asPath === undefined ? {} : { asPath }),
    ...(communities === undefined ? {} : { communities }),
    ...(largeCommunities === undefined ? {} : { largeCommunities }),
  }
}

/** The next hop that the actions set: 4 or 16 octets, 'self', or undefined if they leave it alone. */
export function actionNextHop(actions: PolicyActions | undefined): Uint8Array | 'self' | undefined {
  if (actions?.nextHop === undefined || actions.nextHop === 'self') return actions?.nextHop
  const parsed = parseAddress(actions.nextHop)
  if (!parsed.ok)
    throw new TypeError(`'${actions.nextHop}' is not a next hop: write an address, or 'self' on export.`)
  return addressToBytes(parsed.value)
}

/** The list less what fits a pattern, plus what isn't in it; undefined if nothing was asked for. */
function changed<T>(
  list: readonly T[] | undefined,
  remove: readonly ((entry: T) => boolean)[] | undefined,
  add: readonly T[] | undefined,
  same: (a: T, b: T) => boolean,
): readonly T[] | undefined {
  if (remove === undefined && add === undefined) return undefined
  const kept = (list ?? []).filter((entry) => remove?.some((fits) => fits(entry)) !== true)
  for (const entry of add ?? []) if (!kept.some((other) => same(entry, other))) kept.push(entry)
  return kept
}
