import t from 'tap'
import { desiredState, fixedChanges, speakerOptions } from '../../src/reflector/desired.ts'
import { readReflectorConfiguration } from '../../src/reflector/read.ts'

const head = 'asNumber: 64512\nrouterID: 10.0.0.1\n'

/** Files that are refused: what they say, and what the one error must name besides the file. */
const refused: { what: string; text: string; line: number; path: string; says: RegExp }[] = [
  { what: 'nothing', text: '', line: 1, path: 'asNumber', says: /missing.*AS number/ },
  { what: 'no map', text: '- 1', line: 1, path: '', says: /a map with the fields asNumber/ },
  { what: 'no YAML', text: 'asNumber: [', line: 1, path: '', says: /column/ },
  { what: 'a key twice', text: `${head}asNumber: 1`, line: 3, path: '', says: /column 1/ },
  { what: 'an alias of nothing', text: 'asNumber: *x', line: 1, path: '', says: /x/ },
  { what: 'nested without end', text: '['.repeat(200), line: 1, path: '', says: /100 levels/ },
  { what: 'an unknown field', text: `${head}pers: []`, line: 3, path: 'pers', says: /'peers'/ },
  {
    what: 'AS_TRANS',
    text: 'asNumber: 23456\nrouterID: 10.0.0.1',
    line: 1,
    path: 'asNumber',
    says: /23456.*reserved/,
  },
  {
    what: 'an IPv6 router id',
    text: 'asNumber: 1\nrouterID: fd00::1',
    line: 2,
    path: 'routerID',
    says: /fd00::1/,
  },
  {
    what: 'a router id of 0',
    text: 'asNumber: 1\nrouterID: 0.0.0.0',
    line: 2,
    path: 'routerID',
    says: /not all 0/,
  },
  {
    what: 'a cluster id with nothing to reflect',
    text: `${head}clusterID: 10.0.0.9\npeers: [{ address: 10.0.0.2, asNumber: 65001 }]`,
    line: 3,
    path: 'clusterID',
    says: /10\.0\.0\.9.*no internal peer/,
  },
  {
    what: 'a listener without port',
    text: `${head}listen: [10.0.0.1]`,
    line: 3,
    path: 'listen[0]',
    says: /10\.0\.0\.1:179/,
  },
  {
    what: 'a listener twice',
    text: `${head}listen: [":179", ":179"]`,
    line: 3,
    path: 'listen[1]',
    says: /once/,
  },
  {
    what: 'a route twice',
    text: `${head}routes: [{ prefix: 10.0.0.0/8 }, { prefix: 10.0.0.0/8 }]`,
    line: 3,
    path: 'routes[1].prefix',
    says: /routes\[0\]/,
  },
  {
    what: 'a route with host bits',
    text: `${head}routes: [{ prefix: 10.0.0.1/8 }]`,
    line: 3,
    path: 'routes[0].prefix',
    says: /10\.0\.0\.1\/8/,
  },
  {
    what: 'a route with no community',
    text: `${head}routes: [{ prefix: 10.0.0.0/8, communities: ["1:99999"] }]`,
    line: 3,
    path: 'routes[0]',
    says: /1:99999/,
  },
  {
    what: 'a filter with no community',
    text: `${head}filters: { f: { rules: [{ match: { communities: [x] }, then: accept }] } }`,
    line: 3,
    path: 'filters.f.rules[0]',
    says: /'x' is not a community/,
  },
  {
    what: 'a filter with lengths the wrong way',
    text: `${head}filters: { f: { rules: [{ match: { prefixes: [{ prefix: 10.0.0.0/8, minimumLength: 24, maximumLength: 16 }] }, then: accept }] } }`,
    line: 3,
    path: 'filters.f.rules[0].match.prefixes[0].minimumLength',
    says: /24.*16/,
  },
]

