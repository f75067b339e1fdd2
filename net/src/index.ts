/**
 * Addresses, prefixes, tries and MAC addresses as integers; the shapes that every package shares. Pure. Parsing
 * answers a `Result` whose fault names the place; `address()` and `prefix()` throw and are for literals.
 */
export {
  type Address,
  address,
  addressAdd,
  addressBit,
  addressBits,
  addressEquals,
  addressFromBigInt,
  addressFromBytes,
  addressToBigInt,
  addressToBytes,
  compareAddresses,
  describeSyntaxFault,
  type Family,
  formatAddress,
  formatIpv4Word,
  ipv4,
  ipv6,
  parseAddress,
  type SyntaxFault,
} from './address.ts'
export {
  addressAt,
  comparePrefixes,
  formatPrefix,
  hostPrefix,
  hostPrefixText,
  type InterfaceAddress,
  maskAddress,
  ordinalOf,
  parseInterfaceAddress,
  parsePrefix,
  type Prefix,
  prefix,
  prefixContains,
  prefixCovers,
  prefixEquals,
  prefixesOverlap,
  prefixFamily,
  prefixOf,
  prefixSize,
  subprefixAt,
  subprefixCount,
} from './prefix.ts'
export { PrefixTrie } from './trie.ts'
export { PrefixSet } from './prefix-set.ts'
export {
  formatMac,
  interfaceIdentifier,
  isLocallyAdministeredMac,
  isMulticastMac,
  localMac,
  type Mac,
  macFromBytes,
  macToBytes,
  parseMac,
} from './mac.ts'
export { type AddressClass, classifyAddress, isUsableAddress } from './classify.ts'
export { DroverError, type DroverErrorOptions, failure, type Result, success } from './result.ts'
export { type Clock, type Log, type Timer } from './modules.ts'
