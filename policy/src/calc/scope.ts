/**
 * A scope: one selector over everything that a label can say about an endpoint or a set, its namespace and its service
 * account included. Labels of those two are kept beside the thing's own under names that no selector's text can
 * spell, so that `namespaceSelector` and `serviceAccounts` become conditions like any other.
 */
import { type Result, success } from '@network/net'
import { parseSelector, type Selector, type SelectorFault } from '@network/datastore/model'

const OF_NAMESPACE = 'namespace\0'
const OF_SERVICE_ACCOUNT = 'serviceaccount\0'

export const NAMESPACE_LABEL = 'drover.network/namespace'
export const ORCHESTRATOR_LABEL = 'drover.network/orchestrator'
export const SERVICE_ACCOUNT_LABEL = 'drover.network/serviceaccount'
const NAME_LABEL = 'drover.network/name'

/** The labels that come from no one's writing, in either spelling. */
const RESERVED = new Map(
  [NAMESPACE_LABEL, ORCHESTRATOR_LABEL, SERVICE_ACCOUNT_LABEL].flatMap((label) => [
    [label, label],
    [label.replace('drover.network', 'projectcalico.org'), label],
  ]),
)

export function isReservedLabel(label: string): boolean {
  return RESERVED.has(label)
}

/** The names under which labels of a thing's namespace and of its service account stand among its own. */
export function namespaceLabel(label: string): string {
  return OF_NAMESPACE + (label === 'projectcalico.org/name' ? NAME_LABEL : label)
}

export function serviceAccountLabel(label: string): string {
  return OF_SERVICE_ACCOUNT + (label === 'projectcalico.org/name' ? NAME_LABEL : label)
}

export const NAMESPACE_NAME = OF_NAMESPACE + NAME_LABEL
export const SERVICE_ACCOUNT_NAME = OF_SERVICE_ACCOUNT + NAME_LABEL

/** All that narrows a scope; what is absent narrows nothing. */
export interface ScopeText {
  readonly selector?: string | undefined
  readonly namespaceSelector?: string | undefined
  readonly serviceAccountSelector?: string | undefined
  readonly serviceAccountNames?: readonly string[] | undefined
  /** The one namespace. */
  readonly namespace?: string | undefined
}

/** The scope, or the first selector in it that doesn't parse. */
export function readScope(text: ScopeText): Result<Selector, SelectorFault> {
  const conditions: Selector[] = []
  if (text.selector !== undefined) {
    const parsed = parseSelector(text.selector)
    if (!parsed.ok) return parsed
    conditions.push(renamed(parsed.value, ownLabel))
  }
  if (text.serviceAccountNames !== undefined && text.serviceAccountNames.length > 0) {
    const values = [...new Set(text.serviceAccountNames)].sort()
    conditions.push({ is: 'in', label: SERVICE_ACCOUNT_LABEL, values })
  }
  if (text.serviceAccountSelector !== undefined) {
    const parsed = parseSelector(text.serviceAccountSelector)
    if (!parsed.ok) return parsed
    conditions.push(renamed(parsed.value, serviceAccountLabel), { is: 'has', label: SERVICE_ACCOUNT_LABEL })
  }
  if (text.namespaceSelector !== undefined) {
    const parsed = parseSelector(text.namespaceSelector)
    if (!parsed.ok) return parsed
    conditions.push(renamed(parsed.value, namespaceLabel, IN_A_NAMESPACE))
    if (!mentionsGlobal(parsed.value)) conditions.push(IN_A_NAMESPACE)
  }
  if (text.namespace !== undefined) {
    conditions.push({ is: '==', label: NAMESPACE_LABEL, value: text.namespace })
  }
  return success(conjunction(conditions))
}

/** The scope of what can't be narrowed any more. */
export function scopeOfNamespace(namespace: string | undefined): Selector {
  const scope = readScope({ namespace })
  return scope.ok ? scope.value : { is: 'all' }
}

const IN_A_NAMESPACE: Selector = { is: 'has', label: NAMESPACE_LABEL }

function ownLabel(label: string): string {
  return RESERVED.get(label) ?? label
}

/** The same selector over other labels; `all` stands for all(), which in a namespaceSelector means any namespace. */
function renamed(
  selector: Selector,
  name: (label: string) => string,
  all: Selector = { is: 'all' },
): Selector {
  switch (selector.is) {
    case 'all':
      return all
    case 'global':
      return selector
    case 'not':
      return { is: 'not', operand: renamed(selector.operand, name, all) }
    case 'and':
    case 'or':
      return { is: selector.is, operands: selector.operands.map((operand) => renamed(operand, name, all)) }
    default:
      return { ...selector, label: name(selector.label) }
  }
}

function mentionsGlobal(selector: Selector): boolean {
  if (selector.is === 'global') return true
  if (selector.is === 'not') return mentionsGlobal(selector.operand)
  return 'operands' in selector && selector.operands.some(mentionsGlobal)
}

function conjunction(conditions: readonly Selector[]): Selector {
  const operands = conditions
    .flatMap((condition) => (condition.is === 'and' ? condition.operands : [condition]))
    .filter((condition) => condition.is !== 'all')
  const [only] = operands
  if (only === undefined) return { is: 'all' }
  return operands.length === 1 ? only : { is: 'and', operands }
}
