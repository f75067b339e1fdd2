import type { KindName, Schema, Setting } from '@network/datastore/model'
import {
  agentSettings,
  kindDefinition,
  rules,
  settingEnvironment,
  settingFlag,
} from '@network/datastore/model'
import { localSettings } from '@network/agent/config'

/** The tables of docs/configuration.md and docs/resources.md as the code has them. */
export function localSettingsTable(): string {
  return settingsTable(localSettings, ({ name }) => [settingFlag(name), settingEnvironment(name)], [
    'flag',
    'variable',
  ])
}

/** Settings that may also stand in an AgentConfiguration. */
export function agentSettingsTable(): string {
  return settingsTable(agentSettings, ({ live }) => [live ? 'at once' : 'at the next start'], [
    'takes effect',
  ])
}

function settingsTable(
  settings: readonly Setting[],
  more: (setting: Setting) => string[],
  headings: readonly string[],
): string {
  const rows = settings.map((setting) => [
    `\`${setting.name}\``,
    showDefault(setting.default),
    valueOf(setting.schema),
    ...more(setting),
    setting.description,
  ])
  return table(['setting', 'default', 'value', ...headings, 'what it does'], rows)
}

/**
 * Every field of a kind's spec. A list of objects that has stood there before is not spelt out again, nor are rules
 * anywhere but with Profile.
 */
export function fieldsTable(kind: KindName): string {
  const seen = new Set<Schema>(rules.is === 'list' && kind !== 'Profile' ? [rules.item] : [])
  return table(
    ['field of `spec`', 'default', 'value', 'meaning'],
    rowsOf(kindDefinition(kind).spec, '', seen),
  )
}

/** Every field of a reflector's file, or of a policy in it. */
export function schemaTable(schema: Schema): string {
  return table(['field', 'default', 'value', 'meaning'], rowsOf(schema, '', new Set()))
}

function rowsOf(schema: Schema, at: string, seen: Set<Schema>): string[][] {
  if (schema.is !== 'object') return []
  return Object.entries(schema.fields).flatMap(([name, field]) => {
    const path = at === '' ? name : `${at}.${name}`
    const fallback =
      field.presence === 'required'
        ? '(required)'
        : field.presence === 'default'
          ? showDefault(field.fallback)
          : ''
    const own = [`\`${path}\``, fallback, valueOf(field.schema), field.description]
    const inner = field.schema.is === 'list' ? field.schema.item : field.schema
    const isRepeated = inner.is === 'object' && seen.has(inner)
    seen.add(inner)
    const below = isRepeated ? [] : rowsOf(inner, field.schema.is === 'list' ? `${path}[]` : path, seen)
    return [own, ...below]
  })
}

/** A value in few words. */
function valueOf(schema: Schema): string {
  switch (schema.is) {
    case 'string':
      return schema.secret ? 'secret text' : 'text'
    case 'integer':
    case 'number':
      return `${schema.min}–${schema.max}`
    case 'boolean':
      return 'true, false'
    case 'word':
      return schema.words.join(', ')
    case 'text':
      return schema.format.name
    case 'as-number':
      return 'AS number'
    case 'list':
      return `list of ${schema.item.is === 'object' ? 'objects' : valueOf(schema.item)}`
    case 'map':
      return `map of ${valueOf(schema.value)}`
    case 'object':
      return 'object'
    case 'union':
      return schema.expected
  }
}

function isMap(value: unknown): boolean {
  return typeof value === 'object' && !Array.isArray(value)
}

function showDefault(value: unknown): string {
  if (isMap(value)) return ''
  const text = Array.isArray(value) ? value.join(', ') : String(value)
  return text === '' ? '' : `\`${text}\``
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
  return [headings, headings.map(() => '---'), ...rows].map(line).join('')
}
