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
