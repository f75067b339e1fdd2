import t from 'tap'
import { prefix as parse } from '@network/net'
import { Community, Role } from '../../src/codec/iana.ts'
import { type PathAttributes } from '../../src/codec/path-attributes.ts'
import { accept, firstOf, reject } from '../../src/filter/combinators.ts'
import { createRib } from '../../src/rib/create-rib.ts'
import { type RibPeer } from '../../src/rib/peer.ts'
import { FarEnd, octets, ownAsn, routerId, settle } from './far-end.ts'

interface Case {
  readonly name: string
  /** AS of the peer; default: our own. */
  readonly asn?: number
  readonly peer?: Partial<RibPeer>
  readonly nextHop?: string
  readonly attributes?: PathAttributes
  /** What must be told of a refusal; absent: the path is accepted. */
  readonly refused?: RegExp
  /** Attributes that the accepted path must have. */
  readonly becomes?: PathAttributes
}

const path = (...asns: number[]): PathAttributes => ({ asPath: [{ type: 'sequence', asns }] })

const cases: readonly Case[] = [
  { name: 'an external path is accepted', asn: 65001, attributes: path(65001) },
  { name: 'an AS loop', asn: 65001, attributes: path(65001, ownAsn), refused: /our AS 64512 is 1×/ },
  {
    name: 'an AS loop that is allowed',
    asn: 65001,
    peer: { allowOwnAsn: 1 },
    attributes: path(65001, ownAsn),
  },
  {
    name: 'one more AS loop than is allowed',
    asn: 65001,
    peer: { allowOwnAsn: 1 },
    attributes: path(65001, ownAsn, 65001, ownAsn),
    refused: /2×.*1× is allowed/,
  },
  {
    name: 'a loop through the AS that we are to the peer',
    asn: 65001,
    peer: { localAsn: 65099 },
    attributes: path(65001, 65099),
    refused: /our AS 65099/,
  },
  {
    name: 'an AS loop in a set',
    asn: 65001,
    attributes: {
      asPath: [
        { type: 'sequence', asns: [65001] },
        { type: 'set', asns: [7, ownAsn] },
      ],
    },
    refused: /our AS 64512/,
  },
  { name: 'a next hop of our own', nextHop: '192.0.2.254', refused: /192\.0\.2\.254 is our own/ },
  {
    name: 'our own ORIGINATOR_ID',
    attributes: { originatorId: routerId('10.254.0.1') },
    refused: /ORIGINATOR_ID is our own/,
  },
  {
    name: 'our cluster id',
    attributes: { clusterList: [1, routerId('10.254.0.9')] },
    refused: /cluster id 10\.254\.0\.9/,
  },
  {
    name: "a path that doesn't begin with the peer's AS",
    asn: 65001,
    peer: { enforceFirstAs: true },
    attributes: path(65002),
    refused: /does not begin/,
  },
  {
    name: 'RFC 8212: no policy',
    asn: 65001,
    peer: { requirePolicy: true },
    refused: /RFC 8212/,
  },
  { name: 'RFC 8212: a policy', asn: 65001, peer: { requirePolicy: true, import: accept } },
  { name: 'RFC 8212 is about external peers', peer: { requirePolicy: true } },
  {
    name: 'RFC 9234: OTC from a customer',
    asn: 65001,
    peer: { role: Role.provider },
    attributes: { onlyToCustomer: 7 },
    refused: /OTC 7 comes from a customer/,
  },
  {
    name: 'RFC 9234: OTC of another AS from a lateral peer',
    asn: 65001,
    peer: { role: Role.peer },
    attributes: { onlyToCustomer: 7 },
    refused: /OTC 7 is not the peer's AS/,
  },
  {
    name: "RFC 9234: the lateral peer's own OTC",
    asn: 65001,
    peer: { role: Role.peer },
    attributes: { onlyToCustomer: 65001 },
    becomes: { onlyToCustomer: 65001 },
  },
  {
    name: 'RFC 9234: from a provider, OTC is added',
    asn: 65001,
    peer: { role: Role.customer },
    becomes: { onlyToCustomer: 65001 },
  },
  {
    name: 'RFC 8326: GRACEFUL_SHUTDOWN lowers the preference',
    asn: 65001,
    attributes: { communities: [Community.gracefulShutdown] },
    becomes: { localPref: 0 },
  },
  {
    name: 'RFC 8326 turned off',
    asn: 65001,
    peer: { honourGracefulShutdown: false },
    attributes: { communities: [Community.gracefulShutdown] },
    becomes: { communities: [Community.gracefulShutdown] },
  },
  {
    name: 'local-as before the path',
    asn: 65001,
    peer: { localAsn: 65099, localAsnOnImport: true },
    becomes: path(65099, 65001),
  },
  {
    name: 'a policy that changes',
    peer: { import: accept.set({ localPreference: 7, addCommunities: ['1:2'], prependAsPath: [65009] }) },
    becomes: { localPref: 7, communities: [0x10002], ...path(65009) },
  },
  {
    name: 'a policy that refuses by prefix',
    peer: { import: firstOf(reject.within('10.0.0.0/8'), accept) },
    refused: /rule 1 of the policy refuses it/,
  },
  {
    name: 'a policy function that throws',
    peer: {
      import: () => {
        throw new Error('oops')
      },
    },
    refused: /the policy function 'import', which threw 'Error: oops'/,
  },
]

for (const { name, asn, peer, nextHop, attributes, refused, becomes } of cases) {
  t.test(name, (t) => {
    const rib = createRib(
      { asn: ownAsn, routerId: routerId('10.254.0.1'), clusterId: routerId('10.254.0.9') },
      { isOwnAddress: (address) => octets('192.0.2.254').every((octet, i) => address[i] === octet) },
    )
    const far = new FarEnd(rib, { address: '192.0.2.1', ...(asn === undefined ? {} : { asn }) }, peer).up()
    far.announce({ prefixes: ['10.1.0.0/16'], nextHop: nextHop ?? '192.0.2.1', attributes: attributes ?? {} })
    settle(rib)
    const [explained] = rib.explain(parse('10.1.0.0/16'))
    if (refused === undefined) {
      t.equal(explained?.decidedBy, 'best')
      t.match(explained?.attributes, becomes ?? {})
    } else {
      t.equal(explained?.decidedBy, 'refused')
      t.match(explained?.why, refused)
      t.equal(rib.bestReader(0x0101).take().length, 0)
    }
    t.end()
  })
}
