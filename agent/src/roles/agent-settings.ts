import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { DroverError } from '@network/net'
import { type AgentConfigurationSpec, settingEnvironment, settingFlag } from '@network/datastore/model'
import { allSettings, localSettings } from '../config/local-settings.ts'
import {
  type ResolvedSettings,
  type SettingFault,
  type SettingLayer,
  resolveSettings,
} from '../config/resolve.ts'
import { environmentLayer, fileLayer, flagLayer, resourceLayer } from '../config/sources.ts'

/** What the store says about settings: AgentConfiguration `default` and `node.<name>`. */
export interface StoredConfiguration {
  readonly cluster: AgentConfigurationSpec | undefined
  readonly node: AgentConfigurationSpec | undefined
}

/** The settings of a running agent: what it was started with, under and over what the store says. */
export interface AgentSettingsSource {
  readonly current: ResolvedSettings
  /** @returns names of settings whose value changed */
  update(stored: StoredConfiguration): readonly string[]
}

/**
 * Reads flags, environment and file.
 * @throws DroverError 'invalid-settings' that names every place, value and expectation
 */
export function createAgentSettings(
  flags: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): AgentSettingsSource {
  const strong = [environmentLayer(allSettings, environment), flagLayer(allSettings, flags)]
  const file = readConfigurationFile(strong)
  const layersOf = (stored: StoredConfiguration): SettingLayer[] => [
    resourceLayer('cluster', 'default', allSettings, stored.cluster),
    resourceLayer('node', `node.${nodeName}`, allSettings, stored.node),
    ...(file === undefined ? [] : [file]),
    ...strong,
  ]
  const resolve = (stored: StoredConfiguration): ResolvedSettings => {
    const resolved = resolveSettings(allSettings, layersOf(stored))
    if (!resolved.ok) throw invalidSettings(resolved.error)
    return named(resolved.value)
  }
  let nodeName = ''
  let current = resolve({ cluster: undefined, node: undefined })
  nodeName = current.values.nodeName
  return {
    get current() {
      return current
    },
    update(stored) {
      const before = current
      current = resolve(stored)
      return current.reports
        .filter(({ name, value }) => {
          const was = before.reports.find((report) => report.name === name)
          return JSON.stringify(was?.value) !== JSON.stringify(value)
        })
        .map(({ name }) => name)
    },
  }
}

/** The file that flag or environment name must exist; the usual one need not. */
function readConfigurationFile(strong: readonly SettingLayer[]): SettingLayer | undefined {
  const resolved = resolveSettings(localSettings, strong)
  if (!resolved.ok) throw invalidSettings(resolved.error)
  const report = resolved.value.reports.find(({ name }) => name === 'config')
  const path = resolved.value.values.config
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (report?.origin === 'built-in' && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new DroverError(
      'invalid-settings',
      `The configuration file ${path} can't be read: ${(error as Error).message}.`,
      {
        remedy: `Make it, or name another with ${settingFlag('config')} or ${settingEnvironment('config')}.`,
        cause: error,
      },
    )
  }
  const layer = fileLayer(allSettings, path, text)
  if (!layer.ok) throw invalidSettings(layer.error)
  return layer.value
}

/** Fills in the machine's name where nobody gave one. */
function named(resolved: ResolvedSettings): ResolvedSettings {
  if (resolved.values.nodeName !== '') return checkedName(resolved)
  const nodeName = hostname().toLowerCase()
  return checkedName({
    values: { ...resolved.values, nodeName },
    reports: resolved.reports.map((report) =>
      report.name === 'nodeName' ? { ...report, value: nodeName, place: "the machine's hostname" } : report,
    ),
  })
}

function checkedName(resolved: ResolvedSettings): ResolvedSettings {
  const { nodeName } = resolved.values
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$/.test(nodeName)) return resolved
  const place = resolved.reports.find(({ name }) => name === 'nodeName')?.place ?? 'nodeName'
  throw new DroverError(
    'invalid-settings',
    `${place} gives '${nodeName}', which can't be the name of a node.`,
    {
      remedy:
        'Name the node with --node-name: letters, digits, -, _ and ., beginning with a letter or digit.',
    },
  )
}

function invalidSettings(faults: readonly SettingFault[]): DroverError {
  return new DroverError('invalid-settings', faults.map(({ message }) => message).join(' '), {
    remedy: "Correct what is named; 'drover agent --help' explains every setting.",
    details: { faults },
  })
}