/** The same of one peer beside a sound one, as fields of YAML. */
const refusedPeers: { what: string; peer: string; field: string; says: RegExp }[] = [
  { what: 'neither address nor range', peer: 'asNumber: 1', field: 'address', says: /address or a range/ },
  {
    what: 'both',
    peer: 'address: 10.0.0.5, range: 10.1.0.0/16, asNumber: 1',
    field: 'range',
    says: /not both/,
  },
  { what: 'no AS', peer: 'address: 10.0.0.5', field: 'asNumber', says: /missing.*'internal'/ },
  {
    what: 'an AS that is a word',
    peer: 'address: 10.0.0.5, asNumber: inernal',
    field: 'asNumber',
    says: /inernal/,
  },
  {
    what: 'ourselves',
    peer: 'address: 10.0.0.1, asNumber: 1',
    field: 'address',
    says: /10\.0\.0\.1:179 ourselves/,
  },
  {
    what: 'the other peer once more',
    peer: 'address: 10.0.0.2, asNumber: 1',
    field: 'address',
    says: /peers\[0\]/,
  },
  {
    what: 'the name of the other',
    peer: 'name: one, address: 10.0.0.5, asNumber: 1',
    field: 'name',
    says: /peers\[0\] is called one/,
  },
  {
    what: 'a link-local address without link',
    peer: 'address: fe80::1, asNumber: 1',
    field: 'address',
    says: /fe80::1%eth0/,
  },
  {
    what: 'two links',
    peer: 'address: fe80::1%eth0, interface: eth1, asNumber: 1',
    field: 'interface',
    says: /eth0/,
  },
  {
    what: 'a range that is dialled',
    peer: 'range: 10.1.0.0/16, passive: false, asNumber: 1',
    field: 'passive',
    says: /never dialled/,
  },
  {
    what: 'a range with a port',
    peer: 'range: 10.1.0.0/16, port: 1790, asNumber: 1',
    field: 'port',
    says: /never dialled/,
  },
  {
    what: 'an external client',
    peer: 'address: 10.0.0.5, asNumber: 1, routeReflectorClient: true',
    field: 'routeReflectorClient',
    says: /own AS/,
  },
  {
    what: 'an internal route server client',
    peer: 'address: 10.0.0.5, asNumber: internal, routeServerClient: true',
    field: 'routeServerClient',
    says: /own AS/,
  },
  {
    what: 'a role towards ourselves',
    peer: 'address: 10.0.0.5, asNumber: 64512, role: peer',
    field: 'role',
    says: /own AS/,
  },
  {
    what: 'a strict role without role',
    peer: 'address: 10.0.0.5, asNumber: 1, roleStrict: true',
    field: 'roleStrict',
    says: /role/,
  },
  {
    what: 'another own AS inside',
    peer: 'address: 10.0.0.5, asNumber: internal, localASNumber: 7',
    field: 'localASNumber',
    says: /own AS/,
  },
  {
    what: 'a hold time of 2',
    peer: 'address: 10.0.0.5, asNumber: 1, timers: { holdTimeSeconds: 2 }',
    field: 'timers.holdTimeSeconds',
    says: /: 2.*from 3 on/,
  },
  {
    what: 'a keepalive as long as the hold time',
    peer: 'address: 10.0.0.5, asNumber: 1, timers: { holdTimeSeconds: 9, keepaliveSeconds: 9 }',
    field: 'timers.keepaliveSeconds',
    says: /less than.*9 s/,
  },
  {
    what: 'a password and a file',
    peer: 'address: 10.0.0.5, asNumber: 1, password: a, passwordFile: b',
    field: 'passwordFile',
    says: /not both/,
  },
  {
    what: 'hops in two ways',
    peer: 'address: 10.0.0.5, asNumber: 1, multihop: 2, ttlSecurityHops: 2',
    field: 'multihop',
    says: /ttlSecurityHops/,
  },
  {
    what: 'a source of the other family',
    peer: 'address: 10.0.0.5, asNumber: 1, sourceAddress: fd00::1',
    field: 'sourceAddress',
    says: /family/,
  },
  {
    what: 'a filter that is not there',
    peer: 'address: 10.0.0.5, asNumber: 1, import: strikt',
    field: 'import',
    says: /strikt.*strict/,
  },
  {
    what: 'a filter with a field misspelt',
    peer: 'address: 10.0.0.5, asNumber: 1, export: { rules: [{ then: accept, mach: {} }] }',
    field: 'export.rules[0].mach',
    says: /'match'/,
  },
  {
    what: 'a family twice',
    peer: 'address: 10.0.0.5, asNumber: 1, families: [ipv4, ipv4]',
    field: 'families[1]',
    says: /once/,
  },
  {
    what: 'graceful restart misspelt',
    peer: 'address: 10.0.0.5, asNumber: 1, gracefulRestart: { restartTime: 5 }',
    field: 'gracefulRestart.restartTime',
    says: /restartTimeSeconds/,
  },
]

