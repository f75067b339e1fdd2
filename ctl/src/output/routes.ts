import type { BgpRouteReport } from '@network/agent/client'
import { renderTable } from './table.ts'

/** Routes as the speaker holds them; the best of each prefix carries a star. */
export function routesText(routes: readonly BgpRouteReport[], width: number | undefined): string {
  const isExplained = routes.some((route) => route.decidedBy !== undefined)
  return renderTable(
    routes,
    [
      { heading: 'PREFIX', cell: (route) => `${route.best ? '*' : ' '} ${route.prefix}` },
      {
        heading: 'NEXT HOP',
        cell: (route) => (route.nextHops.length === 0 ? '-' : route.nextHops.join(' ')),
      },
      { heading: 'FROM', cell: (route) => route.from, shrink: true },
      { heading: 'AS PATH', cell: (route) => (route.asPath === '' ? '-' : route.asPath), shrink: true },
      { heading: 'PREF', cell: (route) => String(route.localPreference ?? '-'), align: 'right' },
      { heading: 'MED', cell: (route) => String(route.med ?? '-'), align: 'right' },
      ...(isExplained
        ? [{ heading: 'WHY', cell: (route: BgpRouteReport) => route.decidedBy ?? '', shrink: true }]
        : []),
    ],
    { width, empty: 'No routes.' },
  )
}
