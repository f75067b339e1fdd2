import { DroverError } from '@network/net'
import { type FieldFault } from '../model/kind.ts'
import { type ResourceReference } from '../model/keys.ts'

export const ResourceErrorCode = {
  exists: 'exists',
  notFound: 'not-found',
  /** Somebody else changed it: the resourceVersion given is not the stored one, or it kept changing. */
  conflict: 'conflict',
  invalid: 'invalid',
  inUse: 'in-use',
  immutable: 'immutable',
  /** What the store keeps can't be read as the resource that it should be. */
  unreadable: 'unreadable',
} as const
export type ResourceErrorCode = (typeof ResourceErrorCode)[keyof typeof ResourceErrorCode]

export interface ResourceErrorOptions {
  reference: ResourceReference
  /** 'spec.cidr' */
  field?: string
  value?: unknown
  faults?: readonly FieldFault[]
  remedy: string
}

/** Why resources were not written or read: nothing of the call has been done. */
export class ResourceError extends DroverError {
  declare readonly code: ResourceErrorCode
  readonly reference: ResourceReference
  readonly field: string | undefined
  readonly value: unknown
  /** With code 'invalid': everything that is wrong. */
  readonly faults: readonly FieldFault[]

  constructor(code: ResourceErrorCode, message: string, options: ResourceErrorOptions) {
    super(code, message, {
      remedy: options.remedy,
      details: {
        ...options.reference,
        ...(options.field === undefined ? {} : { field: options.field, value: options.value }),
      },
    })
    this.reference = options.reference
    this.field = options.field
    this.value = options.value
    this.faults = options.faults ?? []
  }
}

/** 'IPPool blue', 'NetworkPolicy web/allow'. */
export function describeReference(reference: ResourceReference): string {
  const namespace = reference.namespace === undefined ? '' : `${reference.namespace}/`
  return `${reference.kind} ${namespace}${reference.name}`
}
