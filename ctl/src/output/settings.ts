import type { SettingReport } from '@network/agent/client'
import { renderTable } from './table.ts'

/** Each setting with its value and its origin; values that it hides stand below it. */
export function settingsText(settings: readonly SettingReport[], width: number | undefined): string {
  const rows = settings.flatMap((setting) => [
    { name: setting.name, value: formatValue(setting.value), origin: setting.origin, place: setting.place },
    ...setting.hidden
      .filter((hidden) => hidden.origin !== 'built-in')
      .map((hidden) => ({
        name: '',
        value: formatValue(hidden.value),
        origin: `(hidden) ${hidden.origin}`,
        place: hidden.place,
      })),
  ])
  return renderTable(
    rows,
    [
      { heading: 'SETTING', cell: (row) => row.name },
      { heading: 'VALUE', cell: (row) => row.value, shrink: true },
      { heading: 'ORIGIN', cell: (row) => row.origin },
      { heading: 'PLACE', cell: (row) => row.place, shrink: true },
    ],
    { width, empty: 'Every setting has its built-in value; --all shows them.' },
  )
}

function formatValue(value: unknown): string {
  if (value === undefined || value === null) return '-'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
