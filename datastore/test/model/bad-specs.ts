import { type KindName } from '../../src/model/index.ts'

/** kind, spec, then every fault in order: path and the rest of its message. */
export const badSpecs: readonly (readonly [
  KindName,
  unknown,
  readonly (readonly [path: string, message: string])[],
])[] = [
  ['IPPool', {}, [['spec.cidr', 'missing; expected a prefix such as 10.0.0.0/16 or fd00:10::/64']]],
  ['IPPool', null, [['spec.cidr', 'missing; expected a prefix such as 10.0.0.0/16 or fd00:10::/64']]],
  [
    'IPPool',
    [],
    [
      [
        'spec',
        '[]; expected a map with the fields cidr, blockSize, natOutgoing, disabled, disableBGPExport, nodeSelector, assignmentMode',
      ],
    ],
  ],
  [
    'IPPool',
    { cidr: '10.0.0.1/16' },
    [
      [
        'spec.cidr',
        "'10.0.0.1/16': it has host bits set, the network is 10.0.0.0/16; expected a prefix such as 10.0.0.0/16 or fd00:10::/64",
      ],
    ],
  ],
  [
    'IPPool',
    { cidr: '10.0.0.0/16', natOutgoin: true, blocksize: 26, colour: 'blue' },
    [
      ['spec.natOutgoin', "unknown field, did you mean 'natOutgoing'?; expected 'natOutgoing'"],
      ['spec.blocksize', "unknown field, did you mean 'blockSize'?; expected 'blockSize'"],
      [
        'spec.colour',
        'unknown field; expected one of cidr, blockSize, natOutgoing, disabled, disableBGPExport, nodeSelector, assignmentMode',
      ],
    ],
  ],
  [
    'IPPool',
    { cidr: '10.0.0.0/16', natOutgoing: 'yes' },
    [['spec.natOutgoing', "'yes'; expected true or false"]],
  ],
  [
    'IPPool',
    { cidr: '10.0.0.0/16', blockSize: 19 },
    [['spec.blockSize', '19; expected a length from 20 to 32 for IPv4']],
  ],
  [
    'IPPool',
    { cidr: '10.0.0.0/16', blockSize: 26.5 },
    [['spec.blockSize', '26.5; expected a whole number from 0 to 128']],
  ],
  [
    'IPPool',
    { cidr: 'fd00::/64', blockSize: 26 },
    [['spec.blockSize', '26; expected a length from 116 to 128 for IPv6']],
  ],
  [
    'IPPool',
    { cidr: '10.0.0.0/27' },
    [
      [
        'spec.blockSize',
        "26: a block of /26 is bigger than the pool 10.0.0.0/27 (it is the default: set blockSize); expected a length of at least 27, the pool's own",
      ],
    ],
  ],
  [
    'IPPool',
    { cidr: '169.254.0.0/20' },
    [
      [
        'spec.cidr',
        "'169.254.0.0/20': it overlaps link-local addresses, which never leave a link; expected a range outside 169.254.0.0/16 and fe80::/10",
      ],
    ],
  ],
  [
    'IPPool',
    { cidr: 'fe00::/7' },
    [
      [
        'spec.cidr',
        "'fe00::/7': it overlaps link-local addresses, which never leave a link; expected a range outside 169.254.0.0/16 and fe80::/10",
      ],
      ['spec.cidr', "'fe00::/7': it overlaps multicast addresses; expected a range of unicast addresses"],
    ],
  ],
  [
    'IPPool',
    { cidr: '10.0.0.0/16', nodeSelector: 'rack = "a"' },
    [
      [
        'spec.nodeSelector',
        `'rack = "a"': '=' has no meaning here, '==' was meant (at column 6); expected a selector such as rack == 'a' && has(role)`,
      ],
    ],
  ],
  [
    'IPPool',
    { cidr: '10.0.0.0/16', assignmentMode: 'manual' },
    [['spec.assignmentMode', "'manual': did you mean 'Manual'?; expected Automatic or Manual"]],
  ],
  [
    'IPReservation',
    { reservedCIDRs: ['10.0.0.1', '10.0.0.1/32', 'x'] },
    [
      [
        'spec.reservedCIDRs[2]',
        "'x': 'x' where a decimal octet was expected; expected a prefix such as 10.0.0.0/16, or an address",
      ],
      ['spec.reservedCIDRs[1]', "'10.0.0.1/32': it is the same as item [0]; expected each item once"],
    ],
  ],
  [
    'IPAMConfiguration',
    { autoAllocateBlocks: false },
    [
      [
        'spec.autoAllocateBlocks',
        "false: nodes that may not claim blocks would live on single addresses borrowed from others'; expected true, or strictAffinity true",
      ],
    ],
  ],
  [
    'IPAMConfiguration',
    { maxBlocksPerHost: 4 },
    [
      [
        'spec.maxBlocksPerHost',
        '4: past the limit a node would borrow single addresses, each a route of its own; expected 0, or strictAffinity true',
      ],
    ],
  ],
  [
    'IPAMConfiguration',
    { ipCooldownSeconds: 1201 },
    [['spec.ipCooldownSeconds', '1201; expected a whole number from 0 to 1200']],
  ],
  [
    'Node',
    { bgp: { asNumber: 0, ipv4Address: 'fd00::1/64' } },
    [
      ['spec.bgp.asNumber', '0; expected an AS number from 1 to 4294967295'],
      [
        'spec.bgp.ipv4Address',
        "'fd00::1/64': it is of the other family; expected an IPv4 address with its network's length, such as 192.168.1.10/24",
      ],
    ],
  ],
  [
    'BGPConfiguration',
    { holdTime: '2s', keepaliveTime: 'soon', listenPort: 0 },
    [
      ['spec.listenPort', '0; expected a whole number from 1 to 65535'],
      [
        'spec.holdTime',
        "'2s': 2s is out of range; expected 0 or a duration from 3s to 65535s, such as 90s or 1m30s",
      ],
      [
        'spec.keepaliveTime',
        "'soon': 'soon' is not a duration; expected 0 or a duration from 1s to 21845s, such as 90s or 1m30s",
      ],
    ],
  ],
  [
    'BGPConfiguration',
    { prefixAdvertisements: [{ cidr: '10.0.0.0/8', communities: ['64512:1', 'gold', '1:70000'] }] },
    [
      [
        'spec.prefixAdvertisements[0].communities[1]',
        "'gold'; expected a community aa:nn (each up to 65535) or a large community aa:nn:mm (each up to 4294967295), or a name from spec.communities",
      ],
      [
        'spec.prefixAdvertisements[0].communities[2]',
        "'1:70000'; expected a community aa:nn (each up to 65535) or a large community aa:nn:mm (each up to 4294967295), or a name from spec.communities",
      ],
    ],
  ],
  [
    'BGPPeer',
    { node: 'n1', nodeSelector: 'all()', peerIP: '10.0.0.1', asNumber: 65001 },
    [['spec.nodeSelector', "'all()'; expected either node or nodeSelector, not both"]],
  ],
  [
    'BGPPeer',
    {},
    [['spec.peerIP', 'missing: there is none; expected exactly one of peerIP, peerSelector and interface']],
  ],
  [
    'BGPPeer',
    { peerIP: '10.0.0.1', interface: 'eth0', asNumber: 'external' },
    [
      [
        'spec.interface',
        "'eth0': there are peerIP and interface; expected exactly one of peerIP, peerSelector and interface",
      ],
    ],
  ],
  [
    'BGPPeer',
    { peerIP: '10.0.0.1' },
    [['spec.asNumber', "missing; expected the peer's AS number, 'internal' or 'external'"]],
  ],
  [
    'BGPPeer',
    { interface: 'eth0', asNumber: 'ebgp' },
    [['spec.asNumber', "'ebgp'; expected an AS number, 'internal' or 'external'"]],
  ],
  [
    'BGPPeer',
    { peerSelector: 'has(rr)', asNumber: 1 },
    [['spec.asNumber', '1: each selected node has its own; expected no asNumber with peerSelector']],
  ],
  [
    'BGPPeer',
    { peerIP: '10.0.0.1:99999', asNumber: 65001 },
    [
      [
        'spec.peerIP',
        "'10.0.0.1:99999': '99999' is not a port from 1 to 65535; expected an address with an optional port, such as 10.0.0.1, 10.0.0.1:1179 or [fd00::1]:1179",
      ],
    ],
  ],
  [
    'BGPPeer',
    { peerIP: '10.0.0.1', asNumber: 65001, password: 'secret'.repeat(20) },
    [['spec.password', "'********': it has 120; expected text of 1 to 80 characters"]],
  ],
  [
    'BGPPeer',
    { peerIP: '10.0.0.1', asNumber: 65001, ttlSecurity: 255 },
    [['spec.ttlSecurity', '255; expected a whole number from 1 to 254']],
  ],
  [
    'BGPFilter',
    { importV4: [{ action: 'Accept', cidr: '10.0.0.0/8' }, { action: 'Drop' }] },
    [['spec.importV4[1].action', "'Drop'; expected Accept or Reject"]],
  ],
  [
    'BGPFilter',
    {
      importV4: [{ action: 'Accept', cidr: '10.0.0.0/8' }],
      exportV6: [
        { action: 'Reject', cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { min: 20, max: 8 } },
        { action: 'Reject', operations: [{ addCommunity: { value: '1:1' } }] },
        { action: 'Accept', operations: [{}] },
        { action: 'Accept', operations: [{ setPriority: { value: 7 } }] },
      ],
    },
    [
      ['spec.importV4[0].matchOperator', 'missing; expected cidr and matchOperator together, or neither'],
      ['spec.exportV6[0].cidr', "'10.0.0.0/8'; expected an IPv6 prefix"],
      ['spec.exportV6[0].prefixLength.min', '20; expected a length up to max, 8'],
      [
        'spec.exportV6[1].operations',
        '[{"addCommunity":{"value":"1:1"}}]; expected no operations on a rule that rejects',
      ],
      [
        'spec.exportV6[2].operations[0]',
        '{}; expected exactly one of addCommunity, prependASPath, setLocalPreference and setPriority',
      ],
      [
        'spec.exportV6[3].operations[0].setPriority',
        '{"value":7}; expected setPriority on import rules only: it is the metric of the route in the kernel of this node',
      ],
    ],
  ],
  [
    'Profile',
    {
      ingress: [
        { action: 'Allow' },
        { action: 'Allow', protocol: 'TCP', destination: { ports: [0.5, '90:80', 'web', '80:90'] } },
      ],
    },
    [
      [
        'spec.ingress[1].destination.ports[0]',
        '0.5; expected a port 1-65535, a range such as 8000:8080, or the name of a port',
      ],
      [
        'spec.ingress[1].destination.ports[1]',
        "'90:80'; expected a port 1-65535, a range such as 8000:8080, or the name of a port",
      ],
    ],
  ],
  [
    'Profile',
    {
      egress: [
        { action: 'Allow', source: { ports: [80] } },
        { action: 'Deny', icmp: { code: 1 } },
        { action: 'Deny', ipVersion: 4, protocol: 'ICMPv6', destination: { nets: ['fd00::/8'] } },
      ],
    },
    [
      [
        'spec.egress[0].protocol',
        'missing; expected TCP, UDP, SCTP or UDPLite, because the rule has source.ports',
      ],
      ['spec.egress[1].icmp.type', 'missing; expected a type beside the code'],
      ['spec.egress[1].protocol', 'missing; expected ICMP or ICMPv6, because the rule has icmp'],
      ['spec.egress[2].ipVersion', '4; expected 6, because the protocol is ICMPv6'],
      ['spec.egress[2].destination.nets[0]', "'fd00::/8'; expected an IPv4 prefix, because ipVersion is 4"],
    ],
  ],
  [
    'Profile',
    { labelsToApply: { __proto__x: 'a', role: 1, 'a b': 'c' } },
    [
      [
        'spec.labelsToApply.__proto__x',
        "'__proto__x': '__proto__x' is not a label of 1 to 512 letters, digits, -, _, . and /, beginning with a letter or digit; expected a label of 1 to 512 letters, digits, -, _, . and /, beginning with a letter or digit",
      ],
      ['spec.labelsToApply.role', '1: put it in quotes; expected text'],
      [
        'spec.labelsToApply["a b"]',
        "'a b': 'a b' is not a label of 1 to 512 letters, digits, -, _, . and /, beginning with a letter or digit; expected a label of 1 to 512 letters, digits, -, _, . and /, beginning with a letter or digit",
      ],
    ],
  ],
  [
    'Network',
    { pools: ['a'], subnets: ['10.0.0.0/24'] },
    [['spec.subnets', '["10.0.0.0/24"]; expected either pools or subnets, not both']],
  ],
  [
    'AgentConfiguration',
    {
      logLevel: 'verbose',
      mtuBytes: 9,
      failsafeInbound: ['tcp:0'],
      ipv4AddressMethod: 'can-reach=x',
      interfacePrefix: 'toolong',
    },
    [
      ['spec.logLevel', "'verbose'; expected debug, info, warn or error"],
      [
        'spec.interfacePrefix',
        "'toolong': 'toolong' does not leave room for the rest of a 15-character name or is no name; expected a prefix of 1 to 4 letters and digits, beginning with a letter",
      ],
      [
        'spec.ipv4AddressMethod',
        "'can-reach=x': 'x': 'x' where a decimal octet was expected; expected first-found, none, interface=PATTERN[,PATTERN], skip-interface=PATTERN[,PATTERN], can-reach=ADDRESS or cidr=PREFIX[,PREFIX]",
      ],
      [
        'spec.failsafeInbound[0]',
        "'tcp:0': 'tcp:0' is not a failsafe port; expected PROTOCOL:PORT or PROTOCOL:PORT@PREFIX, such as tcp:22 or udp:53@10.0.0.0/8",
      ],
    ],
  ],
]
