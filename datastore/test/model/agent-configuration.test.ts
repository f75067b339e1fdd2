import t from 'tap'
import {
  AGENT_DEFAULTS,
  agentSettings,
  draftResource,
  settingEnvironment,
  settingFlag,
  validateResource,
  validateValue,
} from '../../src/model/index.ts'

t.test('every built-in value is a good value in canonical form, and described', (t) => {
  for (const setting of agentSettings) {
    t.same(validateValue(setting.schema, setting.default), { ok: true, value: setting.default }, setting.name)
    t.match(setting.description, /^[A-Z].*\.$/, setting.name)
  }
  const all = validateResource(draftResource('AgentConfiguration', 'default', { ...AGENT_DEFAULTS }))
  t.same(all.ok ? all.value.spec : all.error, AGENT_DEFAULTS)
  t.end()
})

t.test('names of flags and of environment variables', (t) => {
  t.equal(settingFlag('logLevel'), '--log-level')
  t.equal(settingFlag('ipv4AddressMethod'), '--ipv4-address-method')
  t.equal(settingEnvironment('mtuBytes'), 'DROVER_MTU_BYTES')
  t.equal(settingEnvironment('natPortRange'), 'DROVER_NAT_PORT_RANGE')
  t.equal(new Set(agentSettings.map(({ name }) => settingEnvironment(name))).size, agentSettings.length)
  t.end()
})

t.test('a resolver listens at single addresses', (t) => {
  const schema = agentSettings.find(({ name }) => name === 'dnsListen')?.schema
  if (schema === undefined) throw new Error('there is no such setting')
  const good = ['192.0.2.11', '192.0.2.11:5353', '127.0.0.53', '[FD00::1]:5353', 'fd00::1', '223.255.255.1']
  t.match(validateValue(schema, good), {
    ok: true,
    value: ['192.0.2.11', '192.0.2.11:5353', '127.0.0.53', '[fd00::1]:5353', 'fd00::1', '223.255.255.1'],
  })
  for (const bad of [
    '0.0.0.0',
    '0.0.0.0:53',
    '::',
    '[::]:53',
    '224.0.0.251',
    '255.255.255.255',
    'ff02::fb',
    'eth0',
    '192.0.2.11:0',
  ])
    t.equal(validateValue(schema, [bad]).ok, false, bad)
  t.end()
})
