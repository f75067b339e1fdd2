/** Settings of the agent and of whoever looks for the same etcd: what they are and where a value comes from. */
export { type LocalSettings, allSettings, localSettings } from './local-settings.ts'
export {
  type GivenValue,
  type ResolvedSettings,
  type SettingFault,
  type SettingLayer,
  resolveSettings,
} from './resolve.ts'
export { environmentLayer, fileLayer, flagLayer, resourceLayer } from './sources.ts'
