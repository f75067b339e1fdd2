/**
 * Settings and where they come from. Layers are stacked weakest first: built-in, AgentConfiguration default, that of
 * the node, file, environment, flags. Every value is checked in its own layer, so that a fault names the place that a
 * person has to change, and the weaker values that a stronger one hides stay visible.
 */
import { type Result, failure, success } from '@network/net'
import { type AgentSettings, type Schema, type Setting, validateValue } from '@network/datastore/model'
import type { LocalSettings } from './local-settings.ts'

/** Where a setting's value comes from, weakest first: AgentConfiguration is 'cluster' and 'node'. */
export type SettingOrigin = 'built-in' | 'cluster' | 'node' | 'file' | 'environment' | 'flag'

/** A setting with the value in force, and those that it hides. */
export interface ResolvedSetting {
  readonly name: string
  readonly value: unknown
  readonly origin: SettingOrigin
  readonly place: string
  readonly description: string
  readonly hidden: { value: unknown; origin: SettingOrigin; place: string }[]
}

/** One value as its source gives it. */
export interface GivenValue {
  readonly value: unknown
  /** The exact place, for messages: '--log-level', 'DROVER_LOG_LEVEL', '/etc/drover/drover.yaml: logLevel'. */
  readonly place: string
}

export interface SettingLayer {
  readonly origin: SettingOrigin
  readonly values: ReadonlyMap<string, GivenValue>
}

export interface SettingFault {
  readonly setting: string
  readonly origin: SettingOrigin
  readonly place: string
  readonly value: unknown
  readonly expected: string
  /** A sentence with all of it. */
  readonly message: string
}

export interface ResolvedSettings {
  readonly values: LocalSettings & AgentSettings
  readonly reports: readonly ResolvedSetting[]
}

/** Stacks the layers; every fault of every layer is told, a hidden value's too. */
export function resolveSettings(
  settings: readonly Setting[],
  layers: readonly SettingLayer[],
): Result<ResolvedSettings, SettingFault[]> {
  const faults: SettingFault[] = []
  const reports: ResolvedSetting[] = []
  for (const setting of settings) {
    const found: { value: unknown; origin: SettingOrigin; place: string }[] = [
      { value: setting.default, origin: 'built-in', place: 'built-in' },
    ]
    for (const { origin, values } of layers) {
      const given = values.get(setting.name)
      if (given === undefined) continue
      const checked = validateValue(setting.schema, ofText(setting.schema, given.value), [setting.name])
      if (checked.ok) found.push({ value: checked.value, origin, place: given.place })
      else faults.push(...checked.error.map(({ expected }) => faultOf(setting.name, origin, given, expected)))
    }
    const winner = found.pop()
    if (winner !== undefined) {
      reports.push({
        name: setting.name,
        ...winner,
        description: setting.description,
        hidden: found.reverse(),
      })
    }
  }
  if (faults.length > 0) return failure(faults)
  const values = Object.fromEntries(reports.map(({ name, value }) => [name, value]))
  return success({ values: values as unknown as LocalSettings & AgentSettings, reports })
}

function faultOf(setting: string, origin: SettingOrigin, given: GivenValue, expected: string): SettingFault {
  const shown = typeof given.value === 'string' ? `'${given.value}'` : JSON.stringify(given.value)
  return {
    setting,
    origin,
    place: given.place,
    value: given.value,
    expected,
    message: `${given.place} is ${shown.slice(0, 200)}; expected ${expected}.`,
  }
}

/** Flags and variables bring text: what a schema wants is read from it, and left alone if it does not fit. */
function ofText(schema: Schema, value: unknown): unknown {
  if (typeof value !== 'string') return value
  switch (schema.is) {
    case 'boolean':
      return value === 'true' ? true : value === 'false' ? false : value
    case 'integer':
    case 'number':
      return /^-?[0-9]+(\.[0-9]+)?$/.test(value) ? Number(value) : value
    case 'list':
      return value === '' ? [] : value.split(',').map((item) => ofText(schema.item, item.trim()))
    default:
      return value
  }
}
