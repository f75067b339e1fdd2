import t from 'tap'
import { allSettings } from '../../src/config/local-settings.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { environmentLayer, fileLayer, flagLayer, resourceLayer } from '../../src/config/sources.ts'

const file = (text: string) => {
  const layer = fileLayer(allSettings, '/etc/drover/drover.yaml', text)
  if (!layer.ok) throw new Error(layer.error[0]?.message)
  return layer.value
}
const layers = [
  resourceLayer('cluster', 'default', allSettings, {
    logLevel: 'warn',
    mtuBytes: 9000,
    attachDeadline: '20s',
  }),
  resourceLayer('node', 'node.n1', allSettings, { mtuBytes: 1400, attachDeadline: '10s' }),
  file('attachDeadline: 8s\nmetricsListen: 127.0.0.1:9098\n'),
  environmentLayer(allSettings, {
    DROVER_METRICS_LISTEN: '127.0.0.1:1',
    DROVER_ETCD_ENDPOINTS: 'http://a:1,http://b:2',
  }),
  flagLayer(allSettings, { metricsListen: 'none', embeddedEtcd: 'true' }),
]

t.test('every origin wins over those before it, and what it hides stays visible', (t) => {
  const resolved = resolveSettings(allSettings, layers)
  if (!resolved.ok) throw new Error(resolved.error[0]?.message)
  const { reports, values } = resolved.value
  const report = (name: string) => reports.find((each) => each.name === name)
  t.match(report('interfacePrefix'), { value: 'drv', origin: 'built-in' })
  t.match(report('logLevel'), {
    value: 'warn',
    origin: 'cluster',
    place: 'AgentConfiguration default: logLevel',
  })
  t.match(report('mtuBytes'), {
    value: 1400,
    origin: 'node',
    hidden: [{ value: 9000, origin: 'cluster' }, { value: 0 }],
  })
  t.match(report('attachDeadline'), {
    value: '8s',
    origin: 'file',
    place: '/etc/drover/drover.yaml: attachDeadline',
  })
  t.match(report('etcdEndpoints'), { value: ['http://a:1', 'http://b:2'], origin: 'environment' })
  t.match(report('metricsListen'), { value: 'none', origin: 'flag', place: '--metrics-listen' })
  t.equal(values.embeddedEtcd, true)
  t.end()
})

const faults: { name: string; layer: Parameters<typeof resolveSettings>[1][number]; message: RegExp }[] = [
  {
    name: 'a flag',
    layer: flagLayer(allSettings, { mtuBytes: 'big' }),
    message: /^--mtu-bytes is 'big'; expected a whole number/,
  },
  {
    name: 'a variable',
    layer: environmentLayer(allSettings, { DROVER_LOG_LEVEL: 'loud' }),
    message: /^DROVER_LOG_LEVEL is 'loud'; expected debug, info, warn or error/,
  },
  {
    name: 'the file',
    layer: file('embeddedEtcd: perhaps'),
    message: /^\/etc\/drover\/drover.yaml: embeddedEtcd is 'perhaps'; expected true or false/,
  },
]
for (const { name, layer, message } of faults) {
  t.test(`a fault in ${name} names place, value and what was expected`, (t) => {
    const resolved = resolveSettings(allSettings, [layer])
    t.notOk(resolved.ok)
    if (!resolved.ok) t.match(resolved.error, [{ message }])
    t.end()
  })
}

t.test('a fault that a stronger value hides is a fault all the same', (t) => {
  const resolved = resolveSettings(allSettings, [
    environmentLayer(allSettings, { DROVER_LOG_LEVEL: 'loud' }),
    flagLayer(allSettings, { logLevel: 'info' }),
  ])
  t.notOk(resolved.ok)
  t.end()
})

const files: { text: string; message: RegExp }[] = [
  { text: 'logLevle: debug', message: /'logLevle'/ },
  { text: 'a: [', message: /line/ },
  { text: '- a', message: /map/ },
  { text: 'logLevel: info\nlogLevel: debug', message: /line 2/ },
]
t.test('a file that cannot be read says what and where', (t) => {
  for (const { text, message } of files) {
    const layer = fileLayer(allSettings, '/x', text)
    t.match(layer, { ok: false, error: [{ message }] }, text)
  }
  t.match(fileLayer(allSettings, '/x', ''), { ok: true })
  t.end()
})
