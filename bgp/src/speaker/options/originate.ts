import { parseAddress } from '@network/net'
import { type PathAttributes } from '../../codec/path-attributes.ts'
import { readCommunity, readLargeCommunity } from '../../filter/community-names.ts'
import { type OwnRoute } from '../../rib/rib.ts'
import { SpeakerError } from '../error.ts'
import { type OriginateAttributes } from './options.ts'

/** Reads the attributes of an own route; throws a SpeakerError that names the prefix and the value. */
export function ownRoute(prefix: string, given: OriginateAttributes = {}): OwnRoute {
  const refuse = (message: string, remedy: string): never => {
    throw new SpeakerError('invalid-options', `Route ${prefix}: ${message}.`, { remedy })
  }
  const attributes: { -readonly [K in keyof PathAttributes]: PathAttributes[K] } = {
    origin: given.origin ?? 'igp',
    asPath: [],
  }
  for (const [name, value] of [
    ['med', given.med],
    ['localPreference', given.localPreference],
  ] as const) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 0 && value <= 0xffffffff)) {
      refuse(`${name} is ${String(value)}`, 'Give a whole number from 0 to 4294967295.')
    }
  }
  if (given.med !== undefined) attributes.multiExitDisc = given.med
  if (given.localPreference !== undefined) attributes.localPref = given.localPreference
  try {
    if (given.communities !== undefined) attributes.communities = given.communities.map(readCommunity)
    if (given.largeCommunities !== undefined) {
      attributes.largeCommunities = given.largeCommunities.map(readLargeCommunity)
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    refuse(error.message.replace(/\.$/, ''), 'Correct the community.')
  }
  if (given.nextHop === undefined) return { attributes }
  const nextHop = parseAddress(given.nextHop)
  if (!nextHop.ok)
    return refuse(`the next hop '${given.nextHop}' is not an address`, 'Correct it, or leave it out.')
  return { attributes, nextHop: nextHop.value }
}
