/** What selectors of each kind hold for. They were checked before: one that doesn't parse is a bug. */
import { evaluateSelector, parseSelector, type Selector } from '@network/datastore/model'
import type { AnyPolicySpec } from '../input.ts'
import type { Thing } from './thing.ts'

export type Condition = (thing: Thing) => boolean

/** Whom a policy judges. */
export function endpointCondition(spec: AnyPolicySpec, namespace: string | undefined): Condition {
  const { selector, namespaceSelector, serviceAccountSelector } = spec
  const conditions = [
    bySelector(selector),
    ...(isEmpty(namespaceSelector) ? [] : [byNamespace(namespaceSelector)]),
    ...(isEmpty(serviceAccountSelector) ? [] : [byServiceAccount(serviceAccountSelector)]),
  ]
  return (endpoint) =>
    (namespace === undefined || namespace === endpoint.namespace) &&
    conditions.every((condition) => condition(endpoint))
}

export function isEmpty(text: string | undefined): text is undefined {
  return text === undefined || text.trim() === ''
}

function parsed(text: string): Selector {
  const selector = parseSelector(text)
  if (!selector.ok) throw new Error(`a selector was not checked: ${text}`)
  return selector.value
}

/** What a selector holds for. */
export function bySelector(text: string): Condition {
  const selector = parsed(text)
  return ({ labels, namespace }) => evaluateSelector(selector, labels, namespace)
}

/** A thing without a namespace is meant only where global() is written; all() means every namespace. */
export function byNamespace(text: string): Condition {
  const selector = parsed(text)
  const forGlobal = allIsFalse(selector)
  return ({ namespace, namespaceLabels }) =>
    namespace === undefined
      ? namesGlobal(selector) && evaluateSelector(forGlobal, {}, undefined)
      : evaluateSelector(selector, namespaceLabels, namespace)
}

function namesGlobal(selector: Selector): boolean {
  if (selector.is === 'not') return namesGlobal(selector.operand)
  if (selector.is === 'and' || selector.is === 'or') return selector.operands.some(namesGlobal)
  return selector.is === 'global'
}

function allIsFalse(selector: Selector): Selector {
  if (selector.is === 'all') return { is: 'not', operand: { is: 'global' } }
  if (selector.is === 'not') return { is: 'not', operand: allIsFalse(selector.operand) }
  if (selector.is !== 'and' && selector.is !== 'or') return selector
  return { is: selector.is, operands: selector.operands.map(allIsFalse) }
}

export function byServiceAccount(text: string): Condition {
  const selector = parsed(text)
  return ({ serviceAccount, serviceAccountLabels, namespace }) =>
    serviceAccount !== undefined && evaluateSelector(selector, serviceAccountLabels, namespace)
}
