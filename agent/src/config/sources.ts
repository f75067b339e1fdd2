import { type Result, failure, success } from '@network/net'
import {
  type AgentConfigurationSpec,
  type Setting,
  settingEnvironment,
  settingFlag,
} from '@network/datastore/model'
import { parseDocument } from 'yaml'
import type { GivenValue, SettingFault, SettingLayer, SettingOrigin } from './resolve.ts'

/** Flags by the names of settings; undefined and absent are the same. */
export function flagLayer(
  settings: readonly Setting[],
  flags: Readonly<Record<string, unknown>>,
): SettingLayer {
  return layerOf('flag', settings, ({ name }) => ({ value: flags[name], place: settingFlag(name) }))
}

/** Variables DROVER_<SETTING>; an empty one counts as absent. */
export function environmentLayer(
  settings: readonly Setting[],
  environment: Readonly<Record<string, string | undefined>>,
): SettingLayer {
  return layerOf('environment', settings, ({ name }) => {
    const variable = settingEnvironment(name)
    return { value: environment[variable] === '' ? undefined : environment[variable], place: variable }
  })
}

/** AgentConfiguration `default` (origin 'cluster') or `node.<name>` (origin 'node'). */
export function resourceLayer(
  origin: 'cluster' | 'node',
  name: string,
  settings: readonly Setting[],
  spec: AgentConfigurationSpec | undefined,
): SettingLayer {
  const values = (spec ?? {}) as Readonly<Record<string, unknown>>
  return layerOf(origin, settings, (setting) => ({
    value: values[setting.name],
    place: `AgentConfiguration ${name}: ${setting.name}`,
  }))
}

/** A configuration file's text: one YAML map from setting to value. */
export function fileLayer(
  settings: readonly Setting[],
  file: string,
  text: string,
): Result<SettingLayer, SettingFault[]> {
  const fault = (setting: string, value: unknown, expected: string, message: string): SettingFault => ({
    setting,
    origin: 'file',
    place: file,
    value,
    expected,
    message,
  })
  const document = parseDocument(text, { uniqueKeys: true, maxAliasCount: 0 } as object)
  const error = document.errors[0]
  if (error !== undefined) {
    const line = error.linePos?.[0].line ?? 1
    return failure([
      fault('', undefined, 'YAML', `${file}, line ${line}: ${error.message.split('\n')[0] ?? 'not YAML'}`),
    ])
  }
  const content: unknown = document.toJS({ maxAliasCount: 0 })
  if (content === null || content === undefined) return success({ origin: 'file', values: new Map() })
  if (typeof content !== 'object' || Array.isArray(content)) {
    return failure([
      fault(
        '',
        content,
        'a map of settings',
        `${file} holds no map; expected lines such as 'logLevel: debug'.`,
      ),
    ])
  }
  const known = new Set(settings.map(({ name }) => name))
  const unknown = Object.entries(content).filter(([name]) => !known.has(name))
  if (unknown.length > 0) {
    return failure(
      unknown.map(([name, value]) =>
        fault(
          name,
          value,
          'a known setting',
          `${file}: there is no setting '${name}'; expected one of ${[...known].join(', ')}.`,
        ),
      ),
    )
  }
  const values = content as Readonly<Record<string, unknown>>
  return success(
    layerOf('file', settings, ({ name }) => ({
      value: values[name] ?? undefined,
      place: `${file}: ${name}`,
    })),
  )
}

function layerOf(
  origin: SettingOrigin,
  settings: readonly Setting[],
  find: (setting: Setting) => GivenValue,
): SettingLayer {
  const values = new Map<string, GivenValue>()
  for (const setting of settings) {
    const given = find(setting)
    if (given.value !== undefined) values.set(setting.name, given)
  }
  return { origin, values }
}
