import type { ProfileSpec, ResourceOf, Rule } from '@network/datastore/model'
import { formatRuleLine } from '@network/policy/grammar'
import { printable } from './table.ts'

const headings = { inbound: 'Inbound', outbound: 'Outbound' } as const

/** A profile for people: its rules numbered, each as 'profile rule add' takes it. */
export function profileText(profile: ResourceOf<'Profile'>, endpoints: number): string {
  const labels = Object.entries(profile.spec.labelsToApply ?? {}).map(([key, value]) => `${key}=${value}`)
  return [
    `Profile ${profile.metadata.name}, ${endpoints === 1 ? '1 endpoint' : `${String(endpoints)} endpoints`}\n`,
    ...(labels.length === 0 ? [] : [`Labels of its endpoints: ${printable(labels.join(' '))}\n`]),
    rulesText(profile.spec),
  ].join('')
}

/** The rules of a profile, both directions or one. */
export function rulesText(
  spec: ProfileSpec,
  directions: readonly (keyof typeof headings)[] = ['inbound', 'outbound'],
): string {
  return directions
    .map((direction) => {
      const rules = spec[direction === 'inbound' ? 'ingress' : 'egress'] ?? []
      const end = rules.length === 0 ? `no rule, nothing passes` : 'what no rule decides is dropped'
      return `${headings[direction]}: ${end}\n${numbered(rules)}`
    })
    .join('')
}

function numbered(rules: readonly Rule[]): string {
  const width = String(rules.length).length
  return rules
    .map((rule, index) => `  ${String(index + 1).padStart(width)}  ${printable(formatRuleLine(rule))}\n`)
    .join('')
}