for (const { what, text, line, path, says } of refused) {
  t.test(`refused: ${what}`, (t) => {
    const read = readReflectorConfiguration(text, 'r.yaml')
    const fault = read.ok ? undefined : read.error.find((each) => each.path === path)
    t.match(fault, { line, message: says }, JSON.stringify(read))
    t.match(fault?.message, /^r\.yaml:\d+: /)
    t.end()
  })
}

for (const { what, peer, field, says } of refusedPeers) {
  t.test(`refused as a peer: ${what}`, (t) => {
    const text = [
      'asNumber: 64512',
      'routerID: 10.0.0.1',
      'listen: ["10.0.0.1:179"]',
      'filters: { strict: { rules: [] } }',
      'peers:',
      '  - { name: one, address: 10.0.0.2, asNumber: internal }',
      `  - { ${peer} }`,
    ].join('\n')
    const read = readReflectorConfiguration(text, 'r.yaml')
    const faults = read.ok ? [] : read.error
    const found = faults.find(({ path }) => path === `peers[1].${field}`)
    t.match(found, { line: 7, message: says }, JSON.stringify(read))
    t.equal(faults.length, 1, 'nothing else is blamed')
    t.end()
  })
}

t.test('ranges that overlap are refused; a listener and nobody to accept too', (t) => {
  const of = (more: string) => readReflectorConfiguration(`${head}${more}`, 'r.yaml')
  t.match(of('peers: [{ range: 10.0.0.0/8, asNumber: 1 }, { range: 10.1.0.0/16, asNumber: 1 }]'), {
    ok: false,
    error: [{ path: 'peers[1].range', message: /overlaps with that of peers\[0\], 10\.0\.0\.0\/8/ }],
  })
  t.match(of('peers: [{ interface: eth0, asNumber: 1 }, { name: b, interface: eth0, asNumber: 1 }]'), {
    ok: false,
    error: [{ path: 'peers[1].interface', message: /peers\[0\] is whoever is on that link/ }],
  })
  t.match(of('peers: [{ interface: eth0, asNumber: external }]'), { ok: true })
  t.match(of('listen: []\npeers: [{ range: 10.0.0.0/8, asNumber: 1 }]'), {
    ok: false,
    error: [{ path: 'peers[0].range', message: /listen is empty/ }],
  })
  t.end()
})

t.test('a whole file becomes what the speaker takes', (t) => {
  const read = readReflectorConfiguration(
    `${head}
clusterID: 10.0.0.9
listen: [1790, "[fd00::1]:179"]
filters:
  strict: { rules: [{ match: { communities: [no-export] }, then: reject }], otherwise: accept }
peers:
  - address: 10.0.0.2
    asNumber: internal
    routeReflectorClient: true
    passwordFile: secret
    import: strict
    timers: { holdTimeSeconds: 9 }
  - { range: fd00::/64, asNumber: external, gracefulRestart: false, removePrivateAS: replace, limits: { in: { ipv6: 10 } } }
routes:
  - { prefix: 192.0.2.0/24, med: 5, communities: ["64512:1"] }
`,
    'r.yaml',
  )
  if (!read.ok) throw new Error(JSON.stringify(read.error))
  t.same(speakerOptions(read.value), {
    asn: 64512,
    routerId: '10.0.0.1',
    clusterId: '10.0.0.9',
    listen: [':1790', '[fd00::1]:179'],
    gracefulRestart: { restarting: true },
  })
  t.same(desiredState(read.value, new Map([[0, 'from the file']])), {
    peers: [
      {
        address: '10.0.0.2',
        asn: 'internal',
        routeReflectorClient: true,
        timers: { holdTimeSeconds: 9 },
        password: 'from the file',
        import: {
          name: 'strict',
          rules: [{ match: { communities: ['no-export'] }, then: 'reject' }],
          otherwise: 'accept',
        },
      },
      {
        range: 'fd00::/64',
        asn: 'external',
        gracefulRestart: false,
        removePrivateAs: 'replace',
        prefixLimit: { in: { ipv6: 10 } },
      },
    ],
    routes: [{ prefix: '192.0.2.0/24', attributes: { med: 5, communities: ['64512:1'] } }],
  })
  t.same(fixedChanges(read.value, { ...read.value, asNumber: 1, listen: [], peers: [] }), [
    'asNumber',
    'listen',
  ])
  t.end()
})
