import t from 'tap'
import type { PortBinding } from '../src/messages.ts'
import { portMappings, publishedPorts } from '../src/published-ports.ts'

const binding = (rest: Partial<PortBinding> = {}): PortBinding => ({
  protocol: 'TCP',
  port: 80,
  hostAddress: undefined,
  hostPort: 8080,
  hostPortEnd: rest.hostPort ?? 8080,
  ...rest,
})

t.test('a port of the host for each binding', (t) => {
  t.same(portMappings([binding()], [], Math.random), [{ protocol: 'TCP', hostPort: 8080, port: 80 }])
  t.same(portMappings([binding({ hostAddress: '192.0.2.1' })], [], Math.random), [
    { protocol: 'TCP', hostPort: 8080, port: 80, hostIP: '192.0.2.1' },
  ])
  const used = [{ protocol: 'TCP', hostPort: 8080, port: 1 }] as const
  t.throws(() => portMappings([binding()], used, Math.random), /8080\/tcp of the host is already allocated/)
  t.throws(() => portMappings([binding({ hostAddress: '192.0.2.1' })], used, Math.random), {
    code: 'port-taken',
  })
  t.same(
    portMappings([binding({ hostPortEnd: 8082 })], used, Math.random),
    [{ protocol: 'TCP', hostPort: 8081, port: 80 }],
    'the first free of a range',
  )
  t.equal(portMappings([binding({ protocol: 'UDP' })], used, Math.random).length, 1, 'another protocol')
  const beside = [{ protocol: 'TCP', hostPort: 8080, port: 1, hostIP: '192.0.2.2' }] as const
  t.equal(
    portMappings([binding({ hostAddress: '192.0.2.1' })], beside, Math.random).length,
    1,
    'another address',
  )
  t.end()
})

t.test('a port that nobody named', (t) => {
  const any = binding({ hostPort: 0, hostPortEnd: 0 })
  t.equal(portMappings([any], [], () => 0)[0]?.hostPort, 49_153)
  t.equal(portMappings([any], [], () => 0.999_999)[0]?.hostPort, 65_535)
  const two = portMappings([any, binding({ port: 81, hostPort: 0, hostPortEnd: 0 })], [], () => 0.999_999)
  t.same(
    two.map(({ hostPort }) => hostPort),
    [65_535, 49_153],
    'round the end',
  )
  t.end()
})

t.test('rules find published ports by one name', (t) => {
  const mappings = portMappings(
    [binding(), binding({ hostPort: 8081 }), binding({ protocol: 'UDP', port: 53, hostPort: 53 })],
    [],
    Math.random,
  )
  t.same(publishedPorts(mappings), [
    { name: 'published', protocol: 'TCP', port: 80 },
    { name: 'published', protocol: 'UDP', port: 53 },
  ])
  t.end()
})
